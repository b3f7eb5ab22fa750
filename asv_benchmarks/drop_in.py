"""Speed of the estimators over scikit-learn's, for equal settings, which give equal numbers.

``python -m asv_benchmarks.drop_in`` prints, for each data set, solver and dtype, the seconds of
whole calls of ``fit`` of both, on one thread each, BLAS limited alike, and their ratio; the best of
three, in turn. Then those of one epoch and of a ``partial_fit`` of 100 rows, in a warm process. It
ends with an error if numbers of epochs or losses differ: in float64 by more than 1e-8 of them.

Needs scikit-learn, and threadpoolctl, which comes with it.
"""

import itertools
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import fastmlp
from asv_benchmarks import options

Array = npt.NDArray[Any]
ROUNDS, SHORT_ROUNDS = 3, 30
# Epochs of sums in another order differ by roundings, which grow from epoch to epoch.
TOLERANCE = {"float64": 1e-8, "float32": 1e-2}


class Case(NamedTuple):
    """Rows, and the settings of both estimators."""

    name: str
    estimator: str
    X: Array
    Y: Array
    settings: dict[str, Any]


def made(n: int, d: int, classes: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    return X, (X[:, :classes] + rng.standard_normal((n, classes))).argmax(axis=1)


def cases() -> Iterator[Case]:
    from sklearn import datasets
    from sklearn.preprocessing import scale

    digits, digit = datasets.load_digits(return_X_y=True)
    cancer, is_benign = datasets.load_breast_cancer(return_X_y=True)
    diabetes, progression = datasets.load_diabetes(return_X_y=True)
    large, small = made(20_000, 50, 4), made(100, 20, 2)
    sets = (
        ("digits", "MLPClassifier", digits / 16, digit, 100),
        ("breast cancer", "MLPClassifier", scale(cancer), is_benign, 200),
        ("diabetes", "MLPRegressor", scale(diabetes), progression, 200),
        ("20,000 x 50", "MLPClassifier", *large, 10),
        ("100 rows", "MLPClassifier", *small, 200),
    )
    for solver in ("adam", "sgd", "lbfgs"):
        for name, estimator, X, Y, epochs in sets:
            rate = {"learning_rate_init": 1e-4} if (solver, name) == ("sgd", "diabetes") else {}
            epochs = min(epochs, 100) if solver == "lbfgs" else epochs
            yield Case(name, estimator, X, Y, {"solver": solver, "max_iter": epochs, **rate})


def best_of(rounds: int, *functions: Callable[[], Any]) -> tuple[list[float], list[Any]]:
    """Least seconds of each function, and its last result; they take turns."""
    times, results = [math.inf] * len(functions), [None] * len(functions)
    for _ in range(rounds):
        for index, function in enumerate(functions):
            start = time.perf_counter()
            results[index] = function()
            times[index] = min(times[index], time.perf_counter() - start)
    return times, results


def fits(case: Case, dtype: str) -> tuple[float, float, int]:
    """Seconds of a fit of ours and of theirs, and its epochs."""
    from sklearn import neural_network

    X, settings = case.X.astype(dtype), {"random_state": 0, **case.settings}
    ours = getattr(fastmlp, case.estimator)(**settings, threads=1)
    theirs = getattr(neural_network, case.estimator)(**settings)
    ours.fit(X, case.Y)  # kernels compiled, or loaded
    (our_time, their_time), _ = best_of(
        ROUNDS, partial(ours.fit, X, case.Y), partial(theirs.fit, X, case.Y)
    )
    if case.settings["solver"] != "lbfgs":
        check_same(case, dtype, ours, theirs)
    return our_time, their_time, ours.n_iter_


def check_same(case: Case, dtype: str, ours: Any, theirs: Any) -> None:
    count = min(ours.n_iter_, theirs.n_iter_)
    curves = np.array(ours.loss_curve_[:count]), np.array(theirs.loss_curve_[:count])
    difference = np.abs(curves[0] / curves[1] - 1).max()
    same_epochs = dtype == "float32" or ours.n_iter_ == theirs.n_iter_
    if not same_epochs or difference > TOLERANCE[dtype]:
        sys.exit(
            f"{case.name}, {case.settings}, {dtype}: {ours.n_iter_} and {theirs.n_iter_} epochs, "
            f"losses differ by {difference:.1e}"
        )


def mean_ratio(ratios: list[float]) -> str:
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    return f"geometric mean {mean:.1f}, least {min(ratios):.1f}"


def short_calls() -> None:
    from sklearn import neural_network

    X, Y = made(100, 20, 2)
    kinds = "MLPClassifier", "MLPRegressor"
    for kind, dtype in itertools.product(kinds, ("float64", "float32")):
        rows = X.astype(dtype)
        ours = getattr(fastmlp, kind)(max_iter=1, threads=1)
        theirs = getattr(neural_network, kind)(max_iter=1)
        calls = {
            "one epoch": [partial(model.fit, rows, Y) for model in (ours, theirs)],
            "partial_fit": [partial(model.partial_fit, rows, Y) for model in (ours, theirs)],
        }
        for name, functions in calls.items():
            (our_time, their_time), _ = best_of(SHORT_ROUNDS, *functions)
            print(
                f"{kind}, {name} of 100 rows, {dtype}: {1e3 * our_time:.2f} ms, scikit-learn "
                f"{1e3 * their_time:.2f} ms, {their_time / our_time:.1f} times as long"
            )


def main() -> None:
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    parser = options.parser_of(__file__, __doc__)
    options.add_names(parser, "--dtypes", TOLERANCE, TOLERANCE)
    options.add_names(parser, "--solvers", ("adam", "sgd", "lbfgs"), ("adam", "sgd", "lbfgs"))
    chosen = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    with threadpool_limits(1):
        for dtype in chosen.dtypes:
            ratios: dict[str, list[float]] = {}
            for case in cases():
                solver = case.settings["solver"]
                if solver in chosen.solvers:
                    ours, theirs, epochs = fits(case, dtype)
                    kind = "lbfgs" if solver == "lbfgs" else "sgd and adam"
                    ratios.setdefault(kind, []).append(theirs / ours)
                    print(
                        f"{dtype} {solver:5} {case.name:13} {epochs:3} epochs {ours:7.3f} s, "
                        f"scikit-learn {theirs:7.3f} s, {theirs / ours:5.1f} times as long",
                        flush=True,
                    )
            for kind, values in ratios.items():
                print(f"{dtype}, {kind}: {mean_ratio(values)}")
        short_calls()


if __name__ == "__main__":
    main()
