"""The measured rate of multiply-adds, which no dense kernel on this machine can exceed.

Each thread runs 12 independent chains ``a = a * b + c`` on whole vectors, enough to hide the
latency of the instruction (4 or 5 cycles on 2 units); all operands stay in registers. No fit
imports this module.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt

from ..language.backend import from_dtype
from ..language.codegen import codegen
from ..language.jit import c_function, kernel, kernel_of
from ..language.parameters import Memory
from ..language.simd import lanes, loop

_CHAINS = 12
_STEPS = 20_000_000


@codegen
def _run_chains(e, memory, steps):
    """Chains from ``memory`` (_CHAINS + 2, lanes), which holds b, c and each a."""
    places = [e.at(memory, k * e.lanes) for k in range(_CHAINS + 2)]
    factor, summand, *values = map(e.load, places)

    def step(_, values):
        return [e.fma(value, factor, summand) for value in values]

    for value, place in zip(loop(e.builder, steps, values, step), places[2:], strict=True):
        e.store(value, place)


@kernel
def chains(memory: Memory, steps: int):
    """``steps`` multiply-adds on each of the vectors."""
    _run_chains(memory, steps)


def fma_rates(
    dtype: npt.DTypeLike = "float32", threads: int = 1, repetitions: int = 5
) -> list[float]:
    """GFLOP/s of ``threads`` threads together, in runs of less than 0.1 s.

    A multiply-add counts as two operations. The limit is the largest of the rates.
    """
    dtype = np.dtype(dtype)
    width = lanes(dtype.itemsize)
    # With |b| < 1 the chains converge to c / (1 - b): neither subnormal nor infinite.
    memories = [np.full((_CHAINS + 2) * width, 0.5, dtype) for _ in range(threads)]
    run = c_function(kernel_of(chains).address(from_dtype(dtype)), 2)
    starts = [partial(run, memory.ctypes.data) for memory in memories]
    operations = 2 * _CHAINS * width * _STEPS * threads
    rates = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(repetitions):
            start = time.perf_counter()
            list(pool.map(lambda chains: chains(_STEPS), starts))
            rates.append(operations / (time.perf_counter() - start) / 1e9)
    return rates
