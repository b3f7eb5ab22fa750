"""Calling functions of vectors, which kernels consist of, on arrays."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic

from fastmlp.kernels.language.backend import FASTMATH
from fastmlp.kernels.language.simd import Emitter
from fastmlp.kernels.language.subnormals import flush_subnormals, restore_mode
from tests.helpers.basics import INF, Array
from tests.helpers.kernels import lanes_of

# As the kernels are compiled.
compiled = numba.njit(error_model="numpy", fastmath=set(FASTMATH))


def vector_function(function: Any) -> Any:
    """A function of an array from one of an Emitter and a vector."""

    @intrinsic
    def of_a_vector(typing_context, result, x, first):
        def emit(context, builder, sig, args):
            e = Emitter(builder, sig.args[0].dtype)
            value = function(e, e.load(e.at(args[1], args[2])))
            e.store(value, e.at(args[0], args[2]))
            return context.get_dummy_value()

        pointer = types.CPointer(x.dtype)
        return types.void(pointer, pointer, types.int64), emit

    @compiled
    def of_vectors(result, x, lanes):
        for first in range(0, x.size, lanes):
            of_a_vector(result.ctypes, x.ctypes, first)

    def of_array(x: Array) -> Array:
        lanes = lanes_of(x.dtype)
        padded = np.pad(x, (0, -len(x) % lanes))
        result = np.empty_like(padded)
        of_vectors(result, padded, lanes)
        return result[: len(x)]

    return of_array


def numbers(dtype: Any, low: float, high: float) -> Array:
    """Numbers of every size and sign, most where functions change."""
    rng, info = np.random.default_rng(0), np.finfo(dtype)
    wide = 10.0 ** rng.uniform(np.log10(info.tiny), np.log10(info.max), 20_000)
    x = np.concatenate(
        [
            rng.uniform(-3, 3, 40_000),
            rng.uniform(-40, 40, 40_000),
            rng.uniform(-110, 110, 20_000),
            rng.uniform(-760, 760, 20_000),
            np.arange(-1100, 1100) * np.log(2) / 2,
            wide * rng.choice([-1, 1], wide.size),
            [0.0, -0.0, INF, -INF, info.max, -info.max, info.tiny, -info.tiny, 1, -1],
        ]
    ).astype(dtype)
    return np.unique(x[(x >= low) & (x <= high)])


def ulps(ours: Array, exact: Array) -> Array:
    """Distances in units in the last place; what is below the normal range may
    be zero, and what is added to it then too."""
    info = np.finfo(ours.dtype)
    with np.errstate(over="ignore"):
        rounded = exact.astype(ours.dtype)
    same = (ours == rounded) | ((np.abs(exact) < info.tiny) & (np.abs(ours) <= 2 * info.tiny))
    unit = np.maximum(np.abs(exact), info.tiny) * info.eps
    with np.errstate(invalid="ignore"):
        return np.where(same, 0, np.abs(ours - exact) / unit)


@compiled
def _flush() -> int:
    return flush_subnormals()


@compiled
def _restore(mode: int) -> None:
    restore_mode(mode)


@contextmanager
def subnormals(kept: bool) -> Iterator[None]:
    """What is below the normal range is kept, or zero as while a run's kernels work."""
    mode = None if kept else _flush()
    try:
        yield
    finally:
        if mode is not None:
            _restore(mode)
