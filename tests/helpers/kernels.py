"""Calling single kernels on NumPy arrays and records."""

from collections.abc import Iterator
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from fastmlp.kernels.language.jit import c_function, kernel_of
from fastmlp.kernels.language.records import LAYER, RUN
from fastmlp.kernels.language.simd import lanes
from tests.helpers.basics import NAN, Array

COUNTS = (0, 1, 2, 9, 31, 33, 127)
GAP = 5


def call(kernel: Any, memory: Array, *arguments: Any) -> None:
    """Call a kernel on ``memory``. Arrays stand for their addresses, tuples for operands."""
    numbers = list(_numbers((memory, *arguments)))
    address = kernel_of(kernel).address(numba.from_dtype(memory.dtype))
    c_function(address, len(numbers))(*numbers)


def _numbers(arguments: tuple[Any, ...]) -> Iterator[int]:
    for argument in arguments:
        if isinstance(argument, tuple):
            yield from _numbers(argument)
        else:
            yield argument.ctypes.data if isinstance(argument, np.ndarray) else int(argument)


def a_run(**fields: Any) -> Array:
    """A record of a run, all zero but for ``fields``; arrays, which the caller keeps alive, stand
    for their addresses."""
    return _record(RUN, {"largest_loss": np.inf} | fields)


def a_layer(**fields: Any) -> Array:
    """The same of a layer."""
    return _record(LAYER, fields)


def _record(dtype: np.dtype[Any], fields: dict[str, Any]) -> Array:
    record = np.zeros(1, dtype)
    for name, value in fields.items():
        record[name] = value.ctypes.data if isinstance(value, np.ndarray) else value
    return record


def lanes_of(dtype: Any) -> int:
    return lanes(np.dtype(dtype).itemsize)


class Flat:
    """Arrays one behind the other, with gaps between them, in one flat array."""

    def __init__(self, dtype: Any, gap: float) -> None:
        self._parts = [np.full(3, gap, dtype)]

    def put(self, array: npt.ArrayLike) -> int:
        """Append an array; returns its offset."""
        gap = self._parts[0]
        offset = sum(map(len, self._parts))
        self._parts += [np.ravel(array).astype(gap.dtype), gap]
        return offset

    def array(self) -> Array:
        return np.concatenate(self._parts)


def spread(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Array:
    """Numbers of very different sizes and either sign."""
    return (rng.normal(size=shape) * 10.0 ** rng.uniform(-3, 3, shape)).astype(dtype)


def with_gaps(rows: Array) -> Array:
    """Columns of NaN behind each row."""
    return np.pad(rows, ((0, 0), (0, GAP)), constant_values=NAN)


def block_of(memory: Array, start: int, shape: tuple[int, int], stride: int) -> Array:
    """View of the rows of ``shape`` that begin at ``start`` and lie ``stride`` apart."""
    steps = stride * memory.itemsize, memory.itemsize
    return np.lib.stride_tricks.as_strided(memory[start:], shape, steps)


def assert_untouched(
    after: Array, before: Array, *blocks: tuple[int, tuple[int, int], int]
) -> None:
    """Nothing changed but some blocks, each the start, shape and stride of a :func:`block_of`."""
    expected = after.copy()
    for block in blocks:
        block_of(expected, *block)[...] = block_of(before, *block)
    assert np.array_equal(expected, before, equal_nan=True)


def bit_masks(taken: Array) -> npt.NDArray[np.int64]:
    """Words of 64 bits, the lowest first, of each row of booleans."""
    padded = np.pad(taken, ((0, 0), (0, -taken.shape[1] % 64)))
    packed = np.packbits(np.ascontiguousarray(padded), axis=1, bitorder="little")
    return packed.view("<i8").astype(np.int64)
