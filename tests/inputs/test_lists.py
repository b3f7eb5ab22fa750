"""Rows in lists, as a server reads them, predict as the array of them."""

import numpy as np
import pytest

from fastmlp import Trainer
from tests.helpers.basics import needs_compiler

pytestmark = needs_compiler

X = np.random.default_rng(0).normal(size=(60, 3))
Y = np.arange(60) % 2


@pytest.fixture(scope="module", params=[None, "standard"])
def model(request: pytest.FixtureRequest) -> Trainer:
    return Trainer(4, epochs=1, seed=0, scaling=request.param).fit(X, Y)


@pytest.mark.parametrize("n", [1, 2, 60, 6_000])
def test_lists(model: Trainer, n: int) -> None:
    rows = np.resize(X, (n, 3))
    wanted = model.predict_proba(np.asfortranarray(rows)).tobytes()
    assert model.predict_proba(rows.tolist()).tobytes() == wanted
    assert model.predict_proba(list(rows)).tobytes() == wanted
    assert model.predict_proba(list(map(tuple, rows))).tobytes() == wanted


def test_whole_numbers_and_bools_among_floats(model: Trainer) -> None:
    mixed = [[0.5, 1, True], [0.25, -2, False]]
    wanted = model.predict_proba(np.array([[0.5, 1, 1], [0.25, -2, 0]]))
    np.testing.assert_array_equal(model.predict_proba(mixed), wanted)


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([[0.5, 1.0]], ValueError, "X must have 3 features; got 2"),
        ([[0.5, 1.0, 2.0], [1.0]], ValueError, "X cannot be read as one array"),
        ([[0.5, 1.0, "a"]], TypeError, "X must hold real numbers"),
        ([[0.5, 1.0, float("nan")]], ValueError, r"X\[0, 2\] is missing"),
        ([[0.5, 1.0, float("inf")]], ValueError, r"X\[0, 2\] is inf"),
        ([0.5, 1.0, 2.0], ValueError, "X must be 2-D"),
        ([[]], ValueError, "X must be 2-D"),
        ([], ValueError, "X must be 2-D"),
    ],
)
def test_errors(model: Trainer, rows: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        model.predict(rows)  # type: ignore[arg-type]


@pytest.mark.parametrize("as_rows", [np.array, list])
def test_values_beyond_float32(as_rows: object) -> None:
    """They are an error, except where scaling makes them small."""
    rows = [[0.5, 1e39, 2.0]]
    plain = Trainer(4, epochs=1, seed=0, scaling=None).fit(X, Y)
    with pytest.raises(ValueError, match=r"X\[0, 1\] is 1e\+39"):
        plain.predict(as_rows(rows))  # type: ignore[operator]
    scaled = Trainer(4, epochs=1, seed=0).fit(X * [1, 1e39, 1], Y)
    assert scaled.predict(as_rows(rows)).shape == (1,)  # type: ignore[operator]
