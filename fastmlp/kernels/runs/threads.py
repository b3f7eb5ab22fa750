"""How many threads this process may keep busy."""

import ctypes
import math
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numba
from numba.np.ufunc import parallel


def usable_threads(threads: int | None) -> int:
    """``threads``, by default as many as this process may keep busy, within Numba's own limit."""
    limit: int = numba.config.NUMBA_NUM_THREADS
    if threads is None:
        # Whoever has set a number of threads has started Numba's.
        masked = numba.get_num_threads() if getattr(parallel, "_is_initialized", True) else limit
        threads = min(processors(), cpu_quota(), masked, _openmp_setting())
    return max(1, min(threads, limit))


def processors() -> int:
    """Processors that this process may run on.

    An OpenMP library may have pinned the calling thread, but not all of them: the largest set that
    a thread may run on counts, and what that library knew when it did so.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    if affinity is None:
        return os.cpu_count() or 1
    most = len(affinity(0))
    if any(os.environ.get(name) for name in ("OMP_PROC_BIND", "GOMP_CPU_AFFINITY", "OMP_PLACES")):
        most = max([most, _openmp_processors(), *_affinities_of_threads()])
    return most


def _affinities_of_threads() -> Iterator[int]:
    try:
        threads = os.listdir("/proc/self/task")
    except OSError:
        return
    for thread in threads:
        try:
            yield len(os.sched_getaffinity(int(thread)))
        except (OSError, ValueError):  # the thread is gone
            continue


def _openmp_processors() -> int:
    """Processors in the places of GNU's OpenMP library, if it is loaded."""
    try:
        library = ctypes.CDLL("libgomp.so.1", mode=os.RTLD_NOLOAD | os.RTLD_NOW)
        places = range(library.omp_get_num_places())
        return sum(library.omp_get_place_num_procs(place) for place in places)
    except (OSError, AttributeError):
        return 0


def _openmp_setting() -> int:
    """OMP_NUM_THREADS; its first number, where there is one for each level of nesting."""
    found = re.match(r"\s*(\d+)\s*(,|$)", os.environ.get("OMP_NUM_THREADS", ""))
    return int(found[1]) if found and int(found[1]) > 0 else sys.maxsize


def cpu_quota(root: str = "/") -> int:
    """Processors' worth of time that the control groups of this process grant, rounded up."""
    quotas = [quota for folder in _group_folders(Path(root)) for quota in _quotas(folder)]
    return max(1, math.ceil(min(quotas, default=sys.maxsize)))


def _group_folders(root: Path) -> Iterator[Path]:
    """Folders of this process's group and those around it, of version 2 and of version 1.

    Inside a container the paths that the process is told may begin outside of what it sees.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup"
        if controllers:
            mount = next((m for m in (mount / controllers, mount / "cpu") if m.is_dir()), mount)
        group = mount / path.lstrip("/")
        yield group
        yield from (folder for folder in group.parents if mount in (folder, *folder.parents))


def _quotas(folder: Path) -> Iterator[float]:
    def words(name: str) -> list[str]:
        try:
            return (folder / name).read_text().split()
        except OSError:
            return []

    limits = [words("cpu.max"), words("cpu.cfs_quota_us") + words("cpu.cfs_period_us")]
    for limit in limits:
        if len(limit) == 2 and limit[0].isdigit() and limit[1].isdigit() and int(limit[1]) > 0:
            yield int(limit[0]) / int(limit[1])
