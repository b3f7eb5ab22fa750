"""Starting kernels from Python: compilation, how many threads, one parallel launch at a time."""

import ctypes
import os
import threading
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .epoch import train
from .jit import entry, jit_parallel
from .job import NAMES, NOT_IN_PLACE, POSITIONS
from .plan import Plan
from .predict import predict
from .sparsity import scan

# Compiling one kernel twice at once is a waste, and two parallel regions started at once from
# two Python threads abort the process under Numba's workqueue layer.
_COMPILATION = threading.Lock()
_PARALLEL_REGION = threading.Lock()

_C_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


def _train(memory, job, member):
    train(memory, job, member)


def _predict(memory, job, member):
    predict(memory, job, member)


def _scan(memory, job, member):
    scan(memory, job, member)


_KERNELS: dict[str, Callable[..., None]] = {"train": _train, "predict": _predict, "scan": _scan}


def usable_threads(threads: int | None) -> int:
    """``threads``, by default as many as the process may run on, within Numba's own limit."""
    if threads is None:
        affinity = getattr(os, "sched_getaffinity", None)
        threads = len(affinity(0)) if affinity else os.cpu_count() or 1
    limit: int = numba.config.NUMBA_NUM_THREADS
    return max(1, min(threads, limit))


def tables(plan: Plan) -> dict[str, Any]:
    """The tables of a plan, as arguments of a job."""
    return {
        "layers": plan.layers,
        "sizes": plan.sizes,
        "index": plan.index_table,
    }


@intrinsic
def _call(typing_context, address, memory, job, member):
    """Call the kernel at ``address``."""
    i = types.int64

    def emit(context, builder, sig, args):
        integer = args[0].type
        signature = ir.FunctionType(ir.VoidType(), [integer] * 3)
        function = builder.inttoptr(args[0], signature.as_pointer())
        builder.call(function, args[1:])
        return context.get_dummy_value()

    return types.void(i, i, i, i), emit


def _run_parallel(n_threads, address, memory, job):
    """The parallel region: every kernel, of every dtype, on up to ``n_threads`` threads."""
    for member in numba.prange(n_threads):
        _call(address, memory, job, numba.int64(member))


_compiled: dict[tuple[str, str], tuple[int, Callable[..., None]]] = {}
_regions: list[Callable[..., None]] = []


def _parallel_region() -> Callable[..., None]:
    """The parallel region; compiled, or loaded, at first."""
    with _COMPILATION:
        if not _regions:
            _regions.append(jit_parallel(_run_parallel, (types.int64,) * 4))
    return _regions[0]


def _kernel(name: str, dtype: np.dtype) -> tuple[int, Callable[..., None]]:
    """Address of a kernel, and a function that calls it; compiled, or loaded, at first."""
    kernel = _compiled.get((name, dtype.name))
    if kernel is None:
        if numba.config.DISABLE_JIT:
            raise RuntimeError("fastmlp has compiled kernels only: unset NUMBA_DISABLE_JIT")
        kind = types.float32 if dtype == np.float32 else types.float64
        with _COMPILATION:
            address = entry(_KERNELS[name], kind)
        kernel = _compiled[name, dtype.name] = address, _C_KERNEL(address)
    return kernel


def warmup(dtype: npt.DTypeLike = "float32") -> None:
    """Compile all kernels of a dtype, or load them from the cache.

    Otherwise the first fit and the first prediction do that. Worth a call where a server starts.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        Type in which the networks will compute.

    Raises
    ------
    ValueError
        For another dtype.
    """
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"dtype must be float32 or float64; got {dtype}")
    for name in _KERNELS:
        _kernel(name, dtype)
    _parallel_region()


class Job:
    """A kernel ("train", "predict" or "scan") with its memory and arguments, ready to run.

    Arguments are numbers and arrays.
    """

    def __init__(
        self, name: str, memory: npt.NDArray[np.floating], n_threads: int, **arguments: Any
    ) -> None:
        self._address, self._call = _kernel(name, memory.dtype)
        self._memory, self._n_threads = memory, n_threads
        self._vector = np.zeros(len(NAMES), np.int64)
        self._pointers = memory.ctypes.data, self._vector.ctypes.data
        self._arrays = arguments  # kept alive
        self.set(**arguments, n_threads=n_threads)

    def set(self, **arguments: Any) -> None:
        """Set arguments, by the names of ``job``; the caller keeps arrays alive."""
        for name, value in arguments.items():
            address = value.ctypes.data if isinstance(value, np.ndarray) else value
            self._vector[POSITIONS[name]] = address

    def set_rows(
        self, X: npt.NDArray[np.generic], order: npt.NDArray[np.int64], *, in_place: bool
    ) -> None:
        """Take rows ``order`` of X, if ``in_place`` from where they lie."""
        self.set(raw=X, is_uint8=X.dtype == np.uint8, order=order, n_rows=len(order))
        distance = self._vector[POSITIONS["raw"]] - self._pointers[0]
        self.set(input_offset=distance // X.itemsize if in_place else NOT_IN_PLACE)

    def run(self) -> None:
        """Run the kernel; the calling thread's own limit of Numba threads stays as it is."""
        if self._n_threads == 1:
            self._call(*self._pointers, 0)
            return
        run_parallel = _parallel_region()
        with _PARALLEL_REGION:
            mask = numba.get_num_threads()
            numba.set_num_threads(self._n_threads)
            try:
                run_parallel(self._n_threads, self._address, *self._pointers)
            finally:
                numba.set_num_threads(mask)
