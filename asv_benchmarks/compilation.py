"""Time of a new process to import fastmlp, and to do its first fit.

The fit has 15 epochs of plain SGD on 1,000 dense rows, beyond importing Numba; for comparison,
Numba's time for two trivial functions, one of them parallel, in a process of the same minute.
``python -m asv_benchmarks.compilation`` prints the figures and their ratio.
"""

import subprocess
import sys
from statistics import median
from typing import Any

import numpy as np

from asv_benchmarks import as_they_come, options
from fastmlp import Trainer

_DATA = """
import numba
import numpy as np
X = np.random.default_rng(0).standard_normal((1000, 784), np.float32)
Y = np.arange(1000) % 10
"""
_SETTINGS: dict[str, Any] = {
    "optimizer": "sgd", "epochs": 15, "batch_size": 32, "seed": 0, **as_they_come(Trainer),
}  # fmt: skip
_FIT = f"import fastmlp; fastmlp.Trainer(**{_SETTINGS!r}).fit(X, Y)"
_TRIVIAL = """
@numba.njit
def add(x, y):
    return x + y

@numba.njit(parallel=True)
def fill(x):
    for i in numba.prange(x.size):
        x[i] = i

add(1, 2)
fill(np.zeros(10))
"""
_EMPTY_CACHE = """
import atexit, os, shutil, tempfile
os.environ["NUMBA_CACHE_DIR"] = cache = tempfile.mkdtemp()
atexit.register(shutil.rmtree, cache)
"""


class Import:
    """Import times of fastmlp and its dependencies."""

    repeat = (1, 5, 10.0)

    def timeraw_numba(self) -> str:
        return "import numba"

    def timeraw_fastmlp_after_numba(self) -> tuple[str, str]:
        return "import fastmlp", "import numba"


class FirstFit:
    repeat = (1, 3, 30.0)
    timeout = 180

    def setup_cache(self) -> None:
        """Fill the cache of this commit."""
        X = np.random.default_rng(0).standard_normal((1000, 784), np.float32)
        Trainer(**_SETTINGS).fit(X, np.arange(1000) % 10)

    def timeraw_empty_cache(self) -> tuple[str, str]:
        return _FIT, _EMPTY_CACHE + _DATA

    def timeraw_warm_cache(self) -> tuple[str, str]:
        return _FIT, _DATA

    def timeraw_trivial_functions(self) -> tuple[str, str]:
        return _TRIVIAL, _DATA


def _seconds(code: str, setup: str) -> float:
    """Seconds of ``code`` in a new process, after ``setup``."""
    timed = f"import time; start = time.perf_counter()\n{code}\nprint(time.perf_counter() - start)"
    command = [sys.executable, "-c", f"{setup}\n{timed}"]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Print medians of processes in turn."""
    parser = options.parser_of(__file__, __doc__)
    options.add_count(parser, "--rounds", 5, "processes of each kind")
    rounds = parser.parse_args().rounds
    benchmark = FirstFit()
    kinds = {
        "two trivial functions": benchmark.timeraw_trivial_functions(),
        "first fit, empty cache": benchmark.timeraw_empty_cache(),
        "first fit, warm cache": benchmark.timeraw_warm_cache(),
    }
    benchmark.setup_cache()
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, (code, setup) in kinds.items():
            seconds[name].append(_seconds(code, setup))
    trivial = median(seconds["two trivial functions"])
    for name, values in seconds.items():
        print(
            f"{name:24} {median(values):6.2f} s ({min(values):.2f} to {max(values):.2f}), "
            f"{median(values) / trivial:5.2f} times the trivial functions"
        )


if __name__ == "__main__":
    main()
