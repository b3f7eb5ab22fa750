"""Given networks, rows and labels, for runs that are compared with the reference."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastmlp import Trainer
from tests.helpers import reference
from tests.helpers.basics import Array

DTYPES = ("float32", "float64")
TOLERANCE = {"float32": 1e-4, "float64": 1e-9}


def random_problem(
    sizes: Sequence[int], n: int, seed: int = 0
) -> tuple[list[Array], Array, npt.NDArray[np.int64]]:
    """Weights with biases that are not zero, rows and labels."""
    rng = np.random.default_rng(seed)
    weights = reference.initialize(rng, list(sizes), "he_normal")
    for b in weights[1::2]:
        b[...] = rng.normal(0.0, 0.3, b.shape)
    return weights, rng.normal(size=(n, sizes[0])), rng.integers(sizes[-1], size=n)


def problem(sizes: Sequence[int], n: int, seed: int = 0) -> tuple[list[Array], Array, Array]:
    """The same in numbers that float32 holds exactly."""
    weights, X, labels = random_problem(sizes, n, seed)
    weights = [w.astype(np.float32).astype(np.float64) for w in weights]
    return weights, X.astype(np.float32), labels


def images(n: int, d: int) -> npt.NDArray[np.uint8]:
    """Mostly black, as pictures of digits are: features and rows that are zero throughout."""
    rng = np.random.default_rng(1)
    X = rng.integers(256, size=(n, d)) * (rng.random((n, d)) < 0.1)
    X[:, ::7] = 0
    X[n // 2 :: 11] = 0
    return X.astype(np.uint8)


def trainer_from(weights: list[Array], known: Any = None, **options: Any) -> Trainer:
    """One that goes on from weights, and from a ``known`` scaling."""
    trainer = Trainer(**{"warm_start": True, "shuffle": False, **options})
    trainer.set_weights(weights, scaling=known)
    return trainer


def assert_close(ours: Array, wanted: Array, tolerance: float, name: str) -> None:
    """Each error is compared with the largest element, so that none hides behind its array."""
    error, scale = np.abs(ours - wanted).max(), np.abs(wanted).max()
    assert ours.shape == wanted.shape
    assert error <= tolerance * scale, f"{name}: error {error:.3g}, scale {scale:.3g}"
