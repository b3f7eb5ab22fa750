"""The exponential, the root and the inverse of vectors against extended precision."""

from typing import Any

import numpy as np

from fastmlp.kernels.language.functions import exp_nonpositive
from fastmlp.kernels.language.simd import Emitter
from tests.helpers.basics import INF, NAN, needs_compiler
from tests.helpers.functions import vector_function

pytestmark = needs_compiler

exponentials = vector_function(exp_nonpositive)
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
