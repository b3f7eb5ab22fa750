"""What does an epoch on sparse rows cost, beside scikit-learn's and beside dense rows?

``python -m asv_benchmarks.sparse`` prints three tables, of networks with 128 hidden units, 10
classes and batches of 64:

* ``epochs``: 20,000 rows of 20,000 features, 0.5% of them not 0, for Adam without and with
  scikit-learn's default penalty (alpha 1e-4), for its default SGD (the same, and Nesterov's
  momentum 0.9), and for plain SGD: seconds of an epoch on sparse rows, on the same rows made dense,
  and of scikit-learn's MLPClassifier, in turn, medians. The last two train on 1,280 of the rows,
  and their times are scaled.
* ``cost``: nanoseconds for each value that is not 0 over numbers of features and densities, with
  fewer rows where a row has many.
* ``levels``: 1,000,000 rows of a table with a column of a million categories and 10 numbers, 64
  hidden units: seconds of an epoch and of predictions, and the largest memory, in a new process.

Needs scikit-learn, SciPy, and for the last table pandas.
"""

import argparse
import itertools
import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from asv_benchmarks import options
from asv_benchmarks.streams import resident_peak
from fastmlp import FitWarning, Trainer
from fastmlp.optimizers import SGD

Array = npt.NDArray[Any]
HIDDEN, CLASSES, BATCH, ALPHA = 128, 10, 64, 1e-4
ROWS, FEATURES, DENSITY = 20_000, 20_000, 0.005
# Rows for the systems that take long, and epochs of the others in each turn.
PART, EPOCHS = 1_280, 2
TABLES = "epochs", "cost", "levels"
DENSITIES, COUNTS = (0.0005, 0.005, 0.05), (1_000, 10_000, 100_000, 1_000_000)
VALUES = 2_000_000  # that are not 0, in each cell of the table
FEWEST_ROWS, MOST_ROWS = 320, 40_000
# Categories, those of a process that compiles, and hidden units.
LEVELS, FEW_LEVELS, UNITS = 1_000_000, 5_000, 64


class Rule(NamedTuple):
    """An optimizer, as fastmlp's and as scikit-learn's settings."""

    ours: dict[str, Any]
    theirs: dict[str, Any]


RULES = {
    "adam": Rule({"optimizer": "adam"}, {"solver": "adam", "alpha": 0}),
    "adam+l2": Rule({"optimizer": "adam", "l2": ALPHA / BATCH}, {"solver": "adam", "alpha": ALPHA}),
    "momentum": Rule(
        {"optimizer": SGD(0.001, momentum=0.9, nesterov=True), "l2": ALPHA / BATCH},
        {"solver": "sgd", "alpha": ALPHA},
    ),
    "plain": Rule(
        {"optimizer": SGD(0.01)},
        {"solver": "sgd", "alpha": 0, "momentum": 0, "nesterovs_momentum": False},
    ),
}
COMMON: dict[str, Any] = {"batch_size": BATCH, "scaling": None, "seed": 0}


def rows(n: int, n_features: int, density: float, seed: int = 0) -> tuple[Any, Array]:
    """Sparse rows of as many values each, and labels."""
    from scipy.sparse import csr_matrix

    rng = np.random.default_rng(seed)
    count = max(1, round(density * n_features))
    columns = np.sort(rng.integers(0, n_features - count + 1, (n, count)), axis=1)
    columns += np.arange(count)  # no column twice
    ends = np.arange(0, n * count + 1, count)
    X = csr_matrix((rng.random(n * count), columns.ravel(), ends), shape=(n, n_features))
    return X, rng.integers(0, CLASSES, n)


def epoch_of_ours(X: Any, y: Array, rule: str, dtype: str, threads: int) -> Callable[[], float]:
    """A function that fits for some epochs and returns the seconds of the last ones, each."""

    def seconds() -> float:
        ends: list[float] = []
        trainer = Trainer(
            HIDDEN, epochs=1 + EPOCHS, dtype=dtype, threads=threads,
            callbacks=lambda *_: ends.append(time.perf_counter()), **RULES[rule].ours, **COMMON,
        )  # fmt: skip
        trainer.fit(X, y)
        return (ends[-1] - ends[0]) / EPOCHS

    return seconds


def epoch_of_theirs(X: Any, y: Array, rule: str) -> Callable[[], float]:
    """The same for one epoch of scikit-learn's network."""
    from sklearn.neural_network import MLPClassifier

    settings = {"hidden_layer_sizes": HIDDEN, "batch_size": BATCH, "random_state": 0}
    model = MLPClassifier(**settings, **RULES[rule].theirs)
    model.partial_fit(X[:BATCH], y[:BATCH], classes=np.arange(CLASSES))

    def seconds() -> float:
        start = time.perf_counter()
        model.partial_fit(X, y)
        return time.perf_counter() - start

    return seconds


class Epoch:
    """An epoch on sparse rows, in float32 on one thread."""

    params = tuple(RULES)
    param_names = ("rule",)

    def setup(self, rule: str) -> None:
        """Compile, or load; a process of asv measures often."""
        warnings.simplefilter("ignore", FitWarning)
        X, y = rows(ROWS, FEATURES, DENSITY)
        self.epoch = epoch_of_ours(X.astype(np.float32), y, rule, "float32", 1)

    def track_epoch(self, rule: str) -> float:
        """Seconds."""
        return self.epoch()


def print_epochs(args: argparse.Namespace) -> None:
    """Print the first table."""
    X, y = rows(args.rows, FEATURES, DENSITY)
    part, labels = X[:PART], y[:PART]
    scale = args.rows / len(labels)
    print(f"{'rule':10}{'dtype':9}{'sparse':>9}{'dense':>9}{'scikit-learn':>14}{'ratio':>8}")
    for rule, dtype in itertools.product(args.rules, args.dtypes):
        own = X.astype(dtype)
        systems = [
            epoch_of_ours(own, y, rule, dtype, args.threads),
            epoch_of_ours(part.toarray().astype(dtype), labels, rule, dtype, args.threads),
            epoch_of_theirs(part, labels, rule),  # its default, float64
        ]
        systems[0]()  # compiled, or loaded
        turns = np.array([[system() for system in systems] for _ in range(args.rounds)])
        turns[:, 1:] *= scale
        ours, dense, theirs = np.median(turns, axis=0)
        ratio = np.median(turns[:, 2] / turns[:, 0])
        print(f"{rule:10}{dtype:9}{ours:9.3g}{dense:9.3g}{theirs:14.3g}{ratio:8.1f}", flush=True)


def print_cost(args: argparse.Namespace) -> None:
    """Print the second table."""
    print(f"{'rule':10}{'density':>8}" + "".join(f"{count:>12,}" for count in COUNTS))
    for rule, density in itertools.product(args.rules, DENSITIES):
        cells = []
        for count in COUNTS:
            n = int(np.clip(VALUES / max(1, density * count), FEWEST_ROWS, MOST_ROWS))
            X, y = rows(n, count, density)
            epoch = epoch_of_ours(X.astype(np.float32), y, rule, "float32", args.threads)
            cells.append(1e9 * median(epoch() for _ in range(args.rounds)) / X.nnz)
        print(f"{rule:10}{density:8.2%}" + "".join(f"{cell:12.1f}" for cell in cells), flush=True)


def levels(count: int, threads: int) -> dict[str, float]:
    """The figures of the third table, in this process."""
    import pandas as pd

    rng = np.random.default_rng(0)
    users = pd.Categorical.from_codes(rng.permutation(count), categories=np.arange(count))
    numbers = rng.standard_normal((count, 10), np.float32)
    X = pd.DataFrame(numbers, columns=[f"x{j}" for j in range(10)]).assign(user=users)
    y = (numbers[:, 0] + rng.standard_normal(count) > 0).astype(int)
    before, ends = resident_peak(), [time.perf_counter()]
    trainer = Trainer(
        UNITS, epochs=2, seed=0, threads=threads,
        callbacks=lambda *_: ends.append(time.perf_counter()),
    ).fit(X, y)  # fmt: skip
    peak, start = resident_peak(), time.perf_counter()
    trainer.predict(X)
    weights = sum(W.nbytes for W in trainer.get_weights()) / 1e6
    return {
        "epoch": ends[-1] - ends[-2], "prediction": time.perf_counter() - start,
        "MB": peak - before, "weights": weights,
    }  # fmt: skip


def print_levels(args: argparse.Namespace) -> None:
    """Print the third table."""
    command = [sys.executable, "-m", "asv_benchmarks.sparse", "--threads", str(args.threads)]
    for count in (FEW_LEVELS, LEVELS):
        one = [*command, "--one", str(count)]
        got = json.loads(subprocess.run(one, check=True, capture_output=True, text=True).stdout)
    print(
        f"{LEVELS:,} categories: {got['epoch']:.2f} s an epoch, {got['prediction']:.2f} s to "
        f"predict; {got['MB']:,.0f} MB more than the table at the peak, weights and Adam's state "
        f"{3 * got['weights']:,.0f} MB"
    )


def main() -> None:
    """Print the tables."""
    parser = options.parser_of(__file__, __doc__)
    options.add_names(parser, "--tables", TABLES, TABLES)
    options.add_names(parser, "--rules", RULES, RULES)
    options.add_names(parser, "--dtypes", ("float32", "float64"), ("float32", "float64"))
    options.add_count(parser, "--rounds", 3, "turns of each system")
    options.add_count(parser, "--rows", ROWS, "rows of the first table")
    options.add_count(parser, "--threads", options.processors(), "of fastmlp and of BLAS")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    warnings.simplefilter("ignore", FitWarning)
    if args.one:
        print(json.dumps(levels(args.one, args.threads)))
        return
    from threadpoolctl import threadpool_limits

    printers = {"epochs": print_epochs, "cost": print_cost, "levels": print_levels}
    with threadpool_limits(args.threads):
        for table in args.tables:
            printers[table](args)


if __name__ == "__main__":
    main()
