"""Functions of vectors against exact values, over all numbers of both dtypes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from fastmlp.kernels.language import functions
from fastmlp.kernels.language.normal import normal_tail
from fastmlp.kernels.language.subnormals import flush_subnormals, restore_mode
from tests import reference
from tests.kernels import INF, NAN, Array, needs_compiler
from tests.test_elements import compiled, vector_function

pytestmark = needs_compiler

Exact = Callable[[Array], Array]


# The function in extended precision, the numbers that it takes, and the bound in units in the last
# place, for float32 and float64.
FUNCTIONS: dict[str, tuple[Exact, tuple[float, float], tuple[float, float]]] = {
    "exp": (np.exp, (-INF, INF), (1.5, 1.5)),
    "expm1": (np.expm1, (-INF, INF), (2, 2)),
    "log1p": (np.log1p, (0, 1), (1.5, 1.5)),
    "logistic": (reference.logistic, (-INF, INF), (3, 3)),
    "tanh": (np.tanh, (-INF, INF), (4, 4)),
    "softplus": (reference.softplus, (-INF, INF), (2, 2)),
    "normal_tail": (lambda x: reference.normal_distribution(-x), (0, 14), (4, 7)),
}


def emitter_of(name: str) -> Any:
    if name == "normal_tail":
        return lambda e, x: normal_tail(e, x)[1].number(e)
    return getattr(functions, name)


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


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(name: str, kept: bool, dtype: Any) -> None:
    exact, (low, high), bounds = FUNCTIONS[name]
    x = numbers(dtype, low, high)
    with np.errstate(over="ignore", under="ignore"):
        wanted = exact(x.astype(np.longdouble))
    function = vector_function(emitter_of(name))
    with subnormals(kept):
        ours = function(x)
    distances = ulps(ours, wanted)
    worst = np.argmax(distances)
    assert distances[worst] <= bounds[dtype.itemsize // 8], (x[worst], distances[worst])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_stays_nan(name: str, dtype: Any) -> None:
    result = vector_function(emitter_of(name))(np.array([NAN, 0.5, NAN], dtype))
    assert np.isnan(result).tolist() == [True, False, True]
