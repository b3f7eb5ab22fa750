"""The standard jobs of ``fastmlp bench``, and how long they take."""

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any

import numpy as np

from ..data import Array
from ..trainer import Trainer

PREDICTED = 10_000, 1
# Of the time of training, for the predictions of each number of rows.
_PART_OF_PREDICTIONS = 0.2


@dataclass(frozen=True)
class Job:
    """What to train: a network with inputs and outputs, on made rows, ``sparse`` or dense."""

    layer_sizes: tuple[int, ...]
    n_rows: int
    batch_size: int
    optimizer: str
    learning_rate: float
    sparse: bool = False

    @property
    def flops_per_epoch(self) -> int:
        """Operations of the products: forward, weight gradients, and deltas except of the inputs.

        A multiply-add counts as two. Zeros in the data count like other numbers.
        """
        first, *others = self._products()
        return 2 * self.n_rows * (2 * first + 3 * sum(others))

    def flops_of_predictions(self, n_rows: int) -> int:
        """Operations of the products of predictions."""
        return 2 * n_rows * sum(self._products())

    def _products(self) -> list[int]:
        return [a * b for a, b in pairwise(self.layer_sizes)]

    def __str__(self) -> str:
        sizes = "-".join(map(str, self.layer_sizes))
        zeros = ", sparse" if self.sparse else ""
        return f"{self.n_rows:,} × {sizes}, batch {self.batch_size}, {self.optimizer}{zeros}"


JOBS = {
    "dense": Job((784, 128, 10), 48_000, 32, "sgd", 0.01),
    "sparse": Job((784, 128, 10), 48_000, 32, "sgd", 0.1, sparse=True),
    "sparse-adam": Job((784, 128, 10), 48_000, 128, "adam", 0.001, sparse=True),
    "tabular": Job((28, 64, 64, 2), 50_000, 64, "adam", 0.001),
    "deep": Job((784, 512, 256, 10), 20_000, 256, "sgd", 0.05),
    "big": Job((1024, 2048, 2048, 10), 8_192, 1024, "sgd", 0.05),
}


@dataclass(frozen=True)
class Measured:
    """The shortest time of one kind of work, and its operations."""

    what: str
    seconds: float
    flops: int

    @property
    def gflops(self) -> float:
        """Operations per nanosecond."""
        return self.flops / self.seconds / 1e9


def measure(job: Job, seconds: float, dtype: str, threads: int) -> Iterator[Measured]:
    """Train for about ``seconds``, at least one epoch; then predict. Without compilation."""
    X = _features(job.n_rows, job.layer_sizes[0], job.sparse, dtype)
    Y = np.random.default_rng(1).integers(0, job.layer_sizes[-1], job.n_rows)
    Y[: job.layer_sizes[-1]] = range(job.layer_sizes[-1])
    settings: dict[str, Any] = {
        "hidden": job.layer_sizes[1:-1], "optimizer": job.optimizer, "scaling": None, "seed": 1,
        "learning_rate": job.learning_rate, "batch_size": job.batch_size, "dtype": dtype,
        "threads": threads,
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fits of one epoch, and a cache that cannot be kept
        few = slice(2 * job.batch_size)
        Trainer(**settings, epochs=1).fit(X[few], Y[few]).predict(X[:1])
        trainer = Trainer(**settings, epochs=1_000_000, callbacks=_until(seconds)).fit(X, Y)
    best = min(trainer.history["seconds"])
    yield Measured(f"epoch of {job.n_rows:,} rows", best, job.flops_per_epoch)
    for count in PREDICTED:
        rows = np.resize(X, (count, X.shape[1]))
        best = _shortest(partial(trainer.predict, rows), seconds * _PART_OF_PREDICTIONS)
        what = f"predict {count:,} row" + "s" * (count > 1)
        yield Measured(what, best, job.flops_of_predictions(count))


def _until(seconds: float) -> Callable[..., None]:
    """A callback that stops after the epoch in which the time is over."""
    end = time.perf_counter() + seconds

    def stop(trainer: Trainer, *_: Any) -> None:
        trainer.stop_training = time.perf_counter() >= end

    return stop


def _shortest(function: Callable[[], Any], seconds: float) -> float:
    """Shortest time of a call, of those in about ``seconds``, at least one after the first."""
    function()
    best, end = np.inf, time.perf_counter() + seconds
    while best == np.inf or time.perf_counter() < end:
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


@lru_cache(1)
def _features(n_rows: int, d: int, sparse: bool, dtype: str) -> Array:
    """Normal numbers; if sparse, 81% are zeros, most of them at the margins as in MNIST's images.

    The kernels skip a feature that is zero in all rows of a tile, and a row that is zero in all of
    its features. They can skip about as much as in MNIST, where epochs were 7% shorter; with zeros
    at uniformly random places half as much.
    """
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, d), np.dtype(dtype))
    if sparse:
        side = np.linspace(-1, 1, 28)
        present = 0.85 * np.exp(-(side[:, None] ** 2 + side**2) / 0.3).reshape(-1, 2).mean(axis=1)
        # Neighbours together, as strokes are two pixels wide.
        X *= (rng.random((n_rows, len(present)), np.float32) < present).repeat(2, axis=1)
    return X
