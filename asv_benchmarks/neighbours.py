"""How much do other busy processes slow a fit and a prediction down?

``python -m asv_benchmarks.neighbours`` prints, for 0, 1 and 2 busy neighbours, the time of the
default over that of ``threads=1`` at the same moment: both in turn, medians of several.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

import numpy as np

from fastmlp import Trainer

ROUNDS = 9
_BUSY = "while True: pass"


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Processes that do nothing but compute."""
    processes = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(count)]
    time.sleep(0.5 * (count > 0))
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def in_turn(*functions: Callable[[], object]) -> list[float]:
    """Median seconds of each function; they take turns."""
    for function in functions:
        function()
    times = [[seconds(function) for function in functions] for _ in range(ROUNDS)]
    return [median(column) for column in zip(*times, strict=True)]


def main() -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((20_000, 784), np.float32), np.arange(20_000) % 10
    small, labels = rng.standard_normal((200, 20), np.float32), np.arange(200) % 3

    def fit(threads: int | None) -> Callable[[], object]:
        return lambda: Trainer(epochs=3, learning_rate=0.01, threads=threads, seed=0).fit(X, Y)

    def predict(threads: int | None) -> Callable[[], object]:
        trainer = Trainer(16, epochs=1, seed=0, threads=threads).fit(small, labels)
        return lambda: trainer.predict_proba(small)

    calls = [fit(None), fit(1)], [predict(None), predict(1)]
    for count in (0, 1, 2, 0):
        with neighbours(count):
            fits, predictions = (in_turn(*pair) for pair in calls)
        print(
            f"{count} busy neighbours: fit {fits[0]:.3f} s, on one thread {fits[1]:.3f} s, "
            f"ratio {fits[0] / fits[1]:.2f}; 200 rows {1e3 * predictions[0]:.3f} ms, "
            f"on one thread {1e3 * predictions[1]:.3f} ms"
        )


if __name__ == "__main__":
    main()
