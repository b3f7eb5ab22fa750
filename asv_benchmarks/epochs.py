"""How long does an epoch take? By shape, batch, update rule, threads and dtype.

The first cases are those of the race, on fewer rows; the others look for shapes that may be slow:
odd sizes, single rows, tiny, wide and narrow layers, few rows.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from asv_benchmarks import as_they_come
from fastmlp import Trainer

MNIST = Path(__file__).parents[1] / "examples" / "mnist.npz"


@dataclass(frozen=True)
class Case:
    """Layer sizes with inputs and classes, number of rows, and settings of the Trainer."""

    sizes: tuple[int, ...]
    n_rows: int
    batch_size: int
    optimizer: str = "sgd"
    threads: int | None = None
    dtype: str = "float32"
    data: str = "gaussian"


WIDE = (784, 128, 10)
CASES = {
    "dense": Case(WIDE, 12_000, 32),
    "dense, 1 thread": Case(WIDE, 12_000, 32, threads=1),
    "dense, float64": Case(WIDE, 12_000, 32, dtype="float64"),
    "dense, momentum": Case(WIDE, 12_000, 32, "momentum"),
    "dense, adam": Case(WIDE, 12_000, 32, "adam"),
    "mnist": Case(WIDE, 12_000, 32, data="mnist"),
    "mnist, 1 thread": Case(WIDE, 12_000, 32, threads=1, data="mnist"),
    "mnist, adam, batch 128": Case(WIDE, 12_000, 128, "adam", data="mnist"),
    "tabular": Case((28, 64, 64, 2), 10_000, 64, "adam"),
    "tabular, 1 thread": Case((28, 64, 64, 2), 10_000, 64, "adam", threads=1),
    "tabular, float64": Case((28, 64, 64, 2), 10_000, 64, "adam", dtype="float64"),
    "deep": Case((784, 512, 256, 10), 5_000, 256),
    "big": Case((1024, 2048, 2048, 10), 2_048, 1024),
    "batch 1": Case(WIDE, 1_000, 1),
    "batch 200": Case(WIDE, 12_000, 200),
    "batch of all rows": Case(WIDE, 12_000, 12_000),
    "37 features, 7 classes": Case((37, 50, 7), 10_000, 200, "adam"),
    "101 units": Case((784, 101, 10), 6_000, 33),
    "tiny": Case((4, 8, 3), 10_000, 16),
    "tiny, batch 1": Case((4, 8, 3), 2_000, 1),
    "no hidden layer": Case((784, 10), 12_000, 32),
    "narrow hidden layer": Case((784, 8, 10), 12_000, 32),
    "very wide": Case((64, 8_192, 10), 2_000, 128),
    "1,000 classes": Case((128, 64, 1_000), 5_000, 64),
    "many layers": Case((64, *[64] * 8, 4), 5_000, 64, "adam"),
    "few rows": Case((8_000, 64, 2), 64, 32),
}


@cache
def load(case: Case) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Rows and labels of all classes."""
    labels = np.arange(case.n_rows) % case.sizes[-1]
    if case.data == "mnist":
        with np.load(MNIST) as data:
            images = data["train_images"][: case.n_rows].reshape(case.n_rows, -1)
        return np.divide(images, 255, dtype=case.dtype), labels
    rng = np.random.default_rng(0)
    return rng.standard_normal((case.n_rows, case.sizes[0]), np.dtype(case.dtype)), labels


def optimizer_settings(name: str) -> dict[str, Any]:
    """Settings of SGD; momentum was a setting of the Trainer before optimizers were objects."""
    if name != "momentum":
        return {"optimizer": name}
    try:
        from fastmlp.optimizers import SGD
    except ImportError:
        return {"optimizer": "sgd", "momentum": 0.9}
    return {"optimizer": SGD(momentum=0.9)}


def fit(case: Case) -> Trainer:
    """One epoch with a small learning rate."""
    return Trainer(
        hidden=case.sizes[1:-1],
        loss="softmax_cross_entropy",  # 1,000 whole numbers may also be quantities
        **optimizer_settings(case.optimizer),
        learning_rate=0.001,
        batch_size=case.batch_size,
        epochs=1,
        threads=case.threads,
        dtype=case.dtype,
        seed=0,
        **as_they_come(Trainer),
    ).fit(*load(case))


@cache
def warm_up(case: Case) -> None:
    """Compile once per process, though asv calls ``setup`` before every sample."""
    fit(case)


class Epoch:
    """A fit of one epoch with compiled kernels, checks of the input included."""

    params = (list(CASES),)
    param_names = ("case",)

    def setup(self, name: str) -> None:
        warm_up(CASES[name])

    def time_epoch(self, name: str) -> Any:
        return fit(CASES[name])
