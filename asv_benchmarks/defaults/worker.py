"""Run one system on one set in a new process; print a line of JSON for each split.

Seconds are those of the processor, summed over the threads, so that other work on the machine
hardly changes them. A system whose first fit compiles or loads code fits the first split once more
before.

``python -m asv_benchmarks.defaults.worker --system linear --set iris --splits 0 1 2 --threads 2``
"""

import json
import os
import time
import warnings
from importlib import import_module
from typing import Any

import numpy as np

from .. import options
from ..race.jobs import Array
from ..race.worker import limit_threads
from .sets import SETS
from .systems import SYSTEMS, Run


def score(kind: str, y: Array, predicted: Array) -> float:
    """Accuracy, or the coefficient of determination."""
    if kind == "classes":
        return float(np.mean(predicted == y))
    residuals = np.square(y - predicted).sum()
    return float(1 - residuals / np.square(y - y.mean()).sum())


def run_split(system_name: str, set_name: str, split: int, threads: int) -> dict[str, Any]:
    """Fit and predict; record errors, as a user would see them."""
    chosen = SETS[set_name]
    X, y, X_test, y_test = chosen.split(split)
    model = SYSTEMS[system_name].make(Run(chosen.kind, split, threads))
    record: dict[str, Any] = {"system": system_name, "set": set_name, "split": split}
    start = time.process_time()
    try:
        model.fit(X, y)
        fitted = time.process_time()
        predicted = np.asarray(model.predict(X_test)).reshape(len(y_test))
        done = time.process_time()
        value = score(chosen.kind, y_test, predicted)
        if not np.isfinite(value):
            raise ArithmeticError("predictions are not finite")
    except Exception as error:  # any error of a library
        seconds = time.process_time() - start
        return record | {"failure": repr(error), "fit_seconds": seconds, "predict_seconds": 0.0}
    return record | {
        "score": value, "fit_seconds": fitted - start, "predict_seconds": done - fitted
    }  # fmt: skip


def main() -> None:
    parser = options.parser_of(__file__, __doc__)
    parser.add_argument("--system", required=True, choices=SYSTEMS, metavar="NAME")
    parser.add_argument("--set", required=True, choices=SETS, metavar="NAME")
    parser.add_argument("--splits", type=int, nargs="+", required=True)
    options.add_count(parser, "--threads", options.processors(), "of every library")
    args = parser.parse_args()
    limit_threads(args.threads)
    system = SYSTEMS[args.system]
    os.environ.update(system.environment)
    warnings.simplefilter("ignore")  # about convergence, feature names, deprecations
    for package in system.packages:  # not part of the first fit
        import_module(package)
    if system.compiles:  # other rows would need other kernels
        run_split(args.system, args.set, args.splits[0], args.threads)
    for split in args.splits:
        record = run_split(args.system, args.set, split, args.threads)
        print(json.dumps(record | {"threads": args.threads, "versions": system.versions()}))


if __name__ == "__main__":
    main()
