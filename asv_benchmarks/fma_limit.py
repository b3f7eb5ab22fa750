"""Measure the rate of multiply-adds, which no dense kernel on this machine can exceed.

Each thread runs 12 independent chains ``a = a * b + c`` on whole vectors, enough to hide the
latency of the instruction (4 or 5 cycles on 2 units); all operands stay in registers.
``python -m asv_benchmarks.fma_limit`` prints the rate.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from asv_benchmarks import options

ACCUMULATORS = 12
_STEPS = 20_000_000
_REPETITIONS = 5
_INT = ir.IntType(64)


def _emit_chains(builder: ir.IRBuilder, kind: ir.Type, width: int, memory: Any, steps: Any) -> None:
    """Load b, c and the accumulators from ``memory``, run the chains, store the accumulators."""
    vector = ir.VectorType(kind, width)
    suffix = "f32" if isinstance(kind, ir.FloatType) else "f64"
    fma = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{width}{suffix}"
    )

    def place(k: int) -> Any:
        address = builder.gep(memory, [ir.Constant(_INT, k * width)])
        return builder.bitcast(address, vector.as_pointer())

    operands = [builder.load(place(k), align=4) for k in range(ACCUMULATORS + 2)]
    factor, summand, *sums = operands
    before = builder.block
    body = builder.append_basic_block("chains")
    after = builder.append_basic_block("end")
    builder.branch(body)
    builder.position_at_end(body)
    step = builder.phi(_INT)
    step.add_incoming(ir.Constant(_INT, 0), before)
    phis = [builder.phi(vector) for _ in sums]
    new = [builder.call(fma, [phi, factor, summand]) for phi in phis]
    for phi, first, following in zip(phis, sums, new, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(following, body)
    done = builder.add(step, ir.Constant(_INT, 1))
    step.add_incoming(done, body)
    builder.cbranch(builder.icmp_signed("<", done, steps), body, after)
    builder.position_at_end(after)
    for k, value in enumerate(new):
        builder.store(value, place(k + 2), align=4)


@cache
def _chains(width: int) -> Callable[[npt.NDArray[Any], int], None]:
    """Compiled ``run(memory, steps)`` on vectors of ``width``, which releases the GIL."""

    def type_chains(typing_context: Any, memory: Any, steps: Any) -> Any:
        def emit(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
            data = context.make_array(sig.args[0])(context, builder, args[0]).data
            kind = context.get_data_type(sig.args[0].dtype)
            _emit_chains(builder, kind, width, data, args[1])
            return context.get_dummy_value()

        return types.void(memory, types.int64), emit

    chains = intrinsic(type_chains)

    def run(memory: Any, steps: int) -> None:
        chains(memory, steps)

    compiled: Callable[[npt.NDArray[Any], int], None] = numba.njit(nogil=True)(run)
    return compiled


def _lanes(itemsize: int) -> int:
    """Elements in a vector, from a function that has been in two modules."""
    for module in ("fastmlp.kernels.language.simd", "fastmlp.kernels.simd"):
        with suppress(ModuleNotFoundError):
            return int(import_module(module).lanes(itemsize))
    raise ImportError("this version of fastmlp does not tell the width of a vector")


def fma_limit(dtype: npt.DTypeLike = "float32", threads: int = 1) -> float:
    """Measured rate of fused multiply-adds, each counted as two operations.

    Parameters
    ----------
    dtype : {"float32", "float64"}
    threads : int, default 1
        Threads that run at the same time, one per core.

    Returns
    -------
    float
        GFLOP/s of all threads together, the best of several runs of less than 0.1 s.

    Raises
    ------
    ImportError
        If this version of fastmlp has no function for the width of a vector.
    """
    dtype = np.dtype(dtype)
    width = _lanes(dtype.itemsize)
    run = _chains(width)
    # With |b| < 1 the chains converge to c / (1 - b): neither subnormal nor infinite.
    memories = [np.full((ACCUMULATORS + 2) * width, 0.5, dtype) for _ in range(threads)]
    operations = 2 * ACCUMULATORS * width * _STEPS * threads
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda memory: run(memory, 1), memories))  # compiled, and threads started
        for _ in range(_REPETITIONS):
            start = time.perf_counter()
            list(pool.map(lambda memory: run(memory, _STEPS), memories))
            best = max(best, operations / (time.perf_counter() - start) / 1e9)
    return best


def main() -> None:
    parser = options.parser_of(__file__, __doc__)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    options.add_count(parser, "--threads", options.processors(), "that run at the same time")
    args = parser.parse_args()
    limit = fma_limit(args.dtype, args.threads)
    print(f"{limit:.1f} GFLOP/s {args.dtype}, threads: {args.threads}")


if __name__ == "__main__":
    main()
