"""Categories and gaps: what is learned of the columns of a table, and what becomes of its rows."""

import copy
import json
import pickle
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import fastmlp
from fastmlp import Trainer
from fastmlp.data import RawTargets, Split, open_features, split_rows
from fastmlp.data.tables import Table
from fastmlp.inputs import Columns, learn_columns
from fastmlp.inputs.categories_and_gaps import MOST_DENSE
from tests.helpers.basics import NAN
from tests.helpers.categories import PACKAGES
from tests.helpers.rows import check_features

NA = pd.NA
ALL = slice(None)
RNG = np.random.default_rng(0)
N = 200
AGE, INCOME = RNG.normal(size=N), RNG.normal(size=N)
CITY = RNG.choice(["Rome", "Oslo", "Paris", "Bern"], N)
SIZE = RNG.choice(["small", "big"], N)
Y = ((AGE > 0) ^ (CITY == "Oslo")).astype(int)


def table(package: str, rows: Any = ALL) -> Any:
    frame, category = PACKAGES[package]
    return frame(
        {
            "age": AGE[rows],
            "city": category(CITY[rows].tolist()),
            "income": INCOME[rows],
            "size": category(SIZE[rows].tolist()),
        }
    )


def trainer(**settings: Any) -> Trainer:
    return Trainer(8, **{"epochs": 3, "seed": 0, **settings})


def frame(rows: Any = ALL) -> pd.DataFrame:
    return table("pandas", rows)


def dummies(data: pd.DataFrame) -> Any:
    return pd.get_dummies(data).to_numpy(np.float64)


def learned(X: Any, missing: str = "error", train: Any = ALL, weights: Any = None) -> Columns:
    return learn_columns(open_features(X), train, weights, None, missing)[0]


def encoded(columns: Columns, X: Any) -> Any:
    return columns.encode(open_features(X), None)


def assert_same_weights(one: Trainer, other: Trainer) -> None:
    for w, v in zip(one.get_weights(), other.get_weights(), strict=True):
        assert w.tobytes() == v.tobytes()


# ------------------------------------------------------------------------------------- categories


@pytest.mark.parametrize("package", PACKAGES)
def test_categories_are_what_get_dummies_makes_of_them(package: str) -> None:
    model = trainer().fit(table(package), Y)
    array = dummies(frame())
    reference = trainer().fit(array, Y)
    assert_same_weights(model, reference)
    proba = model.predict_proba(table(package, slice(0, 50)))
    assert proba.tobytes() == reference.predict_proba(array[:50]).tobytes()
    assert model.evaluate(table(package), Y) == reference.evaluate(array, Y)
    assert model.n_features_in_ == 4
    assert model.feature_names_in_.tolist() == ["age", "city", "income", "size"]
    assert model.layer_sizes_ == (8, 8, 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("package", PACKAGES)
def test_rows_in_blocks(package: str, dtype: Any) -> None:
    """More rows than are worked on at once."""
    rows = np.arange(20_001) % N
    result = check_features(table(package, rows), dtype)
    assert result.flags.c_contiguous
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, pd.get_dummies(frame(rows)).to_numpy(dtype))


@pytest.mark.parametrize("package", PACKAGES)
def test_the_packages_agree(package: str) -> None:
    """Whatever the order in which values come, or codes that others have taken before."""
    pl.Series(["Paris", "Zurich", "Bern"], dtype=pl.Categorical)
    order = RNG.permutation(N)
    columns = learned(table(package, order))
    assert columns.categories == {1: ("Bern", "Oslo", "Paris", "Rome"), 3: ("big", "small")}
    for other in PACKAGES:
        np.testing.assert_array_equal(encoded(columns, table(other)), dummies(frame()))


def test_an_order_of_the_table_is_kept() -> None:
    values, names = ["mid", "low", "high", "low"], ["low", "mid", "high", "never"]
    arrow = pa.DictionaryArray.from_arrays([1, 0, 2, 0], names, ordered=True)
    for column, package in (
        (pd.Categorical(values, names), pd.DataFrame),
        (pd.Categorical(values, names, ordered=True), pd.DataFrame),
        (pl.Series(values, dtype=pl.Enum(names)), pl.DataFrame),
        (arrow, pa.table),
    ):
        assert learned(package({"a": column})).categories == {0: ("low", "mid", "high")}


def reordered(values: Any, names: Any) -> pd.DataFrame:
    data = frame(slice(0, len(values)))
    data["city"] = pd.Categorical(values, names)
    return data


def test_categories_are_matched_by_what_they_are_called() -> None:
    columns = learned(frame())
    known, values = ["Bern", "Oslo", "Paris", "Rome"], ["Rome", "Bern", "Rome"]
    expected = encoded(columns, reordered(values, known))
    assert expected[:, 2:6].tolist() == [[0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 0, 1]]
    for names in (known[::-1], ["Rome", "Bern"], ["x", "Rome", "y", "Bern"]):
        np.testing.assert_array_equal(encoded(columns, reordered(values, names)), expected)


@pytest.mark.parametrize("kind", [object, "str", "string", pd.ArrowDtype(pa.string())])
def test_later_rows_may_hold_plain_values(kind: Any) -> None:
    columns = learned(frame())
    plain = frame().astype({"city": kind, "size": kind})
    np.testing.assert_array_equal(encoded(columns, plain), dummies(frame()))
    plain.loc[0, "city"] = None
    plain.loc[1, "city"] = "Atlantis"
    assert not encoded(columns, plain)[:2, 2:6].any()
    one = pd.DataFrame([{"age": 1, "city": "Oslo", "income": 2, "size": "big"}])
    assert encoded(columns, one).tolist() == [[1, 2, 0, 1, 0, 0, 1, 0]]


def test_plain_values_of_polars_and_arrow() -> None:
    columns = learned(frame())
    data = {"age": AGE, "city": CITY.tolist(), "income": INCOME, "size": SIZE.tolist()}
    for plain in (pl.DataFrame(data), pa.table(data)):
        np.testing.assert_array_equal(encoded(columns, plain), dummies(frame()))


@pytest.mark.parametrize("package", PACKAGES)
def test_unknown_and_missing_categories_have_no_one(package: str) -> None:
    make, category = PACKAGES[package]
    columns = learned(make({"a": category(["x", None, "y"])}))
    assert columns.categories == {0: ("x", "y")}
    rows = encoded(columns, make({"a": category(["z", None, "y", "x"])}))
    assert rows.tolist() == [[0, 0], [0, 0], [0, 1], [1, 0]]


@pytest.mark.parametrize("package", PACKAGES)
def test_unknown_categories_are_warned_of_once_per_column(package: str) -> None:
    """In later chunks, validation data, predictions and scores; copies warn again."""
    make, category = PACKAGES[package]

    def rows(cities: list[Any], sizes: list[str]) -> Any:
        return make({"city": category(cities), "size": category(sizes)})

    known = rows(["Rome", "Oslo", None, "Rome"], ["s", "l", "s", "l"])
    abroad = rows(["Rome", "Bern", None, "Cork"], ["s", "l", "l", "l"])
    labels = [0, 1, 0, 1]
    text = (
        r"^X\['city'\] holds 'Bern', 'Cork', which no training row had: a category unknown to the "
        "network is encoded as zeros; for each column this is said once$"
    )
    calls: dict[str, Callable[[Trainer], Any]] = {
        "predict": lambda model: model.predict(abroad),
        "predict_proba": lambda model: model.predict_proba(abroad),
        "evaluate": lambda model: model.evaluate(abroad, labels),
        "partial_fit": lambda model: model.partial_fit(abroad, labels),
        "a state": lambda model: pickle.loads(pickle.dumps(model)).predict(abroad),
    }
    for call in calls.values():
        model = trainer().fit(known, labels)
        model.predict(known)
        with pytest.warns(UserWarning, match=text) as caught:
            call(model)
        assert [warning.filename for warning in caught] == [__file__]
        if call is not calls["a state"]:
            for again in calls.values():
                if again is not calls["a state"]:
                    again(model)
        with pytest.warns(UserWarning, match=r"^X\['size'\] holds 'xl'"):
            model.predict(rows(["Rome"], ["xl"]))
    model = trainer(epochs=2)
    with pytest.warns(UserWarning, match=text) as caught:
        model.fit_stream(lambda: iter([(known, labels), (abroad, labels)]))
    assert len(caught) == 1
    with pytest.warns(UserWarning, match="^validation " + text[1:]) as caught:
        trainer().fit(known, labels, validation_data=(abroad, labels))
    assert len(caught) == 1


def test_categories_where_none_was_known() -> None:
    empty = pd.DataFrame({"a": [1.0, 2.0], "b": pd.Categorical([None, None], ["x"])})
    model = trainer().fit(empty, [0, 1])
    with pytest.warns(UserWarning, match=r"X\['b'\] holds 'x', which no training row had"):
        model.predict(empty.assign(b=pd.Categorical(["x", None])))


def test_rows_of_weight_0_are_not_warned_of() -> None:
    data = frame()
    model = trainer().fit(data, Y, sample_weight=(CITY != "Oslo").astype(float))
    assert model.layer_sizes_[0] == 2 + 3 + 2


def test_categories_of_other_kinds() -> None:
    cut = pd.cut(pd.Series([1.0, 5, 9]), [0, 3, 6, 10])
    days = pd.Series(pd.to_datetime(["2020-01-02", "2020-01-01", "2020-01-02"])).astype("category")
    numbers = pd.Series([3, 1, 3]).astype("category")
    flags = pd.Series([True, False, True]).astype("category")
    data = pd.DataFrame({"cut": cut, "day": days, "number": numbers, "flag": flags})
    columns = learned(data)
    assert columns.categories[0] == ("(0, 3]", "(3, 6]", "(6, 10]")
    assert columns.categories[2] == (1, 3)
    assert encoded(columns, data).tolist() == [
        [1, 0, 0, 0, 1, 0, 1, 0, 1], [0, 1, 0, 1, 0, 1, 0, 1, 0], [0, 0, 1, 0, 1, 0, 1, 0, 1],
    ]  # fmt: skip
    # A column of integers with gaps comes as floats.
    floats = data.assign(number=pd.Series([3.0, NAN, 1.0]).astype("category"))
    assert encoded(columns, floats)[:, 5:7].tolist() == [[0, 1], [0, 0], [1, 0]]
    plain = data.assign(number=[3, 2, 1])
    assert encoded(columns, plain)[:, 5:7].tolist() == [[0, 1], [0, 0], [1, 0]]
    mixed = pd.DataFrame({"a": pd.Categorical([1, "x", 1], [1, "x"])})
    assert learned(mixed).categories == {0: (1, "x")}


def test_a_chunked_dictionary() -> None:
    chunks = [pa.array(["b", "a"]).dictionary_encode(), pa.array(["c", "a"]).dictionary_encode()]
    data = pa.table({"a": pa.chunked_array(chunks)})
    assert check_features(data, np.float32).tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]]
    twice = pa.DictionaryArray.from_arrays([0, 1, 2, 3, None], ["x", "x", None, "y"])
    rows = check_features(pa.table({"a": twice}), np.float32)
    assert rows.tolist() == [[1, 0], [1, 0], [0, 0], [0, 1], [0, 0]]


def test_columns_that_changed_their_kind() -> None:
    columns = learned(frame())
    with pytest.raises(TypeError, match=r"^X\['city'\] must hold .* 'Bern', as at the fit; got 1$"):
        encoded(columns, frame().assign(city=1))
    with pytest.raises(TypeError, match=r"real numbers; X\['age'\] holds categories, such as 'a'"):
        encoded(columns, frame().assign(age=pd.Categorical(["a"] * N)))
    numbers = learned(pd.DataFrame({"a": pd.Categorical([1, 2])}))
    with pytest.raises(TypeError, match=r"^X\['a'\] must hold categories such as 1.*got '1'$"):
        encoded(numbers, pd.DataFrame({"a": ["1", "2"]}))
    model = trainer().fit(frame(), Y)
    with (
        pytest.warns(UserWarning, match="has no column names"),
        pytest.raises(TypeError, match=r"^X must be a table, as columns 1, 3 are categories"),
    ):
        model.predict(np.ones((2, 4)))


def test_tables_without_names_go_by_the_order() -> None:
    data = frame().set_axis(range(4), axis=1)
    model = trainer().fit(data, Y)
    assert not hasattr(model, "feature_names_in_")
    assert_same_weights(model, trainer().fit(frame(), Y))
    with pytest.warns(UserWarning, match="columns are taken by their order"):
        assert model.predict(frame()).tolist() == model.predict(data).tolist()


def test_columns_in_another_order_are_an_error() -> None:
    model = trainer().fit(frame(), Y)
    with pytest.raises(ValueError, match="the same names are in another order"):
        model.predict(frame()[["city", "age", "income", "size"]])


@pytest.mark.parametrize("package", ["pandas", "polars", "pyarrow"])
def test_text_is_an_error_that_says_what_to_do(package: str) -> None:
    make = PACKAGES[package][0]
    for missing in ("error", "impute"):
        message = r"X\['city'\] row 0 is text, 'a': make it a category.*astype\(\"category\"\)"
        with pytest.raises(TypeError, match=message):
            trainer(missing=missing).fit(make({"age": [1.0, 2], "city": ["a", None]}), [0, 1])


def many(count: int, name: str) -> pd.Series:
    return pd.Series(np.arange(3000) % count, name=name).astype("category")


def test_as_many_as_make_dense_rows() -> None:
    data = pd.concat([many(500, "few"), many(1500, "most")], axis=1)
    assert check_features(data, np.float32).shape == (3000, MOST_DENSE)
    data = pd.concat([data, many(3, "zip")], axis=1)
    columns = learned(data)
    assert columns.are_sparse
    assert (columns.n_inputs, columns.n_dense) == (2003, 0)
    # Only those of the training rows count.
    model = trainer(epochs=1, validation_fraction=0.9, validation_split="last")
    with pytest.warns(
        UserWarning, match=r"X\['(few|most)'\] holds 300, 301, .*, which no training"
    ):
        model.fit(data, np.arange(3000) % 2)
    assert model.layer_sizes_[0] == 300 + 300 + 3


def test_a_column_of_nothing() -> None:
    nothing = pd.Series([None] * 3, dtype="category")
    data = pd.DataFrame({"a": [1.0, 2, 3], "b": nothing})
    assert check_features(data, np.float32).tolist() == [[1], [2], [3]]
    with pytest.raises(ValueError, match="X must have some categories; got columns of gaps alone"):
        check_features(data[["b"]], np.float32)


def test_categories_take_little_memory() -> None:
    """The result and the codes, with no table of numbers in between."""
    n, rng = 100_000, np.random.default_rng(0)
    data = {f"f{i}": rng.normal(size=n) for i in range(10)}
    data |= {f"c{i}": pd.Series(rng.integers(0, 9, n)).astype("category") for i in range(5)}
    X = pd.DataFrame(data)
    check_features(X[:9], np.float32)
    tracemalloc.start()
    try:
        result = check_features(X, np.float32)
        assert tracemalloc.get_traced_memory()[1] < result.nbytes + 3 * n * 8
    finally:
        tracemalloc.stop()


def test_precision_is_that_of_the_columns() -> None:
    city = CITY.tolist()
    for make, category in PACKAGES.values():
        for kind, wanted in ((np.float32, np.float32), (np.int16, np.float32), (bool, np.float32),
                             (np.int32, np.float64), (np.float64, np.float64)):  # fmt: skip
            X = make({"city": category(city), "age": AGE.astype(kind)})
            columns, rows = learn_columns(open_features(X), ALL, None, None, "error")
            assert rows.dtype == wanted
            np.testing.assert_array_equal(rows[:, 0], AGE.astype(kind))
    assert encoded(columns, X)[:, 0].tobytes() == AGE.tobytes()


# ------------------------------------------------------------------------------------------- gaps

GAPS = np.array([[1, 10], [NAN, 20], [3, 30], [8, 40]])
FILLED = [[1, 10, 0], [3, 20, 1], [3, 30, 0], [8, 40, 0]]
WITH_GAPS: dict[str, Any] = {
    "array": GAPS,
    "float32": GAPS.astype(np.float32),
    "Fortran": np.asfortranarray(GAPS),
    "half": GAPS.astype(np.float16),
    "list": [[1, 10], [None, 20], [3, 30], [8, 40]],
    "objects": np.array([[1, 10], [NA, 20], [3, 30], [8, 40]], dtype=object),
    "pandas": pd.DataFrame(GAPS),
    "Int64": pd.DataFrame({"a": pd.array([1, NA, 3, 8], "Int64"), "b": [10, 20, 30, 40]}),
    "Float32": pd.DataFrame({"a": pd.array([1, NA, 3, 8], "Float32"), "b": [10, 20, 30, 40]}),
    "object": pd.DataFrame({"a": pd.Series([1, None, 3, 8], dtype=object), "b": [10, 20, 30, 40]}),
    "sparse": pd.DataFrame({"a": pd.arrays.SparseArray([1, NAN, 3, 8]), "b": [10, 20, 30, 40]}),
    "int64[pyarrow]": pd.DataFrame({"a": [1, None, 3, 8], "b": [10, 20, 30, 40]}).astype(
        "int64[pyarrow]"
    ),
    "halffloat[pyarrow]": pd.DataFrame({"a": [1, None, 3, 8], "b": [10, 20, 30, 40]}).astype(
        pd.ArrowDtype(pa.float16())
    ),
    "polars": pl.DataFrame({"a": [1, None, 3, 8], "b": [10, 20, 30, 40]}),
    "polars floats": pl.DataFrame({"a": [1.0, None, 3, 8], "b": [10, 20, 30, 40]}),
    "polars NaN": pl.DataFrame({"a": [1.0, NAN, 3, 8], "b": [10, 20, 30, 40]}),
    "pyarrow": pa.table({"a": [1, None, 3, 8], "b": [10, 20, 30, 40]}),
    "pyarrow floats": pa.table({"a": [1.0, None, 3, 8], "b": [10, 20, 30, 40]}),
}  # fmt: skip


@pytest.mark.parametrize("kind", WITH_GAPS)
def test_gaps_become_medians_and_a_column_that_tells(kind: str) -> None:
    X = WITH_GAPS[kind]
    before = copy.deepcopy(X)
    assert check_features(X, np.float32, missing="impute").tolist() == FILLED
    assert repr(X) == repr(before)
    with pytest.raises(ValueError, match=r'row 1 is missing|1, 0. is missing.*missing="impute"'):
        check_features(X, np.float32)


def test_gaps_among_truth_values() -> None:
    expected = [[1, 0], [0, 0], [0.5, 1]]
    for X in (
        pd.DataFrame({"a": pd.array([True, False, NA], "boolean")}),
        pd.DataFrame({"a": pd.array([True, False, None], "bool[pyarrow]")}),
        pl.DataFrame({"a": [True, False, None]}),
        pa.table({"a": [True, False, None]}),
        [[True], [False], [None]],
    ):
        assert check_features(X, np.float32, missing="impute").tolist() == expected


def test_all_columns_with_gaps_are_named() -> None:
    X = frame().astype({"age": "Float64"})
    X.loc[[3, 5], "income"] = NAN
    X.loc[5, "age"] = NA
    message = (
        r"^X\['income'\] row 3 is missing; there are gaps in 'age', 'income': fit with missing"
    )
    with pytest.raises(ValueError, match=message):
        trainer().fit(X, Y)
    array = X[["age", "income"]].to_numpy(np.float32, na_value=NAN)
    with pytest.raises(ValueError, match=r"^X\[3, 1\] is missing; there are gaps in 0, 1: fit"):
        trainer().fit(array, Y)


def test_infinities_and_targets_with_gaps_stay_errors() -> None:
    for X in (np.array([[NAN], [np.inf]]), pd.DataFrame({"a": [NAN, np.inf]})):
        with pytest.raises(ValueError, match=r"is inf; it must be finite"):
            check_features(X, np.float32, missing="impute")
    with pytest.raises(ValueError, match=r"Y\[1\] is nan"):
        trainer(missing="impute").fit(GAPS, [1, NAN, 0, 1])
    with pytest.raises(ValueError, match=r"Y\['a'\] row 1 is missing"):
        trainer(missing="impute").fit(GAPS, pd.DataFrame({"a": [1.0, NAN, 0, 1], "b": 1.0}))


def test_a_gap_in_a_column_without_any_before() -> None:
    columns = learned(GAPS, "impute")
    assert columns.gaps == (0,)
    np.testing.assert_array_equal(columns.medians, [3, 25])
    rows = encoded(columns, np.array([[5, NAN], [NAN, NAN]]))
    assert rows.tolist() == [[5, 25, 0], [3, 25, 1]]
    assert encoded(columns, np.array([[5, 6]], np.uint8)).tolist() == [[5, 6, 0]]
    none = learned(np.ones((3, 2)), "impute")
    X = np.array([[NAN, 2]], np.float32)
    assert encoded(none, X).tolist() == [[1, 2]]
    assert np.isnan(X[0, 0])


def test_categories_and_gaps() -> None:
    data = pd.DataFrame({"c": pd.Categorical(["x", None, "y", "x"]), "a": GAPS[:, 0], "b": 1})
    rows = check_features(data, np.float32, missing="impute")
    assert rows.tolist() == [[1, 1, 1, 0, 0], [3, 1, 0, 0, 1], [3, 1, 0, 1, 0], [8, 1, 1, 0, 0]]
    with pytest.raises(ValueError, match=r"^X\['a'\] row 1 is missing; there are gaps in 'a':"):
        check_features(data, np.float32)


def test_a_column_of_gaps_alone() -> None:
    X = np.array([[NAN, 1], [NAN, 2]])
    assert check_features(X, np.float32, missing="impute").tolist() == [[0, 1, 1], [0, 2, 1]]
    nothing = pd.DataFrame({"a": [None, None], "b": [1, 2]})
    assert check_features(nothing, np.float32, missing="impute").tolist() == [[0, 1, 1], [0, 2, 1]]


def test_weights_count_rows_for_the_median() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(50, 3))
    X[rng.random(X.shape) < 0.2] = NAN
    counts = rng.integers(1, 5, 50)
    weighted = learned(X, "impute", weights=counts.astype(float))
    repeated = learned(np.repeat(X, counts, axis=0), "impute")
    np.testing.assert_array_equal(weighted.medians, repeated.medians)
    ones = learned(X, "impute", weights=np.ones(50))
    np.testing.assert_array_equal(ones.medians, learned(X, "impute").medians)


# ----------------------------------------------------------------------------- which rows teach it


def with_gaps() -> pd.DataFrame:
    data = frame()
    data.loc[::7, "age"] = NAN
    return data


def test_rows_of_weight_0_teach_nothing() -> None:
    data, weights = with_gaps(), np.ones(N)
    weights[(data["city"] == "Rome") | data["age"].isna()] = 0
    model = trainer(missing="impute").fit(data, Y, sample_weight=weights)
    kept = weights > 0
    rest = data[kept].assign(city=data["city"][kept].cat.remove_unused_categories())
    assert_same_weights(model, trainer().fit(rest, Y[kept], sample_weight=np.ones(kept.sum())))
    assert model.layer_sizes_[0] == 2 + 3 + 2
    age = data["age"][kept].to_numpy()
    columns = model._model.encoding.inputs.columns
    assert columns.medians[0] == np.median(age)


@pytest.mark.parametrize("split", ["last", "shuffled", "stratified"])
def test_validation_rows_teach_nothing(split: str) -> None:
    data = frame()
    chosen: dict[str, Any] = {"validation_fraction": 0.25, "validation_split": split}
    train, rest = split_rows(RawTargets(Y), Split(0, N, 0.25, split))
    data["city"] = data["city"].astype(object)
    where = np.arange(N)[rest]
    data.loc[where[0], "city"] = "Atlantis"
    data.loc[where[1], "income"] = NAN
    data["city"] = data["city"].astype("category")
    model, other = trainer(missing="impute", **chosen), trainer(missing="impute")
    with pytest.warns(
        UserWarning, match=r"X\['city'\] holds 'Atlantis', which no training row had"
    ):
        model.fit(data, Y)
    columns = model._model.encoding.inputs.columns
    assert columns.categories[1] == ("Bern", "Oslo", "Paris", "Rome")
    assert columns.gaps == ()
    pair = data.iloc[where], Y[where]
    with pytest.warns(UserWarning, match=r"validation X\['city'\] holds 'Atlantis'"):
        other.fit(data.iloc[train], Y[train], validation_data=pair)
    assert_same_weights(model, other)
    assert model.history["val_loss"] == other.history["val_loss"]


def test_folds_learn_from_their_own_rows() -> None:
    for package in PACKAGES:
        data = table(package)
        rows = [np.flatnonzero(CITY != "Oslo"), np.arange(N) % 2 == 0]
        models = fastmlp.fit_many([trainer(), trainer()], data, Y, rows)
        for model, own in zip(models, rows, strict=True):
            assert_same_weights(model, trainer().fit(table(package, own), Y[own]))
        assert [model.layer_sizes_[0] for model in models] == [7, 8]


def test_an_ensemble_of_categories() -> None:
    """Each member has its own rows for validation, and so may know other categories."""
    data = with_gaps()
    chosen: dict[str, Any] = {"validation_fraction": 0.9, "validation_split": "shuffled"}
    rare = data.assign(city=pd.Categorical(np.where(np.arange(N) % 5, "x", CITY)))
    ensemble = fastmlp.Ensemble(trainer(missing="impute", **chosen), 3)
    with pytest.warns(UserWarning, match="holds '(Bern|Oslo|Paris|Rome)'.*, which no training row"):
        ensemble.fit(rare, Y)
    known = {m._model.encoding.inputs.columns.categories[1] for m in ensemble.members}
    assert len(known) > 1
    weights = np.arange(N) % 3.0
    found = ensemble.evaluate(rare, Y, weights)
    right = ensemble.predict(rare) == Y
    assert found["accuracy"] == pytest.approx(np.average(right, weights=weights))


def test_the_first_chunk_teaches() -> None:
    data = with_gaps()

    def chunks() -> Any:
        for start in range(0, N, 50):
            part = data[start : start + 50]
            yield part.assign(city=part["city"].cat.remove_unused_categories()), Y[start:][:50]

    first = next(chunks())
    model = trainer(missing="impute").fit_stream(chunks, validation_data=(data, Y))
    columns = learned(first[0], "impute")
    assert (
        model._model.encoding.inputs.columns.plain()["categories"] == columns.plain()["categories"]
    )
    rows = encoded(columns, data)

    def arrays() -> Any:
        for start in range(0, N, 50):
            yield rows[start : start + 50], Y[start : start + 50]

    reference = trainer().fit_stream(arrays, validation_data=(rows, Y))
    assert_same_weights(model, reference)
    assert model.history["val_loss"] == reference.history["val_loss"]
    online, same = trainer(missing="impute"), trainer()
    for (X, labels), (array, _) in zip(chunks(), arrays(), strict=True):
        online.partial_fit(X, labels)
        same.partial_fit(array, labels)
    assert_same_weights(online, same)


def test_a_warm_start_keeps_what_was_learned() -> None:
    data = with_gaps()
    model = trainer(missing="impute", warm_start=True).fit(data[:100], Y[:100])
    columns = model._model.encoding.inputs.columns
    other = data[100:].assign(city=pd.Categorical(["Atlantis"] * 100), income=NAN)
    with pytest.warns(UserWarning, match="'Atlantis', which no training row had"):
        model.fit(other, Y[100:])
    assert model._model.encoding.inputs.columns is columns
    model.missing = "error"
    assert np.isfinite(model.fit(other, Y[100:]).history["loss"]).all()
    # What was learned knows no medians.
    strict = trainer(warm_start=True).fit(frame(), Y)
    strict.missing = "impute"
    with pytest.raises(ValueError, match=r"^X\['age'\] row 0 is missing; .*: fit with missing"):
        strict.fit(data, Y)
    strict.warm_start = False
    strict.fit(data, Y)
    assert strict.layer_sizes_[0] == 9


def test_weights_that_were_set_decide_how_many_inputs() -> None:
    source = trainer().fit(frame(), Y)
    model = trainer(warm_start=True)
    model.set_weights(source.get_weights(), scaling=source.scaling_)
    assert model.n_features_in_ == 8
    assert model.predict(dummies(frame())).tolist() == source.predict(frame()).tolist()
    with pytest.raises(TypeError, match=r"X\['city'\] holds categories, such as 'Oslo', where"):
        model.predict(frame().assign(a=1, b=2, c=3, d=4))
    with pytest.raises(ValueError, match="must have 8 features; got 3, which make 6 columns"):
        model.fit(frame().drop(columns="size"), Y)
    with pytest.raises(ValueError, match=r"must have 8 features; got 3$"):
        model.fit(np.ones((N, 3)), Y)
    model.fit(frame(), Y)
    assert model.n_features_in_ == 4
    assert model.predict(frame()).shape == (N,)


@pytest.mark.parametrize("warm_start", [False, True])
def test_a_warmed_up_trainer_of_categories(warm_start: bool) -> None:
    model = trainer(missing="impute", warm_start=warm_start).fit(with_gaps(), Y)
    before = model.predict_proba(with_gaps())
    fastmlp.warmup(model)
    assert model.predict_proba(with_gaps()).tobytes() == before.tobytes()


# ------------------------------------------------------------------------- what leaves the process


def of_all_kinds() -> pd.DataFrame:
    return with_gaps().assign(
        number=pd.Series(np.arange(N) % 3).astype("category"),
        part=pd.cut(pd.Series(INCOME), [-10, 0, 10]),
        flag=pd.Series(AGE > 0).astype("category"),
    )


@pytest.mark.parametrize("how", [pickle.dumps, copy.copy, copy.deepcopy, "state"])
def test_what_was_learned_goes_everywhere(how: Any) -> None:
    data = of_all_kinds()
    model = trainer(missing="impute").fit(data, Y)
    other: Any
    if how == "state":
        other = trainer()
        other.set_state(model.get_state())
    else:
        other = how(model)
        other = pickle.loads(other) if isinstance(other, bytes) else other
    assert other.predict_proba(data).tobytes() == model.predict_proba(data).tobytes()
    assert other.feature_names_in_.tolist() == list(data)
    assert other.n_features_in_ == 7


def test_the_state_is_plain() -> None:
    state = trainer(missing="impute").fit(of_all_kinds(), Y).get_state()
    plain = state["model"]["encoding"]["inputs"]["columns"]
    again = json.loads(json.dumps(plain | {"medians": plain["medians"].tolist()}))
    columns = Columns.from_plain(again)
    assert columns.plain()["categories"] == plain["categories"]
    assert encoded(columns, of_all_kinds()).tobytes() == (
        encoded(Columns.from_plain(plain), of_all_kinds()).tobytes()
    )


# ----------------------------------------------------------------------------- arrays stay in place


@pytest.mark.parametrize("missing", ["error", "impute"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_arrays_without_gaps_are_not_copied(dtype: Any, missing: str) -> None:
    X = np.ones((1000, 500), dtype)
    kind = np.float32 if dtype == np.uint8 else dtype
    X.flags.writeable = False
    tracemalloc.start()
    try:
        columns, rows = learn_columns(open_features(X), ALL, None, kind, missing)
        assert rows is X
        assert columns.encode(open_features(X), kind) is X
        assert tracemalloc.get_traced_memory()[1] < X.nbytes / 10
    finally:
        tracemalloc.stop()


def test_nothing_warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for package in PACKAGES:
            trainer(missing="impute").fit(table(package), Y).predict(table(package))


@pytest.mark.parametrize("package", PACKAGES)
def test_tables_are_opened_once(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, make = [], Table.__init__

    def counted(self: Table, data: Any, name: str) -> None:
        opened.append(name)
        make(self, data, name)

    monkeypatch.setattr(Table, "__init__", counted)
    X, labels = table(package), PACKAGES[package][0]({"label": Y})
    model = trainer(missing="impute").fit(X, labels, validation_data=(X, labels))
    assert opened == ["X", "Y", "validation X", "validation Y"]
    model.predict(X)
    assert opened[4:] == ["X"]
