"""The exponential, the root and the inverse of vectors against extended precision."""

from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic

from fastmlp.kernels.language.elements import emit_exp
from fastmlp.kernels.language.jit import FASTMATH
from fastmlp.kernels.language.simd import Emitter
from tests.kernels import INF, NAN, Array, lanes_of, needs_compiler

pytestmark = needs_compiler

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


exponentials = vector_function(emit_exp)
square_roots = vector_function(Emitter.square_root)
inverses = vector_function(Emitter.inverse)


def test_square_root(dtype: Any) -> None:
    x = (10.0 ** np.random.default_rng(4).uniform(-36, 38, 20_000)).astype(dtype)
    exact = np.sqrt(x.astype(np.longdouble))
    assert (np.abs(square_roots(x) - exact) / exact).max() <= 2 * np.finfo(dtype).eps
    # Next to the epsilon of Adam what is left of these is nothing.
    assert (np.abs(square_roots(np.array([0, 1e-38, 1e-37], dtype))) <= 1.1e-18).all()
    assert np.isnan(square_roots(np.array([NAN], dtype))).all()


def test_inverse(dtype: Any) -> None:
    x = (10.0 ** np.random.default_rng(5).uniform(-7, 30, 20_000)).astype(dtype)
    exact = 1 / x.astype(np.longdouble)
    assert (np.abs(inverses(x) - exact) / exact).max() <= 2 * np.finfo(dtype).eps
    assert np.isnan(inverses(np.array([NAN], dtype))).all()


LOWEST = {"float32": -87.0, "float64": -708.0}


def test_exponential(dtype: Any) -> None:
    rng = np.random.default_rng(3)
    ln2 = np.log(2.0)
    near_halves = -np.arange(0.5, 100) * ln2 * (1 + rng.uniform(-1e-6, 1e-6, 100))
    x = np.concatenate(
        [
            rng.uniform(LOWEST[dtype.name], 0, 20_000),
            -(10.0 ** rng.uniform(-20, 0, 2_000)),
            near_halves[near_halves > LOWEST[dtype.name]],
            [LOWEST[dtype.name], 0.0, -0.0],
        ]
    ).astype(dtype)
    exact = np.exp(x.astype(np.longdouble))
    error = np.abs(exponentials(x) - exact) / exact
    assert error.max() <= 2 * np.finfo(dtype).eps
    assert (exponentials(x[-2:]) == 1).all()


def test_exponential_of_nan_and_of_what_underflows(dtype: Any) -> None:
    x = np.array([NAN, -INF, 2 * LOWEST[dtype.name], np.finfo(dtype).min, NAN], dtype)
    result = exponentials(x)
    assert np.isnan(result[[0, -1]]).all()
    assert (result[1:-1] >= 0).all()
    # The smallest normal numbers, which add nothing to a sum of exponentials.
    assert (result[1:-1] <= 4 * np.finfo(dtype).tiny).all()
