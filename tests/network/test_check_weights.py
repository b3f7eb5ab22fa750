"""Given weights: what is converted, and how the rest is rejected."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from fastmlp.network.given_weights import check_weights
from tests.helpers.basics import INF, NAN


def weights(*sizes: int) -> list[Any]:
    return [array for pair in pairwise(sizes) for array in (np.ones(pair), np.ones(pair[1]))]


@pytest.mark.parametrize("sizes", [(4, 3), (4, 5, 3), (1, 1, 1, 2), (4, 1)])
def test_weights_pass_through(sizes: tuple[int, ...]) -> None:
    given = weights(*sizes)
    known: dict[str, Any] = {
        "n_features": sizes[0],
        "n_outputs": sizes[-1],
        "hidden": sizes[1:-1],
    }
    for checked in (check_weights(given), check_weights(given, **known)):
        assert len(checked) == len(given)
        for got, array in zip(checked, given, strict=True):
            assert got is array


def test_weights_are_converted() -> None:
    W = np.arange(6, dtype=np.float32).reshape(2, 3)
    checked = check_weights((np.asfortranarray(W), [1, 2, 3]))
    for got, wanted in zip(checked, (W, [1, 2, 3]), strict=True):
        assert got.dtype == np.float64
        assert got.flags.c_contiguous
        np.testing.assert_array_equal(got, wanted)
    single = check_weights(checked, dtype=np.float32)
    assert all(got.dtype == np.float32 for got in single)


def changed(index: int, value: Any) -> list[Any]:
    arrays = weights(4, 5, 3)
    arrays[index] = value
    return arrays


@pytest.mark.parametrize(
    ("given", "wanted", "match"),
    [
        ([], {}, "weights must be W, b per layer.*; got 0 arrays"),
        (weights(4, 5, 3)[:3], {}, "weights must be .*; got 3 arrays"),
        (weights(4, 5, 3), {"hidden": ()}, r"weights must be .*hidden=\(\); got 4 arrays"),
        (weights(4, 3), {"hidden": (5,)}, r"weights must be .*hidden=\(5,\); got 2 arrays"),
        (weights(4, 5, 3), {"hidden": (6,)}, r"W1 must have shape \(None, 6\); got \(4, 5\)"),
        (weights(4, 5, 3), {"n_features": 7}, r"W1 must have shape \(7, None\); got \(4, 5\)"),
        (weights(4, 5, 3), {"n_outputs": 2}, r"W2 must have shape \(5, 2\); got \(5, 3\)"),
        (changed(0, np.ones(4)), {}, r"W1 must have shape .*; got \(4,\)"),
        (changed(0, np.ones((4, 0))), {}, r"W1 must have shape .*; got \(4, 0\)"),
        (changed(1, np.ones((1, 5))), {}, r"b1 must have shape \(5,\); got \(1, 5\)"),
        (changed(1, np.ones(4)), {}, r"b1 must have shape \(5,\); got \(4,\)"),
        (changed(2, np.ones((4, 3))), {}, r"W2 must have shape \(5, None\); got \(4, 3\)"),
        (changed(3, np.ones(5)), {}, r"b2 must have shape \(3,\); got \(5,\)"),
        (changed(3, [0, NAN, 0]), {}, r"b2\[1\] is nan; it must be finite"),
        (changed(2, np.full((5, 3), -INF)), {}, r"W2\[0, 0\] is -inf"),
        (changed(3, [0, 1e39, 0]), {"dtype": np.float32}, r"b2\[1\] is 1e\+39; .*float32"),
        (changed(2, [[1, 2], [3]]), {}, "W2 cannot be read as one array"),
    ],
)
def test_weights_rejects_values(given: Any, wanted: Any, match: str) -> None:
    with pytest.raises(ValueError, match=f"^{match}"):
        check_weights(given, **wanted)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (None, "weights must be a list .*; got NoneType"),
        (np.ones((2, 2)), "weights must be a list .*; got ndarray"),
        (changed(0, np.ones((4, 5), complex)), "W1 must hold real numbers; got dtype complex128"),
        (changed(1, ["a"] * 5), "b1 must hold real numbers; got dtype <U1"),
        (changed(3, None), "b2 must .*; got NoneType"),
    ],
)
def test_weights_rejects_types(given: Any, match: str) -> None:
    with pytest.raises(TypeError, match=f"^{match}"):
        check_weights(given)
