"""How fast are the vector tiles alone, on operands that stay in the caches?

The tiles are no public interface: where a commit has others, these benchmarks are skipped.
"""

from collections.abc import Callable
from functools import cache
from inspect import signature
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

try:
    from fastmlp.kernels import simd, tiles
except ImportError:  # before there were tiles, or after they moved
    simd = tiles = None  # type: ignore[assignment]

OUTER = (
    "memory", "index", "c0", "c_row", "base0", "base_row", "relu",
    "a0", "a_steps", "a_rows", "b0", "b_step", "rows", "vectors", "depth",
)  # fmt: skip
INNER = (
    "memory", "c0", "c_row", "a0", "a_row", "a_panel", "b0", "b_row", "b_panel",
    "vectors", "panels", "last_vectors", "rows", "columns",
)  # fmt: skip
CALLS = 100
# The forward product of one panel of 784-128-10, batch 32; and as much work for the inner tile.
ROWS, DEPTH, VECTORS = 32, 784, 4
COLUMNS, PANELS = 32, 8


def tile(name: str, parameters: tuple[str, ...]) -> Any:
    """The tile, if this commit has it with these parameters."""
    found: Any = getattr(tiles, name, None)
    # As long as tiles had to be exported by hand, operands lay in arrays, not behind pointers.
    known = found is not None and not hasattr(tiles, "export_tiles")
    if not known or tuple(signature(found).parameters)[1:] != parameters:
        raise NotImplementedError(f"no tile {name} with these parameters")
    return found


def filled(size: int, dtype: str) -> npt.NDArray[Any]:
    return np.random.default_rng(0).standard_normal(size, np.dtype(dtype))


@cache
def outer_runner(dtype: str) -> Callable[[], None]:
    """C[j, :] = sum_i A[j, i] * B[i, :], C of 32 rows of 4 vectors, i < 784."""
    outer = tile("outer", OUTER)
    columns = VECTORS * simd.lanes(np.dtype(dtype).itemsize)
    a0 = ROWS * columns
    b0 = a0 + ROWS * DEPTH
    base0 = b0 + DEPTH * columns
    memory = filled(base0 + columns, dtype)
    index = np.concatenate([np.arange(DEPTH), np.arange(ROWS) * DEPTH])

    def run(memory: Any, index: Any) -> None:
        for _ in range(CALLS):
            outer(
                memory.ctypes, index.ctypes, 0, columns, base0, 0, 0,
                a0, 0, DEPTH, b0, columns, ROWS, VECTORS, DEPTH,
            )  # fmt: skip

    fast = numba.njit(run)
    fast(memory, index)
    return lambda: fast(memory, index)


@cache
def inner_runner(dtype: str) -> Callable[[], None]:
    """C[j, k] = sum_q A[j, q] * B[k, q], 32 by 32, over 8 panels of 4 vectors."""
    inner = tile("inner", INNER)
    panel = VECTORS * simd.lanes(np.dtype(dtype).itemsize)
    length = PANELS * panel
    a0 = ROWS * COLUMNS
    b0 = a0 + ROWS * length
    memory = filled(b0 + COLUMNS * length, dtype)

    def run(memory: Any) -> None:
        for _ in range(CALLS):
            inner(
                memory.ctypes, 0, COLUMNS, a0, length, panel, b0, length, panel,
                VECTORS, PANELS, VECTORS, ROWS, COLUMNS,
            )  # fmt: skip

    fast = numba.njit(run)
    fast(memory)
    return lambda: fast(memory)


class Tile:
    """100 calls of a tile."""

    params = (["float32", "float64"],)
    param_names = ("dtype",)


class Outer(Tile):
    def setup(self, dtype: str) -> None:
        self.run = outer_runner(dtype)

    def time_forward_of_a_panel(self, dtype: str) -> None:
        self.run()


class Inner(Tile):
    def setup(self, dtype: str) -> None:
        self.run = inner_runner(dtype)

    def time_32_by_32(self, dtype: str) -> None:
        self.run()
