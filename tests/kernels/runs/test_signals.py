"""Signal handlers that fit, predict, save or raise while the main thread works or compiles."""

import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from fastmlp.kernels.runs.launch import Job
from tests.helpers.basics import needs_compiler
from tests.helpers.processes import LAYERS, run

pytestmark = [
    needs_compiler,
    pytest.mark.skipif(
        not hasattr(signal, "setitimer"), reason="this system has no signals of timers"
    ),
]

SCRIPT = """
import os
import random
import signal
import sys
import threading
import time
import numpy as np
import fastmlp

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(1000, 50)).astype(np.float32), rng.integers(3, size=1000)

def trainer(**options):
    return fastmlp.Trainer(
        **{"hidden": (300, 100), "threads": 2, "epochs": 2, "seed": 0, **options}
    )

def results(fitted):
    scores = np.array(list(fitted.evaluate(X, Y).values()))
    return [*fitted.get_weights(), fitted.predict_proba(X), fitted.predict_proba(X[:1]), scores]

def same(one, other):
    return len(one) == len(other) and all(map(np.array_equal, one, other))
"""

# A handler that does something, time and again.
HANDLER = """
other = trainer(threads=4).fit(X, Y)
wanted, long = results(other), results(trainer(epochs=20).fit(X, Y))
tasks = {
    "predict": lambda: np.array_equal(other.predict_proba(X), wanted[-3]),
    "predict a row": lambda: np.array_equal(other.predict_proba(X[:1]), wanted[-2]),
    "evaluate": lambda: np.array_equal(list(other.evaluate(X, Y).values()), wanted[-1]),
    "fit": lambda: same(results(trainer(threads=4).fit(X, Y)), wanted),
}
right = {name: [] for name in tasks}

def again():
    signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, 0.01))

def handler(*_):
    name = min(right, key=lambda name: len(right[name]))
    right[name].append(tasks[name]())
    again()

def interrupted(work):
    for done in right.values():
        done.clear()
    signal.signal(signal.SIGALRM, handler)
    again()
    while min(map(len, right.values())) < 6:
        assert work()
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert all(map(all, right.values())), right
"""


@pytest.mark.costly
@pytest.mark.parametrize("layer", LAYERS)
def test_a_handler_that_works(layer: str) -> None:
    code = """
print("in a fit", flush=True)
interrupted(lambda: same(results(trainer(epochs=20).fit(X, Y)), long))
print("in a prediction", flush=True)
many = np.tile(X, (20, 1))
wanted_many = other.predict_proba(many)
interrupted(lambda: np.array_equal(other.predict_proba(many), wanted_many))
print("in a prediction of one row", flush=True)
interrupted(lambda: np.array_equal(other.predict_proba(X[:1]), wanted[-2]))
print("in callbacks and beside fits of other threads", flush=True)
def fit_on():
    while not done:
        beside.append(same(results(trainer().fit(X, Y)), wanted))
done, beside = [], []
thread = threading.Thread(target=fit_on)
thread.start()
waiting = trainer(epochs=20, callbacks=lambda *_: time.sleep(0.001))
interrupted(lambda: same(results(waiting.fit(X, Y)), long))
done.append(True)
thread.join()
assert beside and all(beside)
"""
    run(SCRIPT + HANDLER + code, layer, timeout=60, NUMBA_NUM_THREADS="4")


@pytest.mark.threading
@pytest.mark.full
def test_a_handler_in_the_middle_of_a_compilation(tmp_path: Path) -> None:
    code = """
def handler(*_):
    kind = len(done) % 3
    if kind == 0:
        small = fastmlp.Trainer((), epochs=1, seed=0).fit(X, Y)
        small.predict(X[:1])
    elif kind == 1:
        fitted.predict_proba(X[:1])
    else:
        trainer(epochs=1).fit(X, Y)
    done.append(kind)
    signal.setitimer(signal.ITIMER_REAL, 0.005)  # not at regular times: they would nest without end

done = []
fitted = fastmlp.Trainer((300, 100), threads=1)
fitted.set_weights([np.ones((50, 300)), np.zeros(300), np.ones((300, 100)), np.zeros(100),
                    np.ones((100, 3)), np.zeros(3)])
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.1)
first = results(trainer().fit(X, Y))
signal.setitimer(signal.ITIMER_REAL, 0)
assert len(done) > 3, done
assert same(results(trainer().fit(X, Y)), first)
"""
    run(SCRIPT + code, timeout=200, NUMBA_CACHE_DIR=str(tmp_path))


@pytest.mark.costly
@pytest.mark.parametrize("layer", LAYERS)
def test_a_handler_that_raises(layer: str) -> None:
    """At any moment: the exception comes through at once, the next fit is as ever."""
    code = """
def handler(*_):
    raise TimeoutError

def alive():
    return sum(thread.is_alive() for thread in threading.enumerate())

fitted = trainer().fit(X, Y)
wanted = results(fitted)
many = np.tile(X, (20, 1))
signal.signal(signal.SIGALRM, handler)
works = {
    "fit": lambda: trainer(epochs=10_000).fit(X, Y),
    "predict": lambda: fitted.predict_proba(many),
    "predict a row": lambda: fitted.predict_proba(X[:1]),
}
for name, work in works.items():
    print(name, flush=True)
    for _ in range(30):
        delay = random.uniform(0.0005, 0.03)
        start = time.perf_counter()
        try:
            signal.setitimer(signal.ITIMER_REAL, delay)
            while True:
                work()
        except TimeoutError:
            pass
        assert time.perf_counter() - start < 5
    assert same(results(fitted), wanted) and same(results(trainer().fit(X, Y)), wanted)
# Nothing is held: a team comes together.
from fastmlp.kernels.runs import launch
assert not launch._launches.teams
# A thread whose start was interrupted is listed for ever, though it never lives.
deadline = time.perf_counter() + 5
while alive() > 1 and time.perf_counter() < deadline:
    time.sleep(0.01)
assert alive() == 1
"""
    run(SCRIPT + code, layer, timeout=60, NUMBA_NUM_THREADS="4")


# A first fit, as often as wanted, and what comes in between two of its lines.
FIRST_FITS = """
import gc
import threading
from numba.np.ufunc import parallel
from fastmlp.kernels.language import backend, jit

kernels = [one for one in gc.get_objects() if isinstance(one, jit.Kernel)]
engines = []

def forget():
    for kernel in kernels:
        kernel._addresses.clear()
    engines.append(backend._engine())  # what it has linked may still be called
    backend._engine.cache_clear()
    parallel._is_initialized, parallel._backend_init_process_lock = False, None

def fit():
    fitted = trainer(hidden=(300,), epochs=1).fit(X[:300, :5], Y[:300])
    return [*fitted.get_weights(), fitted.predict_proba(X[:20, :5])]

def fit_elsewhere():
    found = []
    thread = threading.Thread(target=lambda: found.append(fit()), daemon=True)
    thread.start()
    thread.join(20)
    return found[0] if found else []

def traced(spot, nth, act):
    def trace(frame, event, arg):
        path = frame.f_code.co_filename
        if not any(folder in path for folder in folders):
            return None
        if event == "line":
            here = (path, frame.f_lineno)
            seen[here] = seen.get(here, 0) + 1
            if here == spot and seen[here] == nth:
                act()
        return trace

    seen = {}
    sys.settrace(trace)
    try:
        fit()
    finally:
        sys.settrace(None)
    return seen

def stop():
    raise TimeoutError

def interrupted(spot, nth):
    try:
        traced(spot, nth, stop)
    except TimeoutError:
        return True
    return False

def again(spot, nth):
    found = []
    traced(spot, nth, lambda: found.append(same(fit(), wanted)))
    return found == [True]

def hit_every_line(act, times):
    forget()
    lines = traced(None, 0, None)
    hits = [(line, nth) for line, count in lines.items() for nth in range(1, min(count, times) + 1)]
    missed = 0
    for line, nth in hits:
        forget()
        missed += not act(line, nth)
        assert same(fit_elsewhere(), wanted), (line, nth)
        assert same(fit(), wanted), (line, nth)
    assert missed < len(hits) / 10
    print(len(hits), "hits", flush=True)

wanted = fit()
"""


# Every kernel seems to be compiled anew: the calling thread cannot tell.
FROM_NOTHING = """
import time

def keep(kernel, dtype):
    time.sleep(0.0005)
    return compiled[kernel.symbol(dtype)]

symbols = [kernel.symbol(dtype) for kernel in kernels for dtype in kernel._addresses]
compiled = {symbol: jit.load_object(symbol) for symbol in symbols}
jit.load_object = lambda symbol: None
jit.save_object = lambda symbol, code: None
jit.Kernel._compiled = keep
"""


@pytest.mark.threading
def test_an_exception_in_a_first_fit() -> None:
    """At any line that deals with Numba: no lock stays taken, and every thread goes on."""
    code = """
folders = ("/kernels/language/", "/runs/launch.py", "/runs/threads.py", "/numba/", "/llvmlite/")
hit_every_line(interrupted, 1)
"""
    run(SCRIPT + FIRST_FITS + code, timeout=60, NUMBA_NUM_THREADS="4")


@pytest.mark.full
@pytest.mark.parametrize(
    ("layer", "cache", "act", "times"),
    [
        ("omp", "", "interrupted", 3),
        ("workqueue", "", "interrupted", 1),
        ("tbb", "", "interrupted", 1),
        ("omp", FROM_NOTHING, "interrupted", 1),
        ("omp", "", "again", 1),
    ],
    ids=["omp", "workqueue", "tbb", "empty cache", "fits again"],
)
def test_any_line_of_a_first_fit(layer: str, cache: str, act: str, times: int) -> None:
    """A handler raises, or fits, at any line of the kernels' files and of Numba's."""
    code = f"""
folders = ("/fastmlp/kernels/", "/numba/", "/llvmlite/")
hit_every_line({act}, {times})
"""
    run(SCRIPT + FIRST_FITS + cache + code, layer, timeout=300, NUMBA_NUM_THREADS="4")


@pytest.mark.costly
@pytest.mark.parametrize("layer", LAYERS)
def test_a_last_save(layer: str, tmp_path: Path) -> None:
    """On SIGTERM the handler of a fit keeps the weights of the last epoch, and ends the process."""
    code = f"""
file = {str(tmp_path / "weights.npz")!r}

def handler(*_):
    np.savez(file, *fitting.get_weights(), accuracy=fitting.score(X, Y))
    trainer(epochs=1).fit(X, Y)
    sys.exit(0)

def after_some_epochs(trainer, epoch, logs):
    if epoch == 2:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()

signal.signal(signal.SIGTERM, handler)
fitting = trainer(epochs=100_000, callbacks=after_some_epochs)
try:
    fitting.fit(X, Y)
except SystemExit:
    kept, epochs = np.load(file), fitting.n_iter_
    weights = [kept[f"arr_{{i}}"] for i in range(6)]
    assert epochs > 2
    # It may have come before the epoch was counted.
    wanted = [trainer(epochs=n).fit(X, Y) for n in (epochs, epochs + 1)]
    wanted = [fitted for fitted in wanted if same(weights, fitted.get_weights())]
    assert len(wanted) == 1 and kept["accuracy"] == wanted[0].score(X, Y)
    raise
raise AssertionError("the fit was not ended")
"""
    run(SCRIPT + code, layer, timeout=60, NUMBA_NUM_THREADS="4")


def test_all_members_end_before_an_exception_shows() -> None:
    """Also if another one comes while the calling thread waits: they use the memory of the job."""

    class Slow(Job):
        def __init__(self) -> None:
            self._arguments = ()

        def _call(self, member: int) -> None:
            if threading.current_thread() is threading.main_thread():
                while len(began) < 2:
                    time.sleep(0.001)
                signal.setitimer(signal.ITIMER_REAL, 0.05)
                raise TimeoutError("first")
            began.append(member)
            time.sleep(0.2 * len(began))
            ended.append(member)

    def handler(*_: Any) -> None:
        raise TimeoutError("second")

    began: list[int] = []
    ended: list[int] = []
    before = signal.signal(signal.SIGALRM, handler)
    try:
        with pytest.raises(TimeoutError, match="second"):
            Slow()._run_in_python_threads(3, 3)
        assert sorted(ended) == sorted(began)
        assert len(ended) == 2
    finally:
        signal.signal(signal.SIGALRM, before)
