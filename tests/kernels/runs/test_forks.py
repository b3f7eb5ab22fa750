"""Forked children train to the same weights and predict, whatever the parent was at."""

import os
from pathlib import Path

import pytest

from tests.helpers.basics import needs_compiler
from tests.helpers.processes import LAYERS, run

pytestmark = [
    needs_compiler,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
]

# A child that takes longer than 30 s is killed, and then not right.
SCRIPT = """
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
import numpy as np
import fastmlp

warnings.filterwarnings("ignore", message=".*multi-threaded", category=DeprecationWarning)
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(600, 50)).astype(np.float32), rng.integers(3, size=600)

def trainer(**options):
    return fastmlp.Trainer((300, 100), **{"threads": 4, "epochs": 2, "seed": 0, **options})

def results(**options):
    fitted = trainer(**options).fit(X, Y)
    scores = np.array(list(fitted.evaluate(X, Y).values()))
    return [*fitted.get_weights(), fitted.predict_proba(X), fitted.predict(X[:1]), scores]

def same():
    return all(map(np.array_equal, results(), wanted))

def child(do):
    process = os.fork()
    if process == 0:
        right = False
        try:
            signal.alarm(30)
            right = do()
        finally:
            os._exit(not right)
    return os.waitpid(process, 0)[1] == 0

def in_thread(function):
    result = []
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    thread.join()
    return result[0]
"""
WANTED = """
wanted = results(threads=1)  # which starts no threads
"""

# One after another in one process: in the first ones Numba has not started its threads.
SCENARIOS = {
    "nothing has run": "assert child(same)",
    "a warmup": """
fastmlp.warmup(trainer(threads=None), n_features=50, n_classes=3)
assert child(same)
""",
    "a child": "assert same() and child(same) and same()",
    "a grandchild": "assert child(lambda: same() and child(same)) and same()",
    "a grandchild, the child did nothing": "assert child(lambda: child(same))",
    "a child of another thread": """
assert in_thread(same) and in_thread(lambda: child(same))
assert child(lambda: in_thread(same)) and same()
""",
    "by a callback": """
def callback(*_):
    right.append(child(same))
right = []
fitted = trainer(callbacks=callback).fit(X, Y)
assert right == [True, True] and all(map(np.array_equal, fitted.get_weights(), wanted))
""",
    "by a callback, and both go on": """
def callback(*_):
    if not processes:
        processes.append(os.fork())
processes = []
fitted = trainer(callbacks=callback).fit(X, Y)
right = all(map(np.array_equal, fitted.get_weights(), wanted)) and same()
if processes[0] == 0:
    os._exit(not right)
assert right and os.waitpid(processes[0], 0)[1] == 0
""",
    "while another thread fits and predicts": """
def work():
    while not done:
        right.append(same())
done, right = [], []
thread = threading.Thread(target=work)
thread.start()
for _ in range(10):
    assert child(same)
    time.sleep(0.01)
assert in_thread(lambda: child(same))
done.append(True)
thread.join()
assert right and all(right)
""",
    "of a trainer that another thread fits": """
def work():
    while not done:
        shared.fit(X, Y)
def use():
    before = shared.predict(X)  # after one epoch, or two
    shared.fit(X, Y)  # the thread that fits it is not in this process
    return len(before) == len(X) and all(map(np.array_equal, shared.get_weights(), wanted))
done, shared = [], trainer().fit(X, Y)
thread = threading.Thread(target=work)
thread.start()
for _ in range(5):
    assert child(use)
done.append(True)
thread.join()
""",
    "a pool": """
def work(_):
    return same()
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map_async(work, range(4)).get(30) == [True] * 4
assert same()
""",
}


@pytest.mark.costly
@pytest.mark.parametrize("layer", LAYERS)
def test_children(layer: str) -> None:
    parts = [f"print({name!r}, flush=True)\n{code}" for name, code in SCENARIOS.items()]
    run("\n".join([SCRIPT, WANTED, *parts]), layer, timeout=120, NUMBA_NUM_THREADS="4")


JOBLIB = """
from joblib import Parallel, delayed

def scores(seed, threads):
    from fastmlp.kernels.runs.threads import usable_threads
    fitted = trainer(seed=seed, threads=threads).fit(X, Y)
    accuracy = fitted.score(X[::2], Y[::2])
    return [*fitted.get_weights(), fitted.predict_proba(X), accuracy, usable_threads(None)]

def all_scores(n_jobs, threads, backend=None):
    jobs = (delayed(scores)(seed, threads) for seed in range(4))
    return Parallel(n_jobs=n_jobs, backend=backend)(jobs)

def assert_same(one, other):
    for mine, yours in zip(one, other, strict=True):
        assert all(map(np.array_equal, mine[:-1], yours[:-1]))

first = all_scores(1, None)
"""


@pytest.mark.threading
@pytest.mark.full
def test_joblib() -> None:
    """Two workers do not ask for more threads together than there are processors."""
    code = """
second = all_scores(2, None)
assert_same(second, first)
processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
assert all(threads <= max(1, processors // 2) for *_, threads in second)
"""
    run(SCRIPT + JOBLIB + code)


@pytest.mark.full
@pytest.mark.parametrize("layer", LAYERS)
def test_other_backends_of_joblib(layer: str) -> None:
    code = """
for threads in (4, None):
    assert_same(all_scores(2, threads, "threading"), first)
    assert_same(all_scores(2, threads, "multiprocessing"), first)
"""
    run(SCRIPT + JOBLIB + code, layer, NUMBA_NUM_THREADS="4")


@pytest.mark.threading
@pytest.mark.full
def test_in_the_middle_of_a_compilation(tmp_path: Path) -> None:
    """By another thread, and by a signal handler of the thread that waits for it."""
    code = """
def cold():
    return len(fastmlp.Trainer((), epochs=1).fit(X, Y).predict(X)) == 600

def handler(*_):
    children.append(child(cold))

children = []
signal.signal(signal.SIGUSR1, handler)
for turn in range(3):
    threading.Timer(0.3 * turn + 0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()
thread = threading.Thread(target=cold)
thread.start()
for _ in range(3):
    time.sleep(0.1)
    children.append(child(cold))
assert cold()
thread.join()
assert len(children) == 6 and all(children), children
"""
    run(SCRIPT + code, timeout=200, NUMBA_CACHE_DIR=str(tmp_path))
