"""Starting kernels from Python: on the calling thread alone, or on several at once."""

import ctypes
import os
import threading
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..language import backend
from ..language.backend import prange, types
from ..language.jit import c_function, kernel_of, parallel_kernel, plugin
from .plan import Plan
from .threads import free_threads, threading_layer


@plugin
def run_entry(memory_address: int, runs: int, member: int):
    """Run an entry kernel, which gets the records of all members."""


@parallel_kernel
def _region(n_threads: int, entry: int, memory_address: int, runs: int):
    """The parallel region, for any entry kernel and dtype, on up to ``n_threads`` threads."""
    for member in prange(n_threads):
        run_entry(entry, memory_address, runs, types.int64(member))


class _Launches:
    """Teams that are running in this process; a forked child starts with none."""

    def __init__(self, *, forked: bool) -> None:
        # Only the first claim gets a team; others do not wait, but run on one thread.
        self.teams: dict[object, None] = {}
        # GNU's OpenMP kills a forked child that starts its threads.
        self.forked = forked


_launches = _Launches(forked=False)


def _after_fork_in_child() -> None:
    global _launches
    _launches = _Launches(forked=True)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


class Job:
    """An entry kernel with its memory and records, ready to run.

    Its parameters are (memory, runs, member). If ``as_team``, its members share all work; otherwise
    each has its own part.
    """

    def __init__(
        self, entry: Any, plan: Plan, memory: npt.NDArray[np.floating], *, as_team: bool = False
    ) -> None:
        self._as_team, self._is_single = as_team, len(plan.runs) == 1
        self.plan, self.runs, self._memory = plan, plan.runs, memory
        self._dtype = backend.from_dtype(memory.dtype)
        self._address = self.address(entry)
        self._call = c_function(self._address, 3)
        self._arguments = memory.ctypes.data, plan.runs.ctypes.data
        # Converted once: of a prediction of one row that is 1 us of 26.
        self._call_alone = partial(self._call, *map(ctypes.c_int64, (*self._arguments, 0)))

    def address(self, kernel: Any) -> int:
        """Address of a kernel, which is compiled or loaded at first use."""
        return kernel_of(kernel).address(self._dtype)

    def choose(self, **kernels: Any) -> None:
        """Set fields of the run to the addresses of kernels."""
        self.set(**{name: self.address(kernel) for name, kernel in kernels.items()})

    def point(self, **arrays: npt.NDArray[Any]) -> None:
        """Set fields of the run to the addresses of arrays, which the caller keeps alive."""
        self.set(**{name: array.ctypes.data for name, array in arrays.items()})

    def keep(self, **arrays: npt.NDArray[Any]) -> None:
        """The same for arrays that the job itself keeps alive."""
        self._kept = list(arrays.values())
        self.point(**arrays)

    def set(self, **values: Any) -> None:
        """Set fields of the run: one value for all members, or one for each."""
        for name, value in values.items():
            self.runs[name] = value

    def set_rows(
        self, X: npt.NDArray[np.generic], order: npt.NDArray[np.int64], *, in_place: bool
    ) -> None:
        """Set the rows of X to process, in ``order``; ``in_place`` if kernels read them from X."""
        self.point(input=X, order=order)
        self.set(n_rows=len(order))
        if in_place:
            inputs = self.plan.layers[:, 0]
            offset = (X.ctypes.data - self._arguments[0]) // X.itemsize
            inputs["activations"] = inputs["outputs"] = offset

    def divide(self, n_rows: int) -> None:
        """Give each member a part of the rows, from ``run.first`` to ``run.last``."""
        bounds = np.arange(len(self.runs) + 1) * n_rows // len(self.runs)
        self.set(first=bounds[:-1], last=bounds[1:])

    def run(self, *, alone: bool = False) -> bool:
        """Run the entry kernel, on the calling thread ``alone`` or with a team of threads that
        are free.

        Returns
        -------
        bool
            Whether several threads were requested.
        """
        if self._is_single:
            self._call_alone()
            return False
        is_first, size = False, 1 if alone else free_threads(len(self.runs))
        if size > 1:
            launches, claim = _launches, object()
            # A signal handler may raise an exception after any call. Between acquire and try it
            # would leave a lock locked; this claim is withdrawn in any case.
            try:
                launches.teams[claim] = None
                is_first = list(launches.teams)[0] is claim  # noqa: RUF015, next may see a change
                if is_first:
                    self.runs["asked"] = size
                    self._run_together(size, launches.forked)
            finally:
                launches.teams.pop(claim, None)
        if not is_first:
            self._run_alone()
        return is_first

    def _run_alone(self) -> None:
        """Do all work of a team, or the part of each member, in the calling thread."""
        self.runs["asked"] = 1
        for member in range(1 if self._as_team else len(self.runs)):
            self._call(*self._arguments, member)

    def _run_together(self, size: int, forked: bool) -> None:
        parts = size if self._as_team else len(self.runs)
        # In a forked child a thread that no longer exists may hold Numba's locks. And Numba's
        # workqueue aborts the process when two parallel regions overlap, one perhaps of another
        # library.
        if forked or threading_layer() == "workqueue":
            self._run_in_python_threads(size, parts)
            return
        region = c_function(kernel_of(_region).address(), 4)
        # Not a function of Python: a further interrupt would come before its first line.
        mask, set_mask = backend.thread_mask(), backend.mask_setter()
        try:
            set_mask(size)
            region(parts, self._address, *self._arguments)
        finally:
            set_mask(mask)

    def _run_in_python_threads(self, size: int, parts: int) -> None:
        """Do the parts of the members in the calling thread and in threads of Python."""
        left = list(range(parts))
        busy = [threading.Lock() for _ in range(size - 1)]
        try:
            with suppress(RuntimeError):  # there may be no more threads
                for lock in busy:
                    arguments = left, lock
                    threading.Thread(target=self._run_members, args=arguments, daemon=True).start()
            self._run_members(left, threading.Lock())
        finally:
            # Wait for all, also if signal handlers raise: threads use the memory of the job.
            raised: BaseException | None = None
            while True:
                try:
                    left.clear()  # threads that start from now on have nothing to do
                    for lock in busy:
                        with lock:
                            pass
                    break
                except BaseException as error:
                    raised = error
            if raised is not None:
                raise raised

    def _run_members(self, left: list[int], busy: threading.Lock) -> None:
        with busy, suppress(IndexError):
            while True:
                self._call(*self._arguments, left.pop())
