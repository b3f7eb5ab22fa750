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
from .threads import threading_layer


@plugin
def run_entry(memory_address: int, runs: int, member: int):
    """Run an entry kernel, (memory, runs, member), which is given the records of all members."""


@parallel_kernel
def _region(n_threads: int, entry: int, memory_address: int, runs: int):
    """The parallel region: every entry kernel, of every dtype, on up to ``n_threads`` threads."""
    for member in prange(n_threads):
        run_entry(entry, memory_address, runs, types.int64(member))


class _Launches:
    """What this process has under way; a forked child starts anew."""

    def __init__(self, *, forked: bool) -> None:
        # One team at a time, the first that asks. No other waits: it works alone.
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
    """An entry kernel with the memory and the records that it works on, ready to run.

    It takes (memory, runs, member). Its members share all work if ``as_team``, else each has a part
    of its own.
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
        """Address of a kernel; compiled, or loaded, at first."""
        return kernel_of(kernel).address(self._dtype)

    def choose(self, **kernels: Any) -> None:
        """Give fields of the run the addresses of kernels."""
        self.set(**{name: self.address(kernel) for name, kernel in kernels.items()})

    def point(self, **arrays: npt.NDArray[Any]) -> None:
        """Give fields of the run the addresses of arrays, which the caller keeps alive."""
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
        """Work on rows ``order`` of X, if ``in_place`` where they lie."""
        self.point(input=X, order=order)
        self.set(n_rows=len(order))
        if in_place:
            inputs = self.plan.layers[:, 0]
            offset = (X.ctypes.data - self._arguments[0]) // X.itemsize
            inputs["activations"] = inputs["outputs"] = offset

    def run(self, *, alone: bool = False) -> bool:
        """Run the entry kernel, on the calling thread ``alone`` or with a team if one is free.

        Returns
        -------
        bool
            Whether several threads were asked.
        """
        if self._is_single:
            self._call_alone()
            return False
        is_first = False
        if not alone:
            launches, claim = _launches, object()
            # An exception of a signal handler may come in after any call: a lock would stay taken
            # where it comes between acquire and try. This claim is given back by one call.
            try:
                launches.teams[claim] = None
                is_first = list(launches.teams)[0] is claim  # noqa: RUF015, next may see a change
                if is_first:
                    self.runs["asked"] = len(self.runs)
                    self._run_together(launches.forked)
            finally:
                launches.teams.pop(claim, None)
        if not is_first:
            self._run_alone()
        return is_first

    def _run_alone(self) -> None:
        """By the calling thread: the whole of what a team shares, or each member's part."""
        self.runs["asked"] = 1
        for member in range(1 if self._as_team else len(self.runs)):
            self._call(*self._arguments, member)

    def _run_together(self, forked: bool) -> None:
        # Numba's locks may be held in a forked child by a thread that is gone. And its own layer of
        # threads aborts the process when two regions meet in it: another library may have started
        # one.
        if forked or threading_layer() == "workqueue":
            self._run_in_python_threads()
            return
        region = c_function(kernel_of(_region).address(), 4)
        mask = backend.thread_mask()
        try:
            backend.set_thread_mask(len(self.runs))
            region(len(self.runs), self._address, *self._arguments)
        finally:
            backend.set_thread_mask(mask)

    def _run_in_python_threads(self) -> None:
        """The calling thread and others do the part of one member after the other."""
        left = list(range(len(self.runs)))
        busy = [threading.Lock() for _ in left[1:]]
        try:
            with suppress(RuntimeError):  # there may be no more threads
                for lock in busy:
                    arguments = left, lock
                    threading.Thread(target=self._run_members, args=arguments, daemon=True).start()
            self._run_members(left, threading.Lock())
        finally:
            left.clear()  # threads that start from now on have nothing to do
            for lock in busy:
                _wait_for(lock)

    def _run_members(self, left: list[int], busy: threading.Lock) -> None:
        with busy, suppress(IndexError):
            while True:
                self._call(*self._arguments, left.pop())


def _wait_for(busy: threading.Lock) -> None:
    """Until it is free, even if a signal handler raises: its holder works on our memory."""
    raised, waiting = None, True
    while waiting:
        try:
            with busy:
                waiting = False
        except BaseException as error:
            raised = error
    if raised is not None:
        raise raised
