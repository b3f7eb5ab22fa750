"""Number of threads that a run may use."""

import ctypes
import math
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from ..language import backend
from ..language.undisturbed import undisturbed

# Seconds for which a quota is taken to stay: reading it takes 0.14 ms, a tenth of a short fit.
_QUOTA_STAYS = 1.0
_known_quota = "", 0.0, 1  # root, until when it holds, and the quota

# Whether kernels called in this thread of Python use one thread.
_alone: ContextVar[bool] = ContextVar("alone", default=False)

# Fits that are going on in this process, each with its thread of Python; a forked child has none.
_fits: dict[object, int] = {}

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_fits.clear)


@contextmanager
def counted_as_fit() -> Iterator[None]:
    """Leave the calling thread a processor, beside fits of other threads, within this context."""
    fit = object()
    try:
        _fits[fit] = threading.get_ident()
        yield
    finally:
        _fits.pop(fit, None)


def free_threads(wanted: int) -> int:
    """How many of the ``wanted`` threads, at least one, fits of other threads leave free."""
    others = len(set(_fits.values()) - {threading.get_ident()})
    return max(1, min(wanted, usable_threads(None) - others)) if others else wanted


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Run kernels in the calling thread alone within this context."""
    token = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(token)


def usable_threads(threads: int | None) -> int:
    """``threads``, by default as many as this process may keep busy, within Numba's limit."""
    limit: int = 1 if _alone.get() else backend.thread_limit()
    if threads is None:
        threads = min(processors(), cpu_quota(), backend.thread_mask(), _openmp_setting())
    return max(1, min(threads, limit))


def threading_layer() -> str:
    """Numba's threading layer; starts its threads if necessary."""
    if not backend.threads_started():
        launch = undisturbed(backend.tbb_launcher)
        if launch is not None:  # only the thread that starts them can end them before a fork
            launch(backend.thread_limit())
        undisturbed(backend.start_threads)
    return backend.threading_layer()


def processors() -> int:
    """Processors that this process may run on.

    An OpenMP library that binds threads to places has bound the calling thread, too, so all its
    places count.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    if affinity is None:
        return os.cpu_count() or 1
    settings = "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"
    binds = any(os.environ.get(name) for name in settings)
    return (_openmp_processors() if binds else 0) or len(affinity(0))


def _openmp_processors() -> int:
    """Processors in the places of GNU's OpenMP library; 0 without it, or if it binds nothing."""
    threading_layer()  # loads the library
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
    """Processor quota of the control groups of this process, rounded up; read once a second."""
    global _known_quota
    now, (known, until, quota) = time.monotonic(), _known_quota
    if root != known or now >= until:
        quotas = [quota for folder in _group_folders(Path(root)) for quota in _quotas(folder)]
        quota = max(1, math.ceil(min(quotas, default=sys.maxsize)))
        _known_quota = root, now + _QUOTA_STAYS, quota
    return quota


def _group_folders(root: Path) -> Iterator[Path]:
    """Folders of this process's group and those around it, of version 2 and of version 1.

    Inside a container these paths may begin above the visible root.
    """
    try:
        lines = _text(root / "proc/self/cgroup").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if not path or (controllers and "cpu" not in controllers.split(",")):
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
            return _text(folder / name).split()
        except OSError:
            return []

    limits = [words("cpu.max"), words("cpu.cfs_quota_us") + words("cpu.cfs_period_us")]
    for limit in limits:
        if len(limit) == 2 and limit[0].isdecimal() and limit[1].isdecimal() and int(limit[1]) > 0:
            yield int(limit[0]) / int(limit[1])


def _text(file: Path) -> str:
    return os.fsdecode(file.read_bytes())
