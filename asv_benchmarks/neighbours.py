"""How much do busy processes and other fits slow down a fit and a prediction?

``python -m asv_benchmarks.neighbours`` prints

* for 0, 1, 2 and 4 busy processes, the time of the default over that of ``threads=1`` at the same
  time, measured in turn, medians of several;
* the time from the end of a busy process until an epoch is as fast as without one;
* the time of 1,000 rows predicted while another thread fits, over that on one thread alone;
* the time of two parallel fits, in two threads and in two processes, over two in sequence.
"""

import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from statistics import median, quantiles
from threading import Thread
from typing import Any

import numpy as np
import numpy.typing as npt

from asv_benchmarks import as_they_come, options
from fastmlp import FitWarning, Trainer

ROUNDS = 9
SETTINGS: dict[str, Any] = {
    "optimizer": "sgd", "batch_size": 32, "seed": 0, **as_they_come(Trainer),
}  # fmt: skip
_BUSY = "while True: pass"
# Fits once for each line of input.
_FITTING = "from asv_benchmarks.neighbours import fit\nwhile input(): fit(); print(flush=True)"


@cache
def data(n: int = 20_000, n_features: int = 784) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Rows and labels."""
    return np.random.default_rng(0).standard_normal((n, n_features), np.float32), np.arange(n) % 10


def fit(threads: int | None = None, epochs: int = 3) -> Trainer:
    return Trainer(epochs=epochs, learning_rate=0.01, threads=threads, **SETTINGS).fit(*data())


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def in_turn(*functions: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """Median seconds of each function; they take turns."""
    for function in functions:
        function()
    times = [[seconds(function) for function in functions] for _ in range(rounds)]
    return [median(column) for column in zip(*times, strict=True)]


@contextmanager
def processes(count: int, code: str) -> Iterator[list[subprocess.Popen[str]]]:
    command, pipe = [sys.executable, "-c", code], subprocess.PIPE
    started = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(count)]
    time.sleep(0.5 * (count > 0))
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def beside_busy_processes(count: int) -> None:
    X, Y = data(200, 20)
    small, alone = (Trainer(16, epochs=1, threads=n, **SETTINGS).fit(X, Y) for n in (None, 1))
    predictions = [partial(trainer.predict_proba, X) for trainer in (small, alone)]
    with processes(count, _BUSY):
        both, one = in_turn(fit, partial(fit, 1))
        rows, rows_one = (1e3 * t for t in in_turn(*predictions, rounds=99))
    print(
        f"{count} busy neighbours: fit {both:.3f} s, on one thread {one:.3f} s, "
        f"ratio {both / one:.2f}; 200 rows {rows:.3f} ms, on one thread {rows_one:.3f} ms"
    )


def after_they_left() -> None:
    trainer = fit(epochs=20)
    usual, ends = median(trainer.history["seconds"]), []
    trainer.epochs, trainer.callbacks = 80, lambda *_: ends.append(time.perf_counter())
    fitting = Thread(target=trainer.fit, args=data())
    with processes(1, _BUSY):
        fitting.start()
        time.sleep(1)
    left = time.perf_counter()
    fitting.join()
    epochs = zip(ends, trainer.history["seconds"], strict=True)
    fast = [end - left for end, spent in epochs if end > left and spent < 1.25 * usual]
    print(f"the first fast epoch ended {min(fast, default=np.nan):.2f} s after a neighbour left")


def beside_a_fit() -> None:
    trainer, rows = fit(epochs=1), data()[0][:1000]
    predict = partial(trainer.predict_proba, rows)
    trainer.threads = 1
    [alone] = in_turn(predict, rounds=99)
    trainer.threads = None
    fitting, times = Thread(target=fit, kwargs={"epochs": 60}), []
    fitting.start()
    while fitting.is_alive():
        times.append(seconds(predict))
    middle, most = median(times), quantiles(times, n=20)[-1]
    print(
        f"1,000 rows {1e3 * alone:.2f} ms on one thread alone; beside a fit {middle / alone:.1f} "
        f"times as long in the median, {most / alone:.1f} in the 95th percentile"
    )


def two_at_once() -> None:
    def in_threads() -> None:
        threads = [Thread(target=fit) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def in_processes() -> None:
        for process in workers:
            print("fit", file=process.stdin, flush=True)
        for process in workers:
            assert process.stdout is not None
            process.stdout.readline()

    with processes(2, _FITTING) as workers:
        turns = in_turn(lambda: (fit(), fit()), in_threads, in_processes)
    one_by_one, threads, others = turns
    print(
        f"two fits {one_by_one:.3f} s one after the other; at once in two threads "
        f"{threads / one_by_one:.2f} times as long, in two processes {others / one_by_one:.2f}"
    )


def main() -> None:
    options.parser_of(__file__, __doc__).parse_args()
    warnings.simplefilter("ignore", FitWarning)  # the labels are random
    for count in (0, 1, 2, 4, 0):
        beside_busy_processes(count)
    after_they_left()
    beside_a_fit()
    two_at_once()


if __name__ == "__main__":
    main()
