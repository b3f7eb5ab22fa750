"""Raw rows go into an exported network: every scaling, gaps, and tables with categories."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import polars as pl
import pytest

from fastmlp import losses
from fastmlp.settings.checks import LEARNED_SCALINGS
from tests.helpers.basics import NAN, needs_compiler
from tests.helpers.onnx import agree, outputs_of, session_of
from tests.onnx.test_networks import NUMBERS, RNG, X, trainer

pytestmark = needs_compiler

N = len(X)
FACTORS = (1.0, 0.1, 10.0, 0.001, 1e-9)
# Among the values of a feature are many equal ones; another has two values.
FEW = np.column_stack([X, RNG.poisson(0.3, N), RNG.integers(0, 2, N)])


# ----------------------------------------------------------------------------------------- scaling


@pytest.mark.parametrize("hidden", [(), 16])
@pytest.mark.parametrize("scaling", [*LEARNED_SCALINGS, "auto", FACTORS, 0.5, None])
def test_scaling(scaling: Any, hidden: Any, dtype: Any, tmp_path: Path) -> None:
    """Also of rows far from those of the fit, and of a single one."""
    learned = isinstance(scaling, str)
    rows = FEW if learned else X if scaling == FACTORS else X[:, :2]
    model = trainer(hidden, scaling=scaling, dtype=dtype.name).fit(rows, NUMBERS)
    far = rows * 10.0 ** RNG.uniform(-3, 5, rows.shape)
    session = session_of(model, tmp_path)
    agree(model, np.vstack([rows, far]) if learned else rows, tmp_path)
    one = outputs_of(session, rows[:1])["predictions"]
    np.testing.assert_allclose(one[0, 0], model.predict(rows[:1])[0], rtol=1e-4)
    assert outputs_of(session, rows[:0])["predictions"].shape == (0, 1)


@pytest.mark.parametrize("scaling", ["robust", "piecewise", "quantile"])
def test_values_that_overflow(scaling: str, tmp_path: Path) -> None:
    """The differences of such values are infinite; they are clipped."""
    model = trainer(scaling=scaling, dtype="float64").fit(FEW, NUMBERS)
    far = np.vstack([FEW, np.full((2, 7), [[1.79e308], [-1.79e308]])])
    agree(model, far, tmp_path)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_pixels_of_other_dtypes_go_in_as_doubles(kind: Any, tmp_path: Path) -> None:
    images = (RNG.integers(0, 256, (N, 64)) * (RNG.random((N, 64)) < 0.5)).astype(kind)
    model = trainer().fit(images, images[:, 0] > 60)
    assert model.scaling_.kind == "factor"
    agree(model, images, tmp_path)


# -------------------------------------------------------------------------------------------- gaps


@pytest.mark.parametrize("scaling", ["standard", "piecewise", None])
def test_gaps_are_filled(scaling: Any, tmp_path: Path) -> None:
    rows = RNG.normal(size=(N, 4))
    rows[::3, 1], rows[::7, 2] = NAN, NAN
    target = np.where(np.isnan(rows[:, 1]), 2, rows[:, 0])
    model = trainer(scaling=scaling, missing="impute").fit(rows, target)
    assert model.model_.encoding.inputs.columns.gaps == (1, 2)
    rows[:5, 3] = NAN  # where the fit had no gaps
    agree(model, rows, tmp_path)
    without = trainer(scaling=scaling, missing="impute").fit(RNG.normal(size=(N, 4)), target)
    agree(without, rows, tmp_path)


@pytest.mark.parametrize("scaling", [*LEARNED_SCALINGS, None])
@pytest.mark.parametrize("loss", ["squared_error", "softmax_cross_entropy"])
def test_a_gap_that_is_not_filled_gives_nan(scaling: Any, loss: str, tmp_path: Path) -> None:
    """Where the trainer would refuse the row; the other rows stay."""
    rows = RNG.normal(size=(N, 3))
    model = trainer(scaling=scaling, loss=loss).fit(rows, (rows[:, 0] > 0) * 1)
    session = session_of(model, tmp_path)
    wanted = [*outputs_of(session, rows).values()][-1]
    rows[4, 1] = NAN
    got = [*outputs_of(session, rows).values()][-1]
    assert np.isnan(got[4]).all()
    np.testing.assert_allclose(np.delete(got, 4, 0), np.delete(wanted, 4, 0), rtol=1e-6)


# -------------------------------------------------------------------------------------- categories

CITY = RNG.choice(["Rome", "Oslo", "São Paulo", ""], N).tolist()
FLOOR = RNG.integers(1, 4, N).tolist()
SIZE = RNG.choice([0.5, 1.5], N).tolist()
GARDEN = (RNG.random(N) < 0.5).tolist()
TARGET = (np.array(CITY) == "Oslo") * 2.0 + np.array(FLOOR) * np.array(SIZE) + X[:, 0]


def pandas_table(missing: Any = None) -> pd.DataFrame:
    table = pd.DataFrame({"age": X[:, 0], "city": CITY, "year": X[:, 4], "floor": FLOOR})
    table["size"], table["garden"] = SIZE, GARDEN
    if missing:
        table.loc[::5, ["city", "floor"]] = None
        table.loc[::4, "age"] = NAN
    kinds = dict.fromkeys(["city", "floor", "size", "garden"], "category")
    return table.astype(kinds)


def polars_table(missing: Any = None) -> pl.DataFrame:
    """Categories of strings alone, as Polars has them."""
    table = pl.from_pandas(pandas_table(missing).astype({"floor": "str", "garden": bool}))
    return table.with_columns(pl.col("floor").cast(pl.Categorical), pl.col("size").cast(float))


def tensors(table: Any, session: Any) -> dict[str, Any]:
    """A missing category is a string that is none of them; here "" is one."""
    feeds = {}
    for tensor in session.get_inputs():
        if tensor.type == "tensor(string)":
            values = ["?" if v is None or v != v else str(v) for v in table[tensor.name].to_list()]
            feeds[tensor.name] = np.array(values, object)[:, None]
        else:
            values = [NAN if v is None else v for v in table[tensor.name].to_list()]
            feeds[tensor.name] = np.array(values, np.float64)[:, None]
    return feeds


@pytest.mark.parametrize("missing", [None, "impute"])
@pytest.mark.parametrize("package", [pandas_table, polars_table])
@pytest.mark.parametrize("scaling", ["auto", None])
def test_tables(package: Any, missing: Any, scaling: Any, tmp_path: Path) -> None:
    table = package(missing)
    model = trainer(missing=missing or "error", scaling=scaling)
    if scaling is None:
        table = table.drop(columns="year") if package is pandas_table else table.drop("year")
    model.fit(table, TARGET)
    session = session_of(model, tmp_path)
    kinds = {tensor.name: tensor.type for tensor in session.get_inputs()}
    assert list(kinds) == model.feature_names_in_.tolist()
    texts = {name for name, kind in kinds.items() if kind == "tensor(string)"}
    assert texts == {"city"} | ({"floor"} if package is polars_table else set())
    assert set(kinds.values()) == {"tensor(string)", "tensor(double)"}
    assert all(tensor.shape == ["rows", 1] for tensor in session.get_inputs())
    agree(model, table, tmp_path, tensors(table, session))


def test_unknown_categories_are_zeros(tmp_path: Path) -> None:
    table = pandas_table()
    model = trainer().fit(table, TARGET)
    rows = table.head(3).astype({"city": object, "floor": object})
    rows["city"], rows["floor"] = ["Paris", None, "Rome"], [7, None, 2]
    with pytest.warns(UserWarning, match="no training row had"):
        model.predict(rows)
    session = session_of(model, tmp_path)
    got = agree(model, rows, tmp_path, tensors(rows, session))
    assert len(got["predictions"]) == 3


def test_one_row_and_none_of_a_table(tmp_path: Path) -> None:
    table = pandas_table()
    model = trainer().fit(table, TARGET)
    session = session_of(model, tmp_path)
    one = outputs_of(session, tensors(table[:1], session))["predictions"]
    np.testing.assert_allclose(one[:, 0], model.predict(table[:1]), rtol=1e-5)
    assert outputs_of(session, tensors(table[:0], session))["predictions"].shape == (0, 1)


def test_tables_of_categories_alone(tmp_path: Path) -> None:
    table = pandas_table()[["city", "floor"]]
    model = trainer().fit(table, TARGET)
    agree(model, table, tmp_path, tensors(table, session_of(model, tmp_path)))
    one = table[["floor"]].set_axis(["X"], axis=1)
    model.fit(one, TARGET)
    agree(model, one, tmp_path, tensors(one, session_of(model, tmp_path)))


def test_tables_of_numbers_go_in_as_one_tensor(tmp_path: Path) -> None:
    table = pandas_table()[["age", "year"]]
    agree(trainer().fit(table, TARGET), table, tmp_path)


@pytest.mark.parametrize("scaling", ["piecewise", "quantile", 0.5, None])
@pytest.mark.parametrize("hidden", [(), 16])
def test_many_categories(
    scaling: Any, hidden: Any, dtype: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of the first weights are looked up: no column of 0 and 1 is made."""
    monkeypatch.setattr("fastmlp.inputs.categories_and_gaps.MOST_DENSE", 3)
    data = pd.DataFrame(
        {
            "shop": pd.Categorical(RNG.permutation(N) % 7 + 0.5),
            "size": np.where(np.arange(N) % 5, X[:, 0], NAN),
            "none": pd.Categorical([None] * N, ["a"]),
            "user": pd.Categorical([f"u{k}" for k in RNG.integers(0, 12, N)]),
        }
    )
    settings = {"scaling": scaling, "missing": "impute", "dtype": dtype.name, "epochs": 5}
    model = trainer(hidden, **settings).fit(data, X[:, 0] + data["user"].cat.codes)
    data["shop"] = data["shop"].astype(float).where(np.arange(N) % 9 > 0)
    data.loc[:2, "shop"] = [0.0, 3.0, 99.0]
    data["user"] = data["user"].astype(object).where(np.arange(N) % 8 > 0, "nobody")
    rows = {name: data[[name]].to_numpy() for name in ("shop", "size", "user")}
    with pytest.warns(UserWarning, match="which no training row had"):
        agree(model, data, tmp_path, rows)
    alone = trainer(hidden, **settings).fit(data[["user"]].astype("category"), X[:, 0])
    agree(alone, data[["user"]], tmp_path, {"user": rows["user"]})


def test_a_column_without_categories_is_left_out(tmp_path: Path) -> None:
    table = pandas_table().assign(empty=pd.Categorical([None] * N))
    model = trainer().fit(table, TARGET)
    session = session_of(model, tmp_path)
    assert "empty" not in {tensor.name for tensor in session.get_inputs()}
    agree(model, table, tmp_path, tensors(table, session))


def test_names_of_columns(tmp_path: Path) -> None:
    """Of numbers, of none, of nodes, and of outputs that these networks do not have."""
    table = pandas_table()
    for names in (
        range(6), range(10, 16), ["Gemm_4", "Concat_0", "Gather_3", "constant_1", "label", " é"],
    ):  # fmt: skip
        table.columns = pd.Index(names)
        model = trainer().fit(table, TARGET)
        session = session_of(model, tmp_path)
        named = [tensor.name for tensor in session.get_inputs()]
        assert named == list(map(str, names))
        feeds = tensors(table.set_axis(named, axis=1), session)
        agree(model, table, tmp_path, feeds)


def test_a_name_of_the_second_output_of_a_node(tmp_path: Path) -> None:
    def exported(name: str) -> list[Any]:
        kinds = pd.Categorical(np.array(["a", "b"])[np.arange(N) % 2])
        table = pd.DataFrame({"age": X[:, 0], name: kinds})
        model = trainer((), loss=losses.Quantile((0.1, 0.9))).fit(table, NUMBERS)
        agree(model, table, tmp_path, tensors(table, session_of(model, tmp_path)))
        nodes = onnx.load(tmp_path / "model.onnx").graph.node
        return [node.output[1] for node in nodes if node.op_type == "TopK"]

    (name,) = exported("kind")
    assert exported(name) != [name]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a", "city", "a", "floor", "size", "garden"], "different names.*'a'"),
        (["", "city", "b", "floor", "size", "garden"], "different names.*''"),
        (["predictions", "city", "b", "floor", "size", "garden"], "may be called 'predictions'"),
    ],
)
def test_names_that_are_refused(names: list[str], said: str, tmp_path: Path) -> None:
    table = pandas_table()
    table.columns = pd.Index(names)
    model = trainer().fit(table, TARGET)
    with pytest.raises(ValueError, match=said):
        model.to_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, "one"], "categories of X\\['kind'\\] must be all strings or all numbers"),
        ([2**53, 2**53 + 1], "X\\['kind'\\] must be exact as float64; got 9007199254740993"),
    ],
)  # fmt: skip
def test_categories_that_are_refused(values: list[Any], said: str, tmp_path: Path) -> None:
    kind = pd.Categorical.from_codes(np.arange(N) % 2, categories=pd.Index(values))
    model = trainer().fit(pd.DataFrame({"kind": kind, "age": X[:, 0]}), NUMBERS)
    with pytest.raises(ValueError, match=said):
        model.to_onnx(tmp_path / "model.onnx")
