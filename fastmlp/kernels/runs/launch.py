"""Starting kernels from Python: how many threads, one parallel region at a time."""

import os
import threading
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from ..language.jit import c_function, parallel_unit, plugin, unit_of
from .plan import Plan

# Two parallel regions started at once from two Python threads abort the process under Numba's
# workqueue layer.
_PARALLEL_REGION = threading.Lock()


@plugin
def run_kernel(memory_address, runs, member):
    """Run a kernel: a unit (memory, runs, member) that is given the records of all members."""


@parallel_unit
def _region(n_threads, kernel, memory_address, runs):
    """The parallel region: every kernel, of every dtype, on up to ``n_threads`` threads."""
    for member in numba.prange(n_threads):
        run_kernel(kernel, memory_address, runs, numba.int64(member))


def usable_threads(threads: int | None) -> int:
    """``threads``, by default as many as the process may run on, within Numba's own limit."""
    if threads is None:
        affinity = getattr(os, "sched_getaffinity", None)
        threads = len(affinity(0)) if affinity else os.cpu_count() or 1
    limit: int = numba.config.NUMBA_NUM_THREADS
    return max(1, min(threads, limit))


class Job:
    """A kernel with the memory and the records that it works on, ready to run.

    A kernel is a unit (memory, runs, member).
    """

    def __init__(self, kernel: Any, plan: Plan, memory: npt.NDArray[np.floating]) -> None:
        self.plan, self.runs, self._memory = plan, plan.runs, memory
        self._dtype = numba.from_dtype(memory.dtype)
        self._address = self.address(kernel)
        self._call = c_function(self._address, 3)
        self._arguments = memory.ctypes.data, plan.runs.ctypes.data

    def address(self, unit: Any) -> int:
        """Address of a unit; compiled, or loaded, at first."""
        return unit_of(unit).address(self._dtype)

    def choose(self, **units: Any) -> None:
        """Give fields of the run the addresses of units."""
        self.set(**{name: self.address(unit) for name, unit in units.items()})

    def point(self, **arrays: npt.NDArray[Any]) -> None:
        """Give fields of the run the addresses of arrays, which the caller keeps alive."""
        self.set(**{name: array.ctypes.data for name, array in arrays.items()})

    def set(self, **values: Any) -> None:
        """Set fields of the run: one value for all members, or one for each."""
        for name, value in values.items():
            self.runs[name] = value

    def set_rows(
        self, X: npt.NDArray[np.generic], order: npt.NDArray[np.int64], *, in_place: bool
    ) -> None:
        """Take rows ``order`` of X, if ``in_place`` from where they lie."""
        self.point(input=X, order=order)
        self.set(n_rows=len(order))
        if in_place:
            inputs = self.plan.layers[:, 0]
            offset = (X.ctypes.data - self._arguments[0]) // X.itemsize
            inputs["activations"] = inputs["outputs"] = offset

    def run(self) -> None:
        """Run the kernel; the calling thread's own limit of Numba threads stays as it is."""
        n_threads = len(self.runs)
        if n_threads == 1:
            self._call(*self._arguments, 0)
            return
        mask = numba.get_num_threads()  # starts Numba's threads, which the region is linked to
        region = c_function(unit_of(_region).address(), 4)
        with _PARALLEL_REGION:
            numba.set_num_threads(n_threads)
            try:
                region(n_threads, self._address, *self._arguments)
            finally:
                numba.set_num_threads(mask)
