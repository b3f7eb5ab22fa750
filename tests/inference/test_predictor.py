"""Predictions of arrays that need no reading are those of the same rows, read."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from fastmlp import Trainer, losses
from fastmlp.data import is_ready
from tests.helpers.basics import INF, NAN, Array, needs_compiler
from tests.helpers.models import random_weights

pytestmark = needs_compiler

_rng = np.random.default_rng(0)
ROWS = _rng.integers(0, 256, (60, 5)).astype(np.float32)
CLASSES = np.arange(60) % 3
NUMBERS = ROWS[:, 0] - 3.0 * ROWS[:, 1] + 1e3

TARGETS: dict[str, tuple[Any, Array]] = {
    "classes": ("auto", CLASSES),
    "names": ("auto", np.array(["dog", "cat", "cow"])[CLASSES]),
    "pair": ("binary_cross_entropy", np.array(["no", "yes"])[CLASSES % 2]),
    "labels": ("binary_cross_entropy", np.eye(3)[CLASSES].astype(int)),
    "squared error": ("squared_error", NUMBERS),
    "columns": ("absolute_error", np.stack([NUMBERS, 5 * NUMBERS], axis=1)),
    "huber": ("huber", NUMBERS),
    "quantiles": (losses.Quantile((0.1, 0.5, 0.9)), NUMBERS),
    "counts": ("poisson", CLASSES),
}
SCALINGS = [None, 1 / 255, "standard", "robust", "piecewise", "quantile", "max_abs"]


class Read(np.ndarray[Any, Any]):
    """An array of a type that is read as anything from outside is."""


def answers(model: Trainer, rows: Any) -> list[Array]:
    """All kinds of predictions."""
    got = [model.predict(rows), model.decision_function(rows)]
    if model.loss in ("auto", "binary_cross_entropy"):
        got.append(model.predict_proba(rows))
    return got


def assert_equal(one: list[Array], other: list[Array]) -> None:
    for a, b in zip(one, other, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b, strict=True)


def fitted(**options: Any) -> Trainer:
    settings = {"hidden": 4, "epochs": 1, "seed": 0, "scaling": None, **options}
    Y = settings.pop("Y", CLASSES)
    return Trainer(**settings).fit(ROWS, Y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", TARGETS)
def test_every_kind_of_target(kind: str, dtype: str) -> None:
    loss, Y = TARGETS[kind]
    for scaling in SCALINGS:
        model = fitted(loss=loss, Y=Y, dtype=dtype, scaling=scaling)
        for given in ("float32", "float64", "uint8"):
            rows = ROWS.astype(given)
            for n in (1, 7):
                assert_equal(answers(model, rows[:n]), answers(model, rows[:n].view(Read)))


@pytest.mark.parametrize("scaling", [None, "standard"])
def test_rows_in_any_layout(scaling: Any) -> None:
    model = fitted(scaling=scaling)
    wanted = answers(model, ROWS[:1])
    unaligned = np.frombuffer(b"0" + ROWS[:1].tobytes(), np.float32, offset=1).reshape(1, 5)
    wide = np.repeat(ROWS, 2, axis=1)
    for row in (ROWS[:1].astype(">f4"), ROWS[:1].astype("i4"), unaligned, wide[:1, ::2]):
        assert not is_ready(row, 5)
        assert_equal(answers(model, row), wanted)
    assert_equal(answers(model, ROWS[:1].tolist()), wanted)
    several = ROWS[:4]
    assert_equal(answers(model, np.asfortranarray(several)), answers(model, several))


@pytest.mark.parametrize("scaling", [None, 0.5, "standard"])
@pytest.mark.parametrize("given", ["float32", "float64"])
@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_a_value_that_is_not_finite(value: float, given: str, scaling: Any) -> None:
    model = fitted(scaling=scaling)
    wanted = answers(model, ROWS[:1]), answers(model, ROWS[:3])
    for n, place in [(n, (n - 1, j)) for n in (1, 3) for j in range(5)]:
        rows = ROWS[:n].astype(given)
        rows[place] = value
        messages = set()
        for X in (rows, rows.view(Read)):
            with pytest.raises(ValueError, match=rf"X\[{place[0]}, {place[1]}\]") as error:
                model.predict(X)
            messages.add(str(error.value))
        assert len(messages) == 1
    assert_equal(answers(model, ROWS[:1]), wanted[0])
    assert_equal(answers(model, ROWS[:3]), wanted[1])


def test_large_values() -> None:
    """No sum of finite values decides; what float32 cannot hold is an error."""
    model = fitted(scaling=1e-38)
    row = np.array([[3e38, 3e38, -3e38, -3e38, 3e38]])
    with np.errstate(all="raise"):
        for X in (row, row.astype(np.float32)):
            assert_equal(answers(model, X), answers(model, X.view(Read)))
        with pytest.raises(ValueError, match=r"X\[0, 0\] is 3e\+39.*float32"):
            model.predict(10 * row)


def test_rows_that_another_shape_has() -> None:
    model = fitted()
    for X in (ROWS[0], ROWS[:1, :4], ROWS[:0], ROWS[:1, :0], ROWS[:1][None]):
        with pytest.raises(ValueError, match=r"^X must") as error:
            model.predict(X)
        with pytest.raises(ValueError, match=r"^X must") as other:
            model.predict(X.view(Read))
        assert str(error.value) == str(other.value)


def test_gaps_that_are_filled() -> None:
    """Both where the fit had gaps, which have a column, and where it had none."""
    with_gaps = ROWS.copy()
    with_gaps[::7, 2] = NAN
    for X in (ROWS, with_gaps):
        model = Trainer(4, epochs=1, seed=0, missing="impute").fit(X, CLASSES)
        for rows in (ROWS[:1], with_gaps[:1]):
            assert_equal(answers(model, rows), answers(model, rows.view(Read)))


def test_categories_need_a_table() -> None:
    """Even where they are as many as the columns."""
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({0: ROWS[:, 0], 1: pd.Categorical(["a"] * 60)})
    model = Trainer(4, epochs=1, seed=0).fit(table, CLASSES)
    with pytest.raises(TypeError, match="X must be a table"):
        model.predict(ROWS[:1, :2].copy())


def test_names_are_missed() -> None:
    pd = pytest.importorskip("pandas")
    model = Trainer(4, epochs=1, seed=0).fit(pd.DataFrame(ROWS, columns=list("abcde")), CLASSES)
    with pytest.warns(UserWarning, match="X has no column names"):
        model.predict(ROWS[:1])


def test_the_latest_weights_are_used() -> None:
    model = fitted()
    for change in (
        lambda: model.set_weights(random_weights(5, 4, 3)),
        lambda: model.fit(ROWS, CLASSES[::-1]),
        lambda: model.partial_fit(ROWS, CLASSES),
        lambda: model.fit(ROWS, np.array(["a", "b"])[CLASSES % 2]),
    ):
        before = model.decision_function(ROWS[:1])
        change()
        after = answers(model, ROWS[:1])
        assert_equal(after, answers(model, ROWS[:1].tolist()))
        assert not np.array_equal(after[1], before)
        np.testing.assert_allclose(after[1], model.decision_function(ROWS)[:1], rtol=1e-5)


def test_no_two_answers_share_memory() -> None:
    model = fitted()
    first = model.predict_proba(ROWS[:1])
    wanted = first.copy()
    model.predict_proba(ROWS[1:2])
    assert np.array_equal(first, wanted)
    first[:] = 0
    assert np.array_equal(model.predict_proba(ROWS[:1]), wanted)


@pytest.mark.threading
def test_rows_of_several_threads() -> None:
    model = fitted()
    wanted = [model.predict_proba(ROWS[i : i + 1]) for i in range(8)]
    wrong: list[int] = []

    def repeat(i: int) -> None:
        row = ROWS[i : i + 1].copy()
        for _ in range(2000):
            if not np.array_equal(model.predict_proba(row), wanted[i]):
                wrong.append(i)

    threads = [threading.Thread(target=repeat, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.full
@pytest.mark.parametrize("given", ["uint8", "float32"])
def test_rows_beyond_31_bits(given: str, tmp_path: Path) -> None:
    """Of a file with holes, or of memory, that takes none where it is zero; a 32-bit index cannot
    count the numbers."""
    n, d = 2**19 + 3, 4096
    assert n * d > 2**31
    file = np.memmap(tmp_path / "X", "uint8", "w+", shape=(n, d))
    X = file if given == "uint8" else np.zeros((n, d), np.float32)
    rows = [0, 1, 2**18, 2**19 - 1, 2**19, n - 1]
    X[rows] = np.random.default_rng(0).integers(1, 9, (len(rows), d))
    model = Trainer((), scaling=None, loss="squared_error")
    model.set_weights(random_weights(d, 1))
    predicted = model.predict(X)
    assert np.array_equal(predicted[rows], model.predict(np.array(X[rows])))
    others = np.delete(predicted, rows)
    assert (others == model.get_weights()[1]).all()
    assert not np.isin(predicted[rows], others[:1]).any()


def test_sparse_rows_of_any_length_share_a_workspace() -> None:
    """Each has a copy of the weights, which may be large."""
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(200, 2000)) * (rng.random((200, 2000)) < rng.random((200, 1)) ** 4)
    X = csr_matrix(dense)
    model = Trainer(hidden=9, scaling=None, epochs=1, dtype="float64", threads=1, seed=0)
    model.fit(X, CLASSES[np.arange(200) % 60])
    spaces = model.model_.network.workspaces
    spaces.clear()
    for first, count in ((0, 1), (3, 2), (0, 200), (7, 1), (100, 97)):
        rows = slice(first, first + count)
        np.testing.assert_allclose(model.predict_proba(X[rows]), model.predict_proba(dense[rows]))
    assert sum(map(len, (free for key, free in spaces.items() if key[-1]))) == 1
