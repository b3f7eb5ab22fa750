"""Speed of a search, compared with scikit-learn's, and of several networks in parallel.

``python -m asv_benchmarks.search`` prints

* the time of eight networks 64-64-10 in sequence, on one thread, over that with ``fit_many``; and
  the same ratio for two processes that fit half of them each, which is the limit of the machine;
* how far a fit exceeds its ``time_budget``, with many training and validation rows;
* the time of a search over 24 settings, 3 folds each, of networks on 1,797 digits:
  ``GridSearchCV(n_jobs=2)`` with scikit-learn's ``MLPClassifier`` and with ours, which gives the
  same numbers, and ``fit_many``, of equal settings and epochs; apart from these, the start of the
  workers, and the compilation with an empty cache.

Medians of alternating rounds; needs scikit-learn.
"""

import itertools
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from asv_benchmarks import as_they_come, options
from asv_benchmarks.neighbours import in_turn, processes, seconds
from fastmlp import Trainer, fit_many

SEARCH_EPOCHS, ROUNDS, NETWORKS, EPOCHS = 20, 3, 8, 60
GRID: dict[str, list[Any]] = {
    "hidden": [(32,), (64,), (64, 64)],
    "learning_rate": [1e-3, 3e-3],
    "l2": [0.0, 1e-4],
    "batch_size": [32, 64],
}
# Names of scikit-learn.
THEIR_NAMES = ("hidden_layer_sizes", "learning_rate_init", "alpha", "batch_size")
_HALF = (
    "from asv_benchmarks.search import one_by_one, half\n"
    "while input(): one_by_one(half); print(flush=True)"
)
_CACHE = "os.environ['NUMBA_CACHE_DIR'] = {!r}; "
half = NETWORKS // 2
BUDGETS = (1.0, 2.0, 5.0, 12.0)


def digits() -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    X, Y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32), Y


def networks(count: int, threads: int | None = None) -> list[Trainer]:
    return [
        Trainer(
            64, optimizer="sgd", batch_size=32, epochs=EPOCHS, seed=i, threads=threads,
            **as_they_come(Trainer),
        )
        for i in range(count)
    ]  # fmt: skip


def one_by_one(count: int) -> None:
    X, Y = digits()
    for trainer in networks(count, threads=1):
        trainer.fit(X, Y)


def searches() -> None:
    from joblib import Parallel, delayed
    from joblib.externals.loky import get_reusable_executor
    from sklearn import neural_network
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    from fastmlp import MLPClassifier

    X, Y = digits()
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, Y))
    values: list[list[Any]] = list(GRID.values())
    settings = [dict(zip(GRID, chosen, strict=True)) for chosen in itertools.product(*values)]
    best: dict[str, float] = {}

    def together() -> None:
        cases = [(case, train, test) for case in settings for train, test in folds]
        trainers = [
            Trainer(**case, optimizer="adam", epochs=SEARCH_EPOCHS, seed=0, **as_they_come(Trainer))
            for case, *_ in cases
        ]
        fit_many(trainers, X, Y, rows=[train for _, train, _ in cases])
        scored = zip(trainers, cases, strict=True)
        scores = [trainer.score(X[test], Y[test]) for trainer, (*_, test) in scored]
        best["fit_many"] = float(np.reshape(scores, (-1, len(folds))).mean(axis=1).max())

    def grid(name: str, estimator: Any) -> None:
        network = estimator(max_iter=SEARCH_EPOCHS, n_iter_no_change=SEARCH_EPOCHS, random_state=0)
        parameters = dict(zip(THEIR_NAMES, GRID.values(), strict=True))
        search = GridSearchCV(network, parameters, cv=folds, n_jobs=2, refit=False).fit(X, Y)
        best[name] = float(search.cv_results_["mean_test_score"].max())

    systems: dict[str, Callable[[], object]] = {
        "scikit-learn": partial(grid, "scikit-learn", neural_network.MLPClassifier),
        "MLPClassifier": partial(grid, "MLPClassifier", MLPClassifier),
        "fit_many": together,
    }
    times = dict(zip(systems, in_turn(*systems.values(), rounds=ROUNDS), strict=True))
    print(f"search of {len(settings)} settings, {len(folds)} folds")
    for name, taken in times.items():
        ratio = times["scikit-learn"] / taken
        print(f"  {name}: {taken:.2f} s, {ratio:.1f} times as fast; best accuracy {best[name]:.3f}")
    get_reusable_executor().shutdown()
    start = seconds(lambda: Parallel(n_jobs=2)(delayed(networks)(1) for _ in range(2)))
    print(f"  start of two workers that import this package: {start:.2f} s")
    print(f"  compilation with an empty cache, once: {compilation():.2f} s")


def compilation() -> float:
    """Seconds of a first fit in a new process with an empty cache, less those with a full one."""
    code = "from asv_benchmarks.search import one_by_one; one_by_one(1)"

    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-c", f"import os, asv_benchmarks; {_CACHE.format(cache)}{code}"]
        empty, full = (
            seconds(partial(subprocess.run, command, env=os.environ, check=True)) for _ in range(2)
        )
    return empty - full


def at_once() -> None:
    X, Y = digits()

    def in_processes() -> None:
        for process in workers:
            print("fit", file=process.stdin, flush=True)
        for process in workers:
            assert process.stdout is not None
            process.stdout.readline()

    def many() -> None:
        fit_many(networks(NETWORKS), X, Y)

    with processes(2, _HALF) as workers:
        one, together, apart = in_turn(partial(one_by_one, NETWORKS), many, in_processes)
    print(
        f"{NETWORKS} networks 64-64-10, {EPOCHS} epochs: {one:.2f} s one after the other; fit_many "
        f"{one / together:.2f} times as fast, two processes {one / apart:.2f} times"
    )


def budgets() -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((200_000, 100), np.float32), np.arange(200_000) % 10
    trainer = Trainer(
        (512, 512), optimizer="sgd", batch_size=32, epochs=1000, seed=0, time_budget=0.01,
        **as_they_come(Trainer),
    )  # fmt: skip
    for validation in (None, (X[:20_000], Y[:20_000])):
        trainer.fit(X[:1000], Y[:1000], validation_data=validation)  # compiled
        beyond = []
        for budget in BUDGETS:
            trainer.time_budget = budget
            start = time.perf_counter()
            trainer.fit(X, Y, validation_data=validation)
            beyond.append(time.perf_counter() - start - budget)
        numbers = ", ".join(f"{seconds:+.2f}" for seconds in beyond)
        rows = 0 if validation is None else len(validation[0])
        print(
            f"{len(X):,} rows, {rows:,} to validate on, budgets of {BUDGETS} s, {trainer.n_iter_} "
            f"epochs in the last: ended {numbers} s after them"
        )


def main() -> None:
    options.parser_of(__file__, __doc__).parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)  # from scikit-learn: not converged
    at_once()
    budgets()
    searches()


if __name__ == "__main__":
    main()
