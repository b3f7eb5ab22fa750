"""Functions of vectors against exact values, over all numbers of both dtypes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastmlp.kernels.language import functions
from fastmlp.kernels.language.normal import normal_tail
from tests.helpers import reference
from tests.helpers.basics import INF, NAN, Array, needs_compiler
from tests.helpers.functions import numbers, subnormals, ulps, vector_function

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
