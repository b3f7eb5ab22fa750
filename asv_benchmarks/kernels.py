"""How fast are the vector tiles alone, on operands in the caches?

The tiles are not public: these benchmarks are skipped on commits with other tiles.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

try:
    from fastmlp.kernels.language.jit import c_function, kernel_of
    from fastmlp.kernels.language.simd import lanes
    from fastmlp.kernels.products.inner import inner
    from fastmlp.kernels.products.tiles import OUTER
except ImportError:  # before tiles were kernels, or after they moved
    OUTER = {}

CALLS = 100
# The forward product of one panel of 784-128-10, batch 32; and as much work for the inner tile.
ROWS, DEPTH, VECTORS = 32, 784, 4
COLUMNS, PANELS = 32, 8


def runner(kernel: Any, memory: npt.NDArray[Any], *numbers: int) -> Callable[[], None]:
    """Return a function that calls a kernel CALLS times, with its tuples written out."""
    address = kernel_of(kernel).address(numba.from_dtype(memory.dtype))
    call = c_function(address, 1 + len(numbers))
    arguments = memory.ctypes.data, *numbers

    def run() -> None:
        for _ in range(CALLS):
            call(*arguments)

    return run


def filled(size: int, dtype: str) -> npt.NDArray[Any]:
    return np.random.default_rng(0).standard_normal(size, np.dtype(dtype))


@cache
def outer_runner(dtype: str) -> tuple[Callable[[], None], Any]:
    """C[j, :] = sum_i A[i, j] * B[i, :], C of 32 rows of 4 vectors, i < 784."""
    columns = VECTORS * lanes(np.dtype(dtype).itemsize)
    a0 = ROWS * columns
    b0 = a0 + ROWS * DEPTH
    base0 = b0 + DEPTH * columns
    memory = filled(base0 + columns, dtype)
    steps, row_offsets = np.arange(DEPTH), np.arange(ROWS) * DEPTH
    run = runner(
        OUTER[VECTORS], memory, 0, columns, base0, 0,
        a0, steps.ctypes.data, row_offsets.ctypes.data, b0, columns, ROWS, DEPTH, 0, 0,
    )  # fmt: skip
    return run, (memory, steps, row_offsets)


@cache
def inner_runner(dtype: str) -> tuple[Callable[[], None], Any]:
    """C[j, k] = sum_i A[j, i] * B[k, i], 32 by 32, over 8 panels of 4 vectors."""
    panel = VECTORS * lanes(np.dtype(dtype).itemsize)
    length = PANELS * panel
    a0 = ROWS * COLUMNS
    b0 = a0 + ROWS * length
    memory = filled(b0 + COLUMNS * length, dtype)
    run = runner(
        inner, memory, 0, COLUMNS, a0, length, panel, b0, length, panel,
        VECTORS, PANELS, VECTORS, ROWS, COLUMNS,
    )  # fmt: skip
    return run, memory


class Tile:
    """100 calls of a tile."""

    params = (["float32", "float64"],)
    param_names = ("dtype",)

    def setup(self, dtype: str) -> None:
        if not OUTER:
            raise NotImplementedError("no such tiles")


class Outer(Tile):
    def setup(self, dtype: str) -> None:
        super().setup(dtype)
        self.run, self.operands = outer_runner(dtype)

    def time_forward_of_a_panel(self, dtype: str) -> None:
        self.run()


class Inner(Tile):
    def setup(self, dtype: str) -> None:
        super().setup(dtype)
        self.run, self.operands = inner_runner(dtype)

    def time_32_by_32(self, dtype: str) -> None:
        self.run()
