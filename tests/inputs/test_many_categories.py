"""Tables with more categories than dense rows take: the same functions, of sparse rows."""

import copy
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fastmlp
from fastmlp import Trainer
from fastmlp.callbacks import EarlyStopping
from fastmlp.data import SparseRows, open_features
from fastmlp.inputs import categories_and_gaps, learn_columns
from fastmlp.inputs.learn_scaling import learn_scaling
from fastmlp.inputs.sparse_columns import sparse_rows
from tests.helpers.categories import PACKAGES
from tests.helpers.processes import run

NAN = np.nan
N, LEVELS = 240, 30
RNG = np.random.default_rng(1)
A, B = RNG.normal(size=N) * 4 + 7, RNG.normal(size=N)
GAPS = np.arange(N) % 9 == 0
USER = [f"u{k:02}" for k in RNG.integers(0, LEVELS, N)]
SHOP = RNG.integers(0, 4, N)
Y = ((A > 7) ^ (np.array([int(user[1:]) for user in USER]) % 2 == 0)).astype(int)
WEIGHTS = RNG.integers(0, 4, N).astype(float)
SCALINGS = None, "robust", "piecewise", "standard", "max_abs", "quantile"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few categories are many."""
    monkeypatch.setattr(categories_and_gaps, "MOST_DENSE", 5)


def table(package: str = "pandas", *, gaps: bool = True) -> Any:
    frame, category = PACKAGES[package]
    users: list[Any] = [None if k % 11 == 5 else user for k, user in enumerate(USER)]
    return frame(
        {
            "user": category(users),
            "a": A,
            "shop": category(list(map(str, SHOP))),
            "b": np.where(GAPS, NAN, B) if gaps else B,
        }
    )


def by_hand(scaling: str | None = None, *, gaps: bool = True) -> Any:
    """The inputs as pandas and a scaling of the numbers alone make them."""
    data = table(gaps=gaps)
    numbers = data[["a", "b"]].fillna(data[["a", "b"]].median()).to_numpy()
    if scaling is not None:
        learned = learn_scaling(scaling, numbers, None)
        numbers = learned.as_read(learned.apply(numbers, np.dtype(float)), np.dtype(float))
    ones = pd.get_dummies(data[["user", "shop"]]).to_numpy(float)
    marks = GAPS[:, None].astype(float) if gaps else np.empty((N, 0))
    return np.hstack([numbers[:, :2], ones, marks, numbers[:, 2:]])


def trainer(**settings: Any) -> Trainer:
    own = {
        "hidden": 8,
        "epochs": 3,
        "seed": 0,
        "missing": "impute",
        "dtype": "float64",
        "scaling": None,
    }
    return Trainer(**{**own, **settings})


def assert_close(one: Trainer, other: Trainer) -> None:
    for w, v in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(w, v, rtol=1e-9, atol=1e-12)


# ------------------------------------------------------------------------------------ the same rows


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize(
    "scaling", [None, "robust", "piecewise", "standard", "max_abs", "quantile"]
)
def test_the_inputs(few: None, package: str, scaling: str | None) -> None:
    model = trainer(epochs=1, scaling=scaling).fit(table(package), Y)
    rows = model.model_.encoding.rows(table(package), np.dtype(float))
    assert isinstance(rows, SparseRows)
    expected = by_hand(scaling)
    assert rows.shape == expected.shape == (N, model.layer_sizes_[0])
    np.testing.assert_allclose(rows.dense(), expected, rtol=1e-12)
    assert (rows.values != 0).all()
    within = np.diff(rows.columns)[np.isin(np.arange(1, len(rows.columns)), rows.ends, invert=True)]
    assert (within > 0).all()
    assert len(model.scaling_.constant) == 0
    assert model.model_.encoding.inputs.columns.n_scaled == 2


def test_rows_in_blocks(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    columns, rows = learn_columns(open_features(table()), slice(None), None, None, "impute")
    scaling = learn_scaling("robust", rows[:, :2], None)
    dtype = np.dtype(np.float32)
    whole = sparse_rows(columns, rows, open_features(table()), scaling, dtype)
    monkeypatch.setattr("fastmlp.data.tables._BLOCK_ROWS", 7)
    parts = sparse_rows(columns, rows, open_features(table()), scaling, dtype)
    for name in ("ends", "columns", "values"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    assert parts.dtype == dtype


def test_auto_goes_by_the_numbers(few: None) -> None:
    n = 2000
    data = pd.DataFrame({"a": RNG.lognormal(size=n), "c": pd.Categorical(np.arange(n) % 9)})
    model = Trainer(4, epochs=1, seed=0).fit(data, np.arange(n) % 2)
    alone = Trainer(4, epochs=1, seed=0).fit(data[["a"]], np.arange(n) % 2)
    assert str(model.scaling_) == str(alone.scaling_)
    assert model.scaling_.bins is not None
    assert model.layer_sizes_[0] == alone.layer_sizes_[0] + 9


@pytest.mark.parametrize("scaling", ["auto", "robust", "quantile", None, 0.5])
def test_categories_alone(few: None, tmp_path: Path, scaling: Any) -> None:
    data = table()[["user"]]
    model = trainer(scaling=scaling).fit(data, Y)
    ones = pd.get_dummies(data).to_numpy(float)
    assert_close(model, trainer().fit(ones, Y))
    model.save(tmp_path / "m.safetensors")
    loaded = fastmlp.load(tmp_path / "m.safetensors")
    assert loaded.predict_proba(data).tobytes() == model.predict_proba(data).tobytes()
    model.warm_start = True
    assert len(model.fit(data, Y).history["loss"]) == 6


@pytest.mark.parametrize("scaling", [0.5, (0.5, 2.0)])
def test_given_factors_are_of_numbers(few: None, scaling: Any) -> None:
    factors = np.ones(by_hand().shape[1])
    factors[:2] = scaling
    assert_close(trainer(scaling=scaling).fit(table(), Y), trainer().fit(by_hand() * factors, Y))
    with pytest.raises(ValueError, match="scaling must be for 2 features; got 3 of them"):
        trainer(scaling=(1.0, 1.0, 1.0)).fit(table(), Y)


# ------------------------------------------------------------------------------------ the same fits

SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "SGD": {"optimizer": "sgd"},
    "classes": {"class_weight": {0: 1.0, 1: 3.0}},
    "stopping": {"early_stopping": EarlyStopping(patience=1), "validation_fraction": 0.2},
    "refit": {"refit": True, "validation_fraction": 0.2, "early_stopping": True},
    "averaging": {"weight_averaging": 0.5, "metrics": ("roc_auc", "accuracy")},
    "penalties": {"l2": 0.01, "l1": 0.001, "clip_norm": 0.5},
    "dropout": {"dropout": (0.2, 0.2)},
    "linear": {"hidden": ()},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_fits_are_those_of_dense_inputs(few: None, name: str) -> None:
    settings = SETTINGS[name]
    # Medians, too, are learned of the training rows alone.
    data, inputs = table(gaps=False), by_hand(gaps=False)
    one, other = trainer(**settings), trainer(**settings)
    one.fit(data, Y, sample_weight=WEIGHTS)
    other.fit(inputs, Y, sample_weight=WEIGHTS)
    assert_close(one, other)
    for key, values in other.history.items():
        if key != "seconds":
            np.testing.assert_allclose(one.history[key], values, rtol=1e-9)
    np.testing.assert_allclose(one.predict_proba(data[:1]), other.predict_proba(inputs[:1]))
    found, wanted = one.evaluate(data, Y, WEIGHTS), other.evaluate(inputs, Y, WEIGHTS)
    assert found == pytest.approx(wanted, rel=1e-9)
    if not settings.get("refit"):
        one.warm_start = other.warm_start = True
        one.fit(data, Y, sample_weight=WEIGHTS)
        assert_close(one, other.fit(inputs, Y, sample_weight=WEIGHTS))


def test_resumed_fits(few: None, tmp_path: Path) -> None:
    whole = trainer(epochs=4, scaling="robust").fit(table(), Y)
    half = trainer(epochs=2, scaling="robust", warm_start=True).fit(table(), Y)
    half.save(tmp_path / "half.safetensors")
    for resumed in (
        fastmlp.load(tmp_path / "half.safetensors"), pickle.loads(pickle.dumps(half)),
        copy.deepcopy(half), trainer(epochs=2, scaling="robust", warm_start=True),
    ):  # fmt: skip
        if not hasattr(resumed, "layer_sizes_"):
            resumed.set_state(half.get_state())
        resumed.fit(table(), Y)
        assert resumed.predict_proba(table()).tobytes() == whole.predict_proba(table()).tobytes()


def test_chunks(few: None) -> None:
    def chunks(data: Any) -> Any:
        return lambda: ((data[k : k + 80], Y[k : k + 80]) for k in range(0, N, 80))

    frame, inputs = table(gaps=False), by_hand(gaps=False)
    first = frame[:80]
    known = set(first["user"].dropna())
    frame["user"] = frame["user"].cat.set_categories(sorted(known))
    used = [0, 1, *(2 + k for k in range(LEVELS) if f"u{k:02}" in known), *range(2 + LEVELS, 36)]
    one = trainer().fit_stream(chunks(frame), validation_data=(frame, Y))
    other = trainer().fit_stream(chunks(inputs[:, used]), validation_data=(inputs[:, used], Y))
    assert_close(one, other)
    one, other = trainer(), trainer()
    for (X, labels), (dense, _) in zip(chunks(frame)(), chunks(inputs[:, used])(), strict=True):
        one.partial_fit(X, labels)
        other.partial_fit(dense, labels)
    assert_close(one, other)
    with pytest.raises(ValueError, match="in columns 'a': give a larger first chunk"):
        trainer(scaling="robust").partial_fit(frame.assign(a=1.0), Y)
    with pytest.raises(ValueError, match="in columns 'a', 'b': give a larger first chunk"):
        trainer(scaling="robust").partial_fit(frame.assign(a=NAN, b=2.0), Y)


def test_several_fits(few: None) -> None:
    rows = [np.arange(N) % 2 == 0, np.flatnonzero(np.arange(N) % 3)]
    models = fastmlp.fit_many([trainer(), trainer()], table(), Y, rows)
    for model, own in zip(models, rows, strict=True):
        data = table().iloc[own]
        assert_close(model, trainer().fit(data, Y[own]))
    ensemble = fastmlp.Ensemble(trainer(), 2).fit(table(), Y)
    mean = np.mean([one.predict_proba(table()) for one in ensemble.members], axis=0)
    np.testing.assert_allclose(ensemble.predict_proba(table()), mean, rtol=1e-12)
    right = ensemble.predict(table()) == Y
    assert ensemble.evaluate(table(), Y)["accuracy"] == pytest.approx(right.mean())


def test_few_in_training_many_in_all(few: None) -> None:
    """Only those of the training rows count, and decide the form of all rows."""
    labels = np.arange(N) % 2
    data = pd.DataFrame({"c": pd.Categorical(np.arange(N) // 10), "a": A})
    model = trainer(validation_fraction=0.8, validation_split="last")
    with pytest.warns(UserWarning, match="holds 5, 6, 7, 8, 9, ..., which no training row had"):
        model.fit(data, labels)
    assert model.layer_sizes_[0] == 6
    assert isinstance(model.model_.encoding.rows(data[:3], np.dtype(float)), np.ndarray)


# --------------------------------------------------------------------------------------- other rows


@pytest.mark.parametrize("package", PACKAGES)
def test_unknown_and_missing_categories(few: None, package: str) -> None:
    make, category = PACKAGES[package]
    model = trainer(scaling="robust").fit(table(package), Y)
    new = make(
        {
            "user": category(["new", None, USER[0]]), "a": [7.0, 7.0, 7.0],
            "shop": category(["1", "1", None]), "b": [NAN, 0.0, 0.0],
        }
    )  # fmt: skip
    with pytest.warns(UserWarning, match=r"^X\['user'\] holds 'new', which no training row had"):
        rows = model.model_.encoding.rows(new, np.dtype(float)).dense()
    shop, user = 2 + LEVELS + 1, 2 + int(USER[0][1:])
    ones = [np.flatnonzero(row[2:-1]).tolist() for row in rows]
    assert ones == [[shop - 2], [shop - 2], [user - 2]]
    assert rows[:, -1].tolist() == [1, 0, 0]
    proba = model.predict_proba(new)
    for k in range(3):
        one = new.slice(k, 1) if hasattr(new, "slice") else new[k : k + 1]
        np.testing.assert_allclose(model.predict_proba(one), proba[k : k + 1], rtol=1e-12)


def test_other_rows_are_refused(few: None) -> None:
    model = trainer().fit(table(gaps=False), Y)
    before = model.get_state()
    with pytest.raises(TypeError, match=r"^X\['user'\] must hold categories such as 'u00'.*got 3"):
        model.predict(table(gaps=False).assign(user=3))
    with pytest.raises(ValueError, match="fit with missing="):
        trainer(missing="error").fit(table(), Y)
    with pytest.raises(ValueError, match="is inf; it must be finite"):
        model.partial_fit(table().assign(a=np.inf), Y)
    with (
        pytest.warns(UserWarning, match="no column names"),
        pytest.raises(TypeError, match="X must be a table, as columns 0, 2 are categories"),
    ):
        model.predict(by_hand()[:, :4])
    with pytest.raises(ValueError, match="scaling must be for 36 features; got 2 of them"):
        trainer().set_weights(
            model.get_weights(), scaling=trainer(scaling="robust").fit(table(), Y).scaling_
        )
    with pytest.raises(ValueError, match=r"compiled\(\) needs features that are numbers"):
        model.compiled()
    assert model.get_state().keys() == before.keys()
    assert_close(model, trainer().fit(table(gaps=False), Y))


def test_files_take_fewer(few: None, tmp_path: Path) -> None:
    data = table(gaps=False).assign(y=Y)
    data.to_parquet(tmp_path / "rows.parquet")
    message = (
        "at most 2,000 categories .* read in parts.*; got 34, most of them in column 'user': fit"
    )
    with pytest.raises(ValueError, match=message):
        trainer().fit_stream(tmp_path / "rows.parquet", target="y")


# ------------------------------------------------------------------------------------ really many


def people(n_levels: int, n: int) -> tuple[pd.DataFrame, Any]:
    """Rows of users of whom each has a row, and labels that go by the user."""
    rng = np.random.default_rng(0)
    ids = np.concatenate([rng.permutation(n_levels), rng.integers(0, n_levels, n - n_levels)])
    names = pd.Index([f"user {k}" for k in range(n_levels)])
    data = pd.DataFrame({"user": pd.Categorical.from_codes(ids, names), "a": rng.normal(size=n)})
    return data, np.where(ids % 2, "odd", "even")


def test_more_than_dense_rows_take(tmp_path: Path) -> None:
    data, labels = people(3000, 9000)
    model = Trainer(8, epochs=5, learning_rate=0.01, seed=0).fit(data, labels)
    assert model.layer_sizes_[0] == 3001
    assert model.score(data, labels) > 0.95
    model.save(tmp_path / "m.safetensors")
    loaded = fastmlp.load(tmp_path / "m.safetensors")
    assert (loaded.predict(data) == model.predict(data)).all()
    assert (loaded.predict(data[5:6]) == model.predict(data[5:6])).all()


def test_a_warmup_leaves_the_trainer_as_it_is(few: None) -> None:
    model = trainer(hidden=(8, 4), warm_start=True, scaling="robust").fit(table(), Y)
    before = model.predict_proba(table())
    for any_data in (False, True):
        fastmlp.warmup(model, any_data=any_data)
    assert model.predict_proba(table()).tobytes() == before.tobytes()


MEMORY = """
import numpy as np
from fastmlp import Trainer
from tests.inputs.test_many_categories import people

def memory(name):
    with open("/proc/self/status") as file:
        return int(file.read().partition(name)[2].split()[0]) * 1024

X, y = people(100_000, 300_000)
Trainer(64, epochs=2, seed=0).fit(X[:3000], y[:3000])  # what kernels and packages take
before = memory("VmRSS:")
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
model = Trainer(64, epochs=2, seed=0, scaling="robust").fit(X, y)
network = model.model_.network
print(memory("VmHWM:") - before, network.packed.nbytes + network.state.nbytes)
"""


@pytest.mark.full
def test_memory_is_three_times_that_of_weights_and_optimizer() -> None:
    """Beside 40 MB of rows, names and their places."""
    peak, weights = map(int, run(MEMORY, timeout=300).split())
    assert weights > 100_000 * 64 * 4 * 3
    assert peak < 3 * weights + 60e6


@pytest.mark.full
def test_time_does_not_grow_with_the_square_of_levels() -> None:
    """Encoding, and a row of a table that has all categories."""
    data, labels = people(400_000, 400_000)
    model = Trainer((), epochs=1, optimizer="sgd", seed=0).fit(data, labels)
    dtype = np.dtype(np.float32)
    encode = model.model_.encoding.rows
    assert min(seconds(lambda: encode(data, dtype)) for _ in range(2)) < 10
    assert min(seconds(lambda: encode(data[7:8], dtype)) for _ in range(5)) < 0.05


def seconds(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
