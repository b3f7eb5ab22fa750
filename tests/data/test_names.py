"""Columns by name: kept from the fit, and compared wherever a second set of rows comes in."""

import pickle
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from fastmlp import Trainer
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, Y, fitted, numbers, random_weights, same_weights, state, trainer

pytestmark = needs_compiler

NAMES = ["age", "height", "weight", "income"]
TABLES: dict[str, Callable[..., Any]] = {
    "pandas": lambda values, names: pd.DataFrame(values, columns=names),
    "polars": lambda values, names: pl.DataFrame(values, schema=names),
    "pyarrow": lambda values, names: pa.table(dict(zip(names, values.T, strict=True))),
}


@pytest.fixture(params=TABLES)
def table(request: pytest.FixtureRequest) -> Callable[..., Any]:
    make = TABLES[request.param]
    return lambda values=X, names=NAMES: make(values, names)


def order(names: list[str]) -> Any:
    """Rows with the columns of these names."""
    return X[:, [NAMES.index(name) for name in names]]


def uses(rows: Any) -> dict[str, Callable[[Trainer], Any]]:
    """Wherever rows come in after a fit; what the message calls them."""
    return {
        "predict": lambda model: model.predict(rows),
        "predict_proba": lambda model: model.predict_proba(rows),
        "evaluate": lambda model: model.evaluate(rows, Y),
        "score": lambda model: model.score(rows, Y),
        "fit": lambda model: model.fit(rows, Y),
    }


USES = list(uses(X))


def test_names_are_kept(table: Any) -> None:
    model = trainer().fit(table(), Y)
    assert model.feature_names_in_.tolist() == NAMES
    assert model.feature_names_in_.dtype == object
    assert same_weights(model.get_weights(), fitted().get_weights())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(model.predict(table()), fitted().predict(X))


def test_without_names_there_is_no_attribute() -> None:
    for rows in (X, X.tolist(), pd.DataFrame(X)):
        model = trainer().fit(rows, Y)
        assert not hasattr(model, "feature_names_in_")
        with pytest.raises(AttributeError, match="X of the fit had no column names"):
            _ = model.feature_names_in_
    assert not hasattr(trainer(), "feature_names_in_")
    # A fit that starts afresh has the names of its own rows.
    model = trainer().fit(TABLES["pandas"](X, NAMES), Y).fit(X, Y)
    assert not hasattr(model, "feature_names_in_")


REVERSED = NAMES[::-1]
DIFFERENT: dict[str, tuple[list[str], str]] = {
    "another order": (
        REVERSED,
        "the same names are in another order, from column 0 on 'income', 'weight', 'height', 'age' "
        "instead of 'age', 'height', 'weight', 'income': X[list(feature_names_in_)] restores it",
    ),
    "one missing": (NAMES[:3], "missing: 'income'"),
    "one more": ([*NAMES, "extra"], "not seen at the fit: 'extra'"),
    "renamed": (
        ["age", "size", "weight", "income"],
        "not seen at the fit: 'size'; missing: 'height'",
    ),
    "other case": (
        ["Age", "height", "weight", "income"],
        "not seen at the fit: 'Age'; missing: 'age'",
    ),
}


@pytest.mark.parametrize("kind", DIFFERENT)
@pytest.mark.parametrize("use", USES)
def test_other_columns_are_an_error(table: Any, use: str, kind: str) -> None:
    names, message = DIFFERENT[kind]
    rows = table(np.tile(X, 2)[:, : len(names)], names)
    model = trainer(warm_start=True).fit(table(), Y)
    before = state(model)
    wanted = re.escape(f"X must have the columns of the fit; {message}")
    with pytest.raises(ValueError, match=f"^{wanted}"):
        uses(rows)[use](model)
    assert state(model) == before
    with pytest.raises(ValueError, match=f"^validation {wanted}"):
        trainer().fit(table(), Y, validation_data=(rows, Y))


@pytest.mark.parametrize("use", USES)
def test_the_order_can_be_restored(use: str) -> None:
    model, same = (trainer(warm_start=True).fit(TABLES["pandas"](X, NAMES), Y) for _ in range(2))
    mixed = TABLES["pandas"](order(REVERSED), REVERSED)
    got = uses(mixed[list(model.feature_names_in_)])[use](model)
    wanted = uses(TABLES["pandas"](X, NAMES))[use](same)
    if use == "fit":
        got, wanted = got.get_weights()[0], wanted.get_weights()[0]
    assert np.array_equal(got, wanted)


@pytest.mark.parametrize("other", TABLES)
@pytest.mark.parametrize("use", USES)
def test_tables_of_different_packages(table: Any, use: str, other: str) -> None:
    """The names count, not what holds them."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = trainer(warm_start=True).fit(
            table(), Y, validation_data=(TABLES[other](X, NAMES), Y)
        )
        uses(TABLES[other](X, NAMES))[use](model)
    with pytest.raises(ValueError, match="in another order"):
        uses(TABLES[other](order(REVERSED), REVERSED))[use](model)


@pytest.mark.parametrize("use", USES)
def test_an_array_after_names_is_a_warning(table: Any, use: str) -> None:
    """It points at the line of the user."""
    model = trainer(warm_start=True).fit(table(), Y)
    message = "^X has no column names, but the fit had some: columns are taken by their order"
    for rows in (X, X.tolist(), pd.DataFrame(X)):
        with pytest.warns(UserWarning, match=message) as caught:
            uses(rows)[use](model)
        assert [warning.filename for warning in caught] == [__file__]
    assert model.feature_names_in_.tolist() == NAMES
    with (
        pytest.warns(UserWarning, match=message),
        pytest.raises(ValueError, match="X must have 4 features; got 3"),
    ):
        uses(X[:, :3])[use](model)


@pytest.mark.parametrize("use", USES)
def test_names_after_an_array_are_a_warning(table: Any, use: str) -> None:
    model = fitted(warm_start=True)
    with pytest.warns(UserWarning, match="^X has column names, but the fit had none: columns are"):
        uses(table())[use](model)
    assert not hasattr(model, "feature_names_in_")
    assert model.n_features_in_ == 4


def test_a_warning_that_is_an_error_leaves_the_trainer_alone(table: Any) -> None:
    model = trainer(warm_start=True).fit(table(), Y)
    before = state(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="no column names"):
            model.fit(X, Y)
        with pytest.raises(UserWarning, match="validation X has no column names"):
            model.fit(table(), Y, validation_data=(X, Y))
    assert state(model) == before


def test_validation_rows_without_names(table: Any) -> None:
    with pytest.warns(UserWarning, match="^validation X has no column names"):
        model = trainer().fit(table(), Y, validation_data=(X, Y))
    assert numbers(model.history) == numbers(fitted_with_validation().history)
    with pytest.warns(UserWarning, match="^validation X has column names, but the fit had none"):
        trainer().fit(X, Y, validation_data=(table(), Y))


def fitted_with_validation() -> Trainer:
    return trainer().fit(X, Y, validation_data=(X, Y))


def test_the_part_for_validation_has_the_names_of_the_rest(table: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = trainer(validation_fraction=0.2).fit(table(), Y)
    assert numbers(model.history) == numbers(fitted(validation_fraction=0.2).history)


def test_a_fit_afresh_takes_new_names(table: Any) -> None:
    model = trainer().fit(table(), Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(table(order(REVERSED), REVERSED), Y)
    assert model.feature_names_in_.tolist() == REVERSED


def test_a_fit_that_fails_keeps_the_names(table: Any) -> None:
    model = trainer().fit(table(), Y)
    for rows, labels in ((table(names=list("abcd")), Y[:-1]), (table(X * np.nan, list("abcd")), Y)):
        with pytest.raises(ValueError, match=r"Y has 59 rows|is missing"):
            model.fit(rows, labels)
    assert model.feature_names_in_.tolist() == NAMES


def test_weights_that_were_given_go_with_any_names(table: Any) -> None:
    model = trainer(warm_start=True)
    model.set_weights(random_weights(4, 8, 3))
    assert not hasattr(model, "feature_names_in_")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(model.predict(table()), model.predict(X))
        model.predict(table(order(REVERSED), REVERSED))
        model.fit(table(), Y)
    assert model.feature_names_in_.tolist() == NAMES
    with pytest.raises(ValueError, match="in another order"):
        model.predict(table(order(REVERSED), REVERSED))


def test_weights_set_after_a_fit_keep_its_names(table: Any) -> None:
    model = trainer().fit(table(), Y)
    model.set_weights(random_weights(4, 8, 3), classes=["a", "b", "c"])
    assert model.feature_names_in_.tolist() == NAMES
    with pytest.raises(ValueError, match="in another order"):
        model.predict(table(order(REVERSED), REVERSED))


def test_names_survive_copies(table: Any) -> None:
    model = trainer(warm_start=True).fit(table(), Y)
    other = pickle.loads(pickle.dumps(model))
    assert other.feature_names_in_.tolist() == NAMES
    for use in uses(table(order(REVERSED), REVERSED)).values():
        with pytest.raises(ValueError, match="in another order"):
            use(other)
    assert np.array_equal(other.predict(table()), model.predict(table()))


def test_names_in_part_are_an_error() -> None:
    rows = pd.DataFrame(X, columns=["a", 1, "c", "d"])
    with pytest.raises(TypeError, match="X must have only strings as column names, or none"):
        trainer().fit(rows, Y)


# ----------------------------------------------------------------------------- names of other types


def numbered(*labels: Any) -> pd.DataFrame:
    return pd.DataFrame(X, columns=pd.Index(labels))


PAIRS = ("a", 1), ("a", 2), ("b", 1), ("b", 2)
DAYS = pd.date_range("2020-01-01", periods=4)
OTHERS: dict[str, tuple[Any, Any, str]] = {
    "numbers": ([0, 1, 2, 3], [2, 0, 1, 3], "column 0 on 2, 0, 1, 3 instead of 0, 1, 2, 3: X[so"),
    "after an order": ([2, 0, 1, 3], [0, 1, 2, 3], "column 0 on 0, 1, 2, 3 instead of 2, 0, 1, 3"),
    "later numbers": ([5, 6, 7, 8], [5, 6, 8, 7], "column 2 on 8, 7 instead of 7, 8: X[list(fea"),
    "fractions": ([0.5, 1.5, 2.5, 4.5], [0.5, 2.5, 1.5, 4.5], "from column 1 on 2.5, 1.5, 4.5"),
    "pairs": (PAIRS, PAIRS[::-1], "column 0 on ('b', 2), ('b', 1), ('a', 2), ('a', 1) instead of"),
    "days": (DAYS, DAYS[::-1], "from column 0 on '2020-01-04 00:00:00', "),
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("use", USES)
def test_other_names_in_another_order(use: str, kind: str) -> None:
    before, after, message = OTHERS[kind]
    model = trainer(warm_start=True).fit(numbered(*before), Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        uses(numbered(*before))[use](model)
    with pytest.raises(
        ValueError, match=f"the same names are in another order, .*{re.escape(message)}"
    ):
        uses(numbered(*after))[use](model)
    with pytest.raises(ValueError, match=r"validation X must .*in another order"):
        trainer().fit(numbered(*before), Y, validation_data=(numbered(*after), Y))


def test_the_order_of_numbers_can_be_restored() -> None:
    mixed = numbered(2, 0, 1, 3)
    model = trainer().fit(X, Y)
    with pytest.raises(
        ValueError, match=r"X\[sorted\(X\)\] restores it"
    ):  # an array's are 0, 1, ...
        model.predict(mixed)
    wanted = model.predict(X[:, [1, 2, 0, 3]])
    assert np.array_equal(model.predict(mixed[sorted(mixed)]), wanted)
    model.fit(mixed, Y)
    assert model.feature_names_in_.tolist() == [2, 0, 1, 3]
    first = mixed[sorted(mixed)]
    assert np.array_equal(model.predict(first[list(model.feature_names_in_)]), model.predict(mixed))


@pytest.mark.parametrize("use", USES)
def test_the_numbers_of_columns_are_no_names(use: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for before in (X, pd.DataFrame(X), numbered(0, 1, 2, 3)):
            model = trainer(warm_start=True).fit(before, Y)
            assert not hasattr(model, "feature_names_in_")
            for rows in (X, X.tolist(), pd.DataFrame(X), numbered(0, 1, 2, 3)):
                uses(rows)[use](model)


@pytest.mark.parametrize("use", USES)
def test_other_numbers_are_names(use: str) -> None:
    model = trainer(warm_start=True).fit(numbered(1, 2, 3, 4), Y)
    assert model.feature_names_in_.tolist() == [1, 2, 3, 4]
    for rows in (X, pd.DataFrame(X)):
        with pytest.warns(UserWarning, match="^X has no column names, but the fit had some"):
            uses(rows)[use](model)
    with pytest.raises(ValueError, match="not seen at the fit: 5; missing: 1"):
        uses(numbered(2, 3, 4, 5))[use](model)
    with pytest.raises(ValueError, match="not seen at the fit: 'age'"):
        uses(numbered(*NAMES))[use](model)
    model = fitted(warm_start=True)
    with pytest.warns(UserWarning, match="^X has column names, but the fit had none"):
        uses(numbered(1, 2, 3, 4))[use](model)


def test_numbers_as_names_survive_copies() -> None:
    model = trainer().fit(numbered(4, 3, 2, 1), Y)
    for other in (pickle.loads(pickle.dumps(model)), trainer()):
        other.set_state(model.get_state())
        assert other.feature_names_in_.tolist() == [4, 3, 2, 1]
        with pytest.raises(ValueError, match="in another order"):
            other.predict(numbered(1, 2, 3, 4))


def test_breast_cancer() -> None:
    """Columns in another order took the accuracy from 0.99 to 0.88 without a word."""
    datasets = pytest.importorskip("sklearn.datasets")
    rows, labels = datasets.load_breast_cancer(return_X_y=True, as_frame=True)
    rows = (rows - rows.mean()) / rows.std()
    model = Trainer(16, seed=0).fit(rows, labels)
    assert model.score(rows, labels) > 0.98
    mixed = rows[sorted(rows.columns)]
    for use in (model.predict, model.predict_proba):
        with pytest.raises(ValueError, match="X must have the columns of the fit; the same names"):
            use(mixed)
    assert model.score(mixed[list(model.feature_names_in_)], labels) == model.score(rows, labels)
