"""The jobs of the race: network, data, batch, update rule, and number of operations."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

MNIST = Path(__file__).parents[2] / "examples" / "mnist.npz"

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Job:
    """What to train: ``layer_sizes`` with input and classes, on ``n_rows`` rows of ``data``."""

    layer_sizes: tuple[int, ...]
    n_rows: int
    batch_size: int
    optimizer: str
    learning_rate: float
    data: str = "gaussian"

    @property
    def flops_per_epoch(self) -> int:
        """Operations of the products: forward, weight gradients, and deltas except of the inputs.

        A multiply-add counts as two. Zeros in the data count like other numbers.
        """
        products = [a * b for a, b in pairwise(self.layer_sizes)]
        return 2 * self.n_rows * (2 * products[0] + 3 * sum(products[1:]))

    def load(self) -> tuple[Array, Array]:
        """X of shape (n_rows, n_in), float32, and class indices Y, int64."""
        return _DATA[self.data](self.n_rows, self.layer_sizes[0], self.layer_sizes[-1])

    def __str__(self) -> str:
        sizes = "-".join(map(str, self.layer_sizes))
        return f"{self.n_rows:,} × {sizes}, batch {self.batch_size}, {self.optimizer}"


def gaussian(n_rows: int, n_features: int, n_classes: int) -> tuple[Array, Array]:
    """Rows without zeros, with learnable classes from a random linear map."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_features), np.float32)
    return X, (X @ rng.standard_normal((n_features, n_classes), np.float32)).argmax(axis=1)


def mnist(n_rows: int, *_: int) -> tuple[Array, Array]:
    """The first training images of MNIST, in [0, 1]."""
    with np.load(MNIST) as data:
        images = data["train_images"][:n_rows].reshape(n_rows, -1)
        labels = data["train_labels"][:n_rows].astype(np.int64)
    return np.divide(images, 255, dtype=np.float32), labels


_DATA: dict[str, Callable[..., tuple[Array, Array]]] = {"gaussian": gaussian, "mnist": mnist}

MAIN_JOBS = {
    "dense": Job((784, 128, 10), 48_000, 32, "sgd", 0.01),
    "mnist": Job((784, 128, 10), 48_000, 32, "sgd", 0.1, "mnist"),
    "mnist-adam": Job((784, 128, 10), 48_000, 128, "adam", 0.001, "mnist"),
    "tabular": Job((28, 64, 64, 2), 50_000, 64, "adam", 0.001),
    "deep": Job((784, 512, 256, 10), 20_000, 256, "sgd", 0.05),
    "big": Job((1024, 2048, 2048, 10), 8_192, 1024, "sgd", 0.05),
}

# Shapes that may be slow: single rows, odd sizes, narrow, wide and many layers.
ODD_JOBS = {
    "batch-1": Job((784, 128, 10), 2_000, 1, "sgd", 0.001),
    "batch-200": Job((784, 128, 10), 48_000, 200, "sgd", 0.01),
    "full-batch": Job((784, 128, 10), 12_000, 12_000, "sgd", 0.01),
    "odd-sizes": Job((37, 50, 7), 20_000, 200, "adam", 0.001),
    "101-units": Job((784, 101, 10), 12_000, 33, "sgd", 0.01),
    "tiny": Job((4, 8, 3), 50_000, 16, "sgd", 0.1),
    "tiny-batch-1": Job((4, 8, 3), 10_000, 1, "sgd", 0.01),
    "linear": Job((784, 10), 48_000, 32, "sgd", 0.001),
    "narrow": Job((784, 8, 10), 48_000, 32, "sgd", 0.01),
    "wide": Job((64, 8_192, 10), 4_000, 128, "sgd", 0.01),
    "1000-classes": Job((128, 64, 1_000), 10_000, 64, "sgd", 0.01),
    "many-layers": Job((64, *[64] * 8, 4), 10_000, 64, "adam", 0.0001),
    "few-rows": Job((8_000, 64, 2), 256, 32, "sgd", 0.0001),
    "many-features": Job((50_000, 32, 2), 500, 50, "sgd", 0.0001),
    "300-64-1000": Job((300, 64, 1_000), 10_000, 100, "sgd", 0.01),
    "200-256-256-256-5": Job((200, 256, 256, 256, 5), 20_000, 64, "adam", 0.001),
}

JOBS = MAIN_JOBS | ODD_JOBS
