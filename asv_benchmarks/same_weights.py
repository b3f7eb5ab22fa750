"""Do two commits train the same weights, bit for bit?

``python -m asv_benchmarks.same_weights HEAD~1 .`` runs the fits of ``fits.py`` on both and prints a
line for each difference in the results: weights, predictions, history without its seconds, and
attributes of the trainer. A ``.`` stands for the working tree. The exit status is 1 if anything
differs, or if a fit fails.

Each commit has its own process. Both run the fits of the file beside this one; only
``fastmlp`` is that of the commit. Most of the half minute is compilation time.
"""

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from asv_benchmarks import options
from asv_benchmarks.compare import check_out, commit, own_package, receive, send, workers
from asv_benchmarks.fits import FITS

ATTRIBUTES = "best_epoch_", "n_iter_", "stop_reason_"


def digest(*arrays: Any) -> str:
    result = hashlib.sha256()
    for array in map(np.asarray, arrays):
        result.update(f"{array.dtype}{array.shape}".encode())
        result.update(repr(array.tolist()).encode() if array.dtype == object else array.tobytes())
    return result.hexdigest()[:12]


def left_by(make: Callable[[], list[Any]]) -> dict[str, str]:
    """Results of a fit, by name, in a form to compare and print."""
    left: dict[str, str] = {}
    for number, result in enumerate(make()):
        if isinstance(result, np.ndarray):
            left[f"predictions {number}"] = digest(result)
            continue
        history = {name: values for name, values in result.history.items() if name != "seconds"}
        left[f"weights {number}"] = digest(*result.get_weights())
        left[f"history {number}"] = f"{','.join(history)} {digest(*history.values())}"
        left |= {f"{name} {number}": repr(getattr(result, name)) for name in ATTRIBUTES}
        left |= {f"auto_ {number} {name}": repr(value) for name, value in result.auto_.items()}
    return left


def serve() -> None:
    """Run as the process of a commit: answer each line of input with results of a fit as JSON."""
    own_package()
    fits = list(FITS.values())
    for line in sys.stdin:
        [number] = json.loads(line)  # names may hold the repr of an object of the commit
        try:
            left = left_by(fits[number])
        except Exception as error:
            left = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(left), flush=True)


def differences(first: dict[str, str], second: dict[str, str]) -> list[str]:
    """Texts of all differences and failures; the second may have more in ``auto_``."""
    return [
        f"{name}: {first.get(name)} and {second.get(name)}"
        for name in first | {k: v for k, v in second.items() if not k.startswith("auto_")}
        if name == "failed" or first.get(name) != second.get(name)
    ]


def main() -> None:
    parser = options.parser_of(__file__, __doc__)
    parser.add_argument("first", type=commit, nargs="?", default="HEAD", help="default: HEAD")
    parser.add_argument("second", type=commit, nargs="?", default=".", help="default: .")
    parser.add_argument("--only", metavar="TEXT", default="", help="fits whose names hold this")
    args = parser.parse_args()
    chosen = {number: name for number, name in enumerate(FITS) if args.only in name}
    if not chosen:
        parser.error(f"argument --only: no fit is called {args.only!r}")
    found = 0
    with tempfile.TemporaryDirectory() as work:
        folders = [Path(work, name) for name in ("first", "second")]
        check_out(args.first, folders[0])
        check_out(args.second, folders[1])
        with workers(folders, "same_weights") as started:
            for number, name in chosen.items():
                for worker in started:
                    send(worker, number)
                first, second = map(receive, started)
                for difference in differences(first, second):
                    print(f"{name}: {difference}", flush=True)
                    found += 1
    if found:
        sys.exit(f"{found} differences in {len(chosen)} fits")
    print(f"{len(chosen)} fits, weights and histories the same bit for bit")


if __name__ == "__main__":
    main()
