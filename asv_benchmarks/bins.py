"""What do bins cost? Fits and predictions of raw tables, by default and with robust scaling.

``python -m asv_benchmarks.bins`` prints the seconds of both, the best of some in turn, and their
ratios, on two threads.
"""

import math
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

import fastmlp
from asv_benchmarks import options

Array = npt.NDArray[Any]
# Rows and features, of any unit; targets are 4 classes.
SHAPES = {
    "100000x50": (100_000, 50), "400000x20": (400_000, 20), "1000000x10": (1_000_000, 10),
    "5000x200": (5_000, 200),
}  # fmt: skip
SCALINGS = "auto", "robust"


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


def measured(shape: str, rounds: int) -> Iterator[tuple[str, float, float]]:
    """Seconds of fits and of predictions with each scaling, the best of some in turn."""
    X, Y = made(*SHAPES[shape])
    best = {(what, s): math.inf for what in ("fit", "predict") for s in SCALINGS}
    for _ in range(rounds):
        for scaling in SCALINGS:
            model = trainer(scaling)
            took = seconds(partial(model.fit, X, Y))
            best["fit", scaling] = min(best["fit", scaling], took)
            took = min(seconds(partial(model.predict, X)) for _ in range(3))
            best["predict", scaling] = min(best["predict", scaling], took)
    for what in ("fit", "predict"):
        yield what, best[what, "auto"], best[what, "robust"]


def main() -> None:
    """Print a line for the fits and the predictions of each shape."""
    parser = options.parser_of(__file__, __doc__)
    options.add_names(parser, "--shapes", SHAPES, SHAPES)
    options.add_count(parser, "--rounds", 3, "fits of each")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore", fastmlp.FitWarning)
    for scaling in SCALINGS:  # kernels compiled, or loaded
        X, Y = made(1_000, 10)
        trainer(scaling, epochs=1).fit(X, Y).predict(X)
    for shape in chosen.shapes:
        for what, auto, robust in measured(shape, chosen.rounds):
            print(
                f"{shape:10} {what:7} {auto:7.3f} s, robust {robust:7.3f} s, {auto / robust:.2f} "
                "times as long",
                flush=True,
            )


if __name__ == "__main__":
    main()
