"""How many threads a run asks for: what the process may use, and what it has been told to use."""

import os
import sys
import threading
from pathlib import Path

import pytest

from fastmlp.kernels.runs import threads
from fastmlp.kernels.runs.threads import (
    counted_as_fit,
    cpu_quota,
    free_threads,
    processors,
    usable_threads,
)
from tests.helpers.basics import needs_compiler
from tests.helpers.processes import LAYERS, run

needs_affinity = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system has no affinities"
)

# --------------------------------------------------------------------------------- control groups

NONE = sys.maxsize

# What the process is told of its groups, the limits that are seen, and the processors they grant.
V2 = "0::/a/b\n"
V1 = "4:memory:/a/b\n3:cpuset:/\n2:cpu,cpuacct:/a/b\n1:name=systemd:/a/b\n"
GROUPS: dict[str, tuple[str, dict[str, str], int]] = {
    "none": (V2, {}, NONE),
    "version 2": (V2, {"a/b/cpu.max": "200000 100000\n"}, 2),
    "rounded up": (V2, {"a/b/cpu.max": "150000 100000\n"}, 2),
    "less than one": (V2, {"a/b/cpu.max": "50000 100000\n"}, 1),
    "next to nothing": (V2, {"a/b/cpu.max": "0 100000\n"}, 1),
    "another period": (V2, {"a/b/cpu.max": "30000 10000\n"}, 3),
    "unlimited": (V2, {"a/b/cpu.max": "max 100000\n"}, NONE),
    "an ancestor is tighter": (
        V2, {"a/b/cpu.max": "400000 100000\n", "a/cpu.max": "300000 100000\n"}, 3,
    ),
    "an ancestor is wider": (
        V2, {"a/b/cpu.max": "300000 100000\n", "a/cpu.max": "400000 100000\n"}, 3,
    ),
    "an ancestor alone": (V2, {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "200000 100000\n"}, 2),
    "the root of a container": ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
    "a path of the host": (V2, {"cpu.max": "200000 100000\n"}, 2),
    "a path above the root": ("0::/../a\n", {"cpu.max": "200000 100000\n"}, 2),
    "a colon in the path": ("0::/a:b\n", {"a:b/cpu.max": "200000 100000\n"}, 2),
    "somebody else's group": (V2, {"c/cpu.max": "100000 100000\n"}, NONE),
    "empty": (V2, {"a/b/cpu.max": ""}, NONE),
    "malformed": (V2, {"a/b/cpu.max": "many 100000\n", "a/cpu.max": "200000 100000\n"}, 2),
    "no period": (V2, {"a/b/cpu.max": "200000\n"}, NONE),
    "a period of zero": (V2, {"a/b/cpu.max": "200000 0\n"}, NONE),
    "negative": (V2, {"a/b/cpu.max": "-200000 100000\n"}, NONE),
    "not text": (V2, {"a/b/cpu.max": "\udcff\udcfe 100000"}, NONE),
    "malformed lines": ("\n:\nwhat\n0::/a/b\n", {"a/b/cpu.max": "200000 100000\n"}, 2),
    "version 1": (
        V1, {"cpu,cpuacct/a/b/cpu.cfs_quota_us": "250000\n",
             "cpu,cpuacct/a/b/cpu.cfs_period_us": "100000\n"}, 3,
    ),
    "version 1 under one name": (
        V1, {"cpu/a/b/cpu.cfs_quota_us": "200000\n", "cpu/a/b/cpu.cfs_period_us": "100000\n"}, 2,
    ),
    "version 1 alone in its mount": (
        "1:cpu:/a\n", {"cpu/a/cpu.cfs_quota_us": "200000\n", "cpu/a/cpu.cfs_period_us": "100000\n"},
        2,
    ),
    "version 1, unlimited": (
        V1, {"cpu,cpuacct/a/b/cpu.cfs_quota_us": "-1\n",
             "cpu,cpuacct/a/b/cpu.cfs_period_us": "100000\n"}, NONE,
    ),
    "version 1, an ancestor": (
        V1, {"cpu,cpuacct/a/b/cpu.cfs_quota_us": "-1\n",
             "cpu,cpuacct/a/b/cpu.cfs_period_us": "100000\n",
             "cpu,cpuacct/a/cpu.cfs_quota_us": "50000\n",
             "cpu,cpuacct/a/cpu.cfs_period_us": "50000\n"}, 1,
    ),
    "version 1, a path of the host": (
        V1, {"cpu,cpuacct/cpu.cfs_quota_us": "200000\n",
             "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, 2,
    ),
    "version 1, another controller's group": (
        "2:cpuset:/a\n1:cpu:/b\n",
        {"cpu/a/cpu.cfs_quota_us": "100000\n", "cpu/a/cpu.cfs_period_us": "100000\n"}, NONE,
    ),
    "both, the limit in version 1": (
        "1:cpu,cpuacct:/a\n0::/a\n",
        {"cpu,cpuacct/a/cpu.cfs_quota_us": "200000\n",
         "cpu,cpuacct/a/cpu.cfs_period_us": "100000\n", "unified/a/cgroup.procs": ""}, 2,
    ),
    "both, the limit in version 2": (
        "1:memory:/a\n0::/a\n", {"a/cpu.max": "200000 100000\n", "memory/a/tasks": ""}, 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", GROUPS)
def test_quota(case: str, tmp_path: Path) -> None:
    told, limits, wanted = GROUPS[case]
    write(tmp_path / "proc/self/cgroup", told)
    for name, text in limits.items():
        write(tmp_path / "sys/fs/cgroup" / name, text)
    assert cpu_quota(str(tmp_path)) == wanted


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode(errors="surrogateescape"))


def test_no_proc(tmp_path: Path) -> None:
    write(tmp_path / "sys/fs/cgroup/cpu.max", "100000 100000\n")
    assert cpu_quota(str(tmp_path)) == NONE


def test_this_machine() -> None:
    assert cpu_quota() >= 1
    assert 1 <= processors() <= (os.cpu_count() or 1)
    assert 1 <= usable_threads(None) <= processors()


# --------------------------------------------------------------------- what the process was told

# As on a machine with 6 processors and no quota, where Numba would start 8 threads.
SIX = """
import os
import numba
from fastmlp.kernels.runs import threads
from fastmlp.kernels.runs.threads import usable_threads

threads.processors = lambda: 6
threads.cpu_quota = lambda: quota
quota = 99

def under(**settings):
    os.environ.update(settings)
    count = usable_threads(None)
    for name in settings:
        del os.environ[name]
    return count
"""


def test_settings_are_looked_at_each_time() -> None:
    code = """
assert usable_threads(None) == 6
settings = {"1": 1, "2,1": 2, " 3 ": 3, "4": 4, "9": 6, "": 6, "abc": 6, "0": 6, "-1": 6, "2x": 6}
for text, wanted in settings.items():
    assert under(OMP_NUM_THREADS=text) == wanted, text
quota = 2
assert usable_threads(None) == 2
assert under(OMP_NUM_THREADS="4") == 2
quota = 99
assert not numba.np.ufunc.parallel._is_initialized  # asking starts nothing
"""
    run(SIX + code, NUMBA_NUM_THREADS="8")


def test_a_number_that_is_asked_for_wins() -> None:
    code = """
quota = 2
os.environ["OMP_NUM_THREADS"] = "1"
numba.set_num_threads(1)
assert [usable_threads(count) for count in (1, 2, 7, 8, 9)] == [1, 2, 7, 8, 8]
"""
    run(SIX + code, NUMBA_NUM_THREADS="8")


def test_numbas_limit() -> None:
    code = "assert [usable_threads(count) for count in (None, 1, 2, 3)] == [2, 1, 2, 2]"
    run(SIX + code, NUMBA_NUM_THREADS="2")


@pytest.mark.threading
@needs_compiler
def test_numbas_mask_is_that_of_the_thread_that_fits() -> None:
    code = """
from threading import Thread

numba.set_num_threads(3)
counts = [usable_threads(None)]
other = Thread(target=lambda: counts.append(usable_threads(None)))
other.start()
other.join()
numba.set_num_threads(8)
counts.append(usable_threads(None))
assert counts == [3, 6, 6], counts
"""
    run(SIX + code, NUMBA_NUM_THREADS="8")


# Prints with how many threads runs are planned, fit by fit.
FITS = """
import ctypes
import os
import sys
import numpy as np

def fits(count, threads=None):
    import fastmlp
    from fastmlp.fitting import memory
    def spy(threads):
        counts.append(usable(threads))
        return counts[-1]
    usable, counts = memory.usable_threads, []
    memory.usable_threads = spy
    X, Y = np.ones((300, 100), np.float32), np.arange(300) % 3
    for _ in range(count):
        trainer = fastmlp.Trainer(200, epochs=1, seed=0, threads=threads).fit(X, Y)
        trainer.predict(np.ones((20_000, 100), np.float32))
    memory.usable_threads = usable
    return counts
"""


@pytest.mark.threading
@needs_compiler
@needs_affinity
def test_affinity() -> None:
    """It is looked at for each fit."""
    code = """
allowed = os.sched_getaffinity(0)
before = fits(1)
os.sched_setaffinity(0, {min(allowed)})
one = fits(2)
os.sched_setaffinity(0, allowed)
assert (before, one, fits(1)) == ([len(allowed)], [1, 1], [len(allowed)])
"""
    run(FITS + "import fastmlp.kernels.runs.threads as t; t.cpu_quota = lambda: 99\n" + code)


@pytest.mark.threading
@needs_compiler
@needs_affinity
def test_affinity_before_the_start() -> None:
    code = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nassert fits(2) == [1, 1]"
    run(FITS + code)


BINDING = {
    "OMP_PROC_BIND": {"OMP_PROC_BIND": "true"},
    "OMP_PLACES": {"OMP_PLACES": "threads"},
    "GOMP_CPU_AFFINITY": {"GOMP_CPU_AFFINITY": "0-1"},
    "one processor": {"GOMP_CPU_AFFINITY": "0"},
}

# Other users of OpenMP who come first.
NUMBA_FIRST = """
import numba

@numba.njit(parallel=True)
def region(n):
    total = 0
    for i in numba.prange(n):
        total += i
    return total

region(9)
"""
GOMP_FIRST = """
try:
    library = ctypes.CDLL("libgomp.so.1")
except OSError:
    sys.exit()
BODY = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
body = BODY(lambda _: None)
library.GOMP_parallel(body, None, 2, 0)
"""


@pytest.mark.costly
@needs_compiler
@needs_affinity
@pytest.mark.parametrize(
    ("first", "binding"),
    [
        *[("", binding) for binding in BINDING],
        (NUMBA_FIRST, "OMP_PROC_BIND"), (NUMBA_FIRST, "GOMP_CPU_AFFINITY"),
        (GOMP_FIRST, "OMP_PROC_BIND"),
    ],
)  # fmt: skip
def test_a_library_that_binds_threads(first: str, binding: str) -> None:
    """As many threads in the first fit as in all later ones."""
    code = """
import fastmlp.kernels.runs.threads as t
t.cpu_quota = lambda: 99
counts = fits(3)
print(*counts)
"""
    allowed = os.sched_getaffinity(0)
    if not {0, 1} <= allowed:
        pytest.skip("this process may not run on both processors")
    counts = run(FITS + first + code, "omp", **BINDING[binding]).split()
    assert len(set(counts)) <= 1, counts
    if counts and first != GOMP_FIRST:  # which binds before Numba asks
        many = {"one processor": 1, "GOMP_CPU_AFFINITY": 2}.get(binding, len(allowed))
        assert counts[0] == str(many)


# ------------------------------------------------------------------------ the caller's thread mask


@pytest.mark.costly
@needs_compiler
@pytest.mark.parametrize("layer", LAYERS)
def test_the_callers_mask_is_left_alone(layer: str) -> None:
    code = """
import signal
import threading
import time
import numba

def handler(*_):
    raise TimeoutError

signal.signal(signal.SIGALRM, handler)
for mask in (1, 3, 4):
    numba.set_num_threads(mask)
    assert fits(2, threads=4) == [4, 4]
    assert numba.get_num_threads() == mask
    for _ in range(3):
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        try:
            fits(10_000, threads=4)
        except TimeoutError:
            assert numba.get_num_threads() == mask
        else:
            raise AssertionError("not interrupted")
"""
    run(FITS + code, layer, NUMBA_NUM_THREADS="4")


# ------------------------------------------------------------------------- fits of other threads


def others_free(wanted: int) -> int:
    """What another thread finds free."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(free_threads(wanted)))
    thread.start()
    thread.join()
    return found[0]


def test_fits_of_other_threads_have_a_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "usable_threads", lambda number: 4)
    assert others_free(4) == free_threads(4) == 4
    with counted_as_fit():
        assert free_threads(4) == 4  # its own
        assert [others_free(n) for n in (1, 2, 3, 4, 8)] == [1, 2, 3, 3, 3]
        with counted_as_fit():  # a fit in a callback
            assert others_free(4) == 3
        assert others_free(4) == 3
    with pytest.raises(KeyError), counted_as_fit():
        raise KeyError
    assert others_free(4) == 4


def test_there_is_one_thread_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "usable_threads", lambda number: 1)
    with counted_as_fit():
        assert others_free(4) == 1


@pytest.mark.threading
def test_a_child_has_no_fits_of_its_parent() -> None:
    run(
        """
import os, threading
from fastmlp.kernels.runs import threads
threads.usable_threads = lambda number: 4

def in_child():
    os._exit(threads.free_threads(4))

with threads.counted_as_fit():
    pid = os.fork()
    if pid == 0:
        thread = threading.Thread(target=in_child)
        thread.start()
        thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 4
"""
    )
