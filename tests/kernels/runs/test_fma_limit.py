"""The measured rate of multiply-adds."""

from itertools import count
from typing import Any

import numpy as np
import pytest

from fastmlp.kernels.language.backend import from_dtype
from fastmlp.kernels.language.jit import c_function, kernel_of
from fastmlp.kernels.language.simd import lanes
from fastmlp.kernels.runs import fma_limit
from tests.helpers.basics import needs_compiler
from tests.helpers.processes import run

pytestmark = needs_compiler


def test_chains(dtype: Any) -> None:
    """14 vectors: b and c, which stay, and 12 chains a = a * b + c."""
    width = lanes(dtype.itemsize)
    memory = np.linspace(-1, 1, 15 * width).astype(dtype).reshape(15, width)
    b, c, *a = memory.astype(np.float64)
    for _ in range(5):
        a[:12] = [value * b + c for value in a[:12]]
    call = c_function(kernel_of(fma_limit.chains).address(from_dtype(dtype)), 2)
    assert call(memory.ctypes.data, 5) == 0
    np.testing.assert_allclose(memory, [b, c, *a], rtol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("threads", [1, 3])
def test_rates(threads: int, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that advances by a second for each run."""
    monkeypatch.setattr(fma_limit, "_STEPS", 1_000)
    monkeypatch.setattr(fma_limit.time, "perf_counter", count().__next__)
    rates = fma_limit.fma_rates(dtype, threads, repetitions=4)
    operations = 2 * 12 * lanes(dtype.itemsize) * 1_000 * threads
    assert rates == [operations / 1e9] * 4


def test_only_the_command_imports_it() -> None:
    """``fastmlp warmup`` compiles all kernels that are imported."""
    assert run("import sys, fastmlp.cli; print(*sys.modules)").count("fma_limit") == 0
