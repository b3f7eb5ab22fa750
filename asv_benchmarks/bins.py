"""What do bins cost? Fits and predictions of raw tables, by default and with robust scaling.

``python -m asv_benchmarks.bins`` prints the seconds of both, the best of three in turn, and their
ratios, on two threads.
"""

import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

import fastmlp

Array = npt.NDArray[Any]
# Rows and features, of any unit; targets are 4 classes.
SHAPES = {
    "100,000 x 50": (100_000, 50), "400,000 x 20": (400_000, 20), "1,000,000 x 10": (1_000_000, 10),
    "5,000 x 200": (5_000, 200),
}  # fmt: skip
SCALINGS = "auto", "robust"
ROUNDS = 3


def made(n: int, d: int) -> tuple[Array, Array]:
    """Rows and labels."""
    rng = np.random.default_rng(0)
    X = np.exp(rng.standard_normal((n, d), np.float32))
    scores = np.sin(3 * X[:, :4]) + rng.standard_normal((n, 4), np.float32)
    return X, scores.argmax(axis=1)


def trainer(scaling: str, **settings: Any) -> fastmlp.Trainer:
    return fastmlp.Trainer(scaling=scaling, threads=2, seed=0, **settings)


class Epoch:
    """An epoch, and predictions of all rows."""

    params = list(SHAPES), SCALINGS
    param_names = "shape", "scaling"

    def setup(self, shape: str, scaling: str) -> None:
        """Compile kernels."""
        self.X, self.Y = made(*SHAPES[shape])
        self.trainer = trainer(scaling, epochs=1, early_stopping=False)
        self.trainer.fit(self.X[:1000], self.Y[:1000]).predict(self.X[:1000])
        self.trained = trainer(scaling, epochs=1).fit(self.X[:20_000], self.Y[:20_000])

    def time_fit(self, shape: str, scaling: str) -> None:
        """Fit, with one epoch."""
        self.trainer.fit(self.X, self.Y)

    def time_predict(self, shape: str, scaling: str) -> None:
        """Predict."""
        self.trained.predict(self.X)


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measured(n: int, d: int) -> Iterator[tuple[str, float, float]]:
    """Seconds of fits and of predictions with each scaling, the best of some in turn."""
    X, Y = made(n, d)
    best = {(what, s): math.inf for what in ("fit", "predict") for s in SCALINGS}
    for _ in range(ROUNDS):
        for scaling in SCALINGS:
            model = trainer(scaling)
            took = seconds(partial(model.fit, X, Y))
            best["fit", scaling] = min(best["fit", scaling], took)
            took = min(seconds(partial(model.predict, X)) for _ in range(3))
            best["predict", scaling] = min(best["predict", scaling], took)
    for what in ("fit", "predict"):
        yield what, best[what, "auto"], best[what, "robust"]


def main() -> None:
    """Print a line for each shape."""
    for name, (n, d) in SHAPES.items():
        for what, auto, robust in measured(n, d):
            print(f"{name:15} {what:8} {auto:8.3f} s {robust:8.3f} s {auto / robust:6.2f}")


if __name__ == "__main__":
    for scaling in SCALINGS:  # kernels compiled, or loaded
        trainer(scaling, epochs=1).fit(*made(1000, 10)).predict(made(1000, 10)[0])
    main()
