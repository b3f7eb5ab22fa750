"""Piecewise encoding: where features are cut, and that fits and predictions see the bins."""

import pickle
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastmlp import Ensemble, Trainer
from fastmlp.data import open_features
from fastmlp.inputs import Scaling, learn_inputs
from fastmlp.inputs.bins import REACH, Bins, bins_between, bins_per_feature
from tests.helpers.basics import NAN, Array, needs_compiler
from tests.helpers.models import fit_settings, numbers, same_weights

RNG = np.random.default_rng(0)
N = 640
# Incomes, ages, heavy tails, two values, a constant, few values, mostly zeros.
RAW = np.stack(
    [
        RNG.lognormal(10, 1, N), RNG.integers(18, 90, N), RNG.standard_cauchy(N),
        RNG.integers(0, 2, N) * 5.0, np.full(N, 7.25), RNG.integers(0, 4, N),
        (RNG.uniform(size=N) < 0.05) * RNG.uniform(1, 9, N),
    ],
    axis=1,
)  # fmt: skip
LABELS = (RAW[:, 1] // 10 % 2).astype(int) + (RAW[:, 3] > 0)
BINS = 10  # 640 rows, 64 for each


def learned(rows: Any, weights: Array | None = None) -> Scaling:
    settings = fit_settings(scaling="piecewise")
    return learn_inputs(open_features(rows), slice(None), weights, settings)[0].scaling


def as_read(scaling: Scaling, rows: Array, dtype: str = "float64") -> Array:
    kind = np.dtype(dtype)
    return scaling.as_read(scaling.apply(rows, kind), kind)


def trainer(**settings: Any) -> Trainer:
    return Trainer(16, **{"epochs": 3, "seed": 0, "scaling": "piecewise", **settings})


def outputs(model: Trainer, rows: Array) -> Array:
    """Of a network of one hidden layer, from what its inputs should be."""
    W1, b1, W2, b2 = (array.astype(float) for array in model.get_weights())
    inputs = as_read(model.scaling_, rows, "float64")
    return np.asarray(np.maximum(inputs @ W1 + b1, 0) @ W2 + b2)


# ------------------------------------------------------------------------------- where the cuts are


def test_a_bin_rises_between_two_quantiles() -> None:
    x = RAW[:, 0]
    got = as_read(learned(x[:, None]), x[:, None])
    cuts = np.quantile(x, np.linspace(0, 1, BINS + 1), method="inverted_cdf")
    assert got.shape == (N, 1 + BINS)
    for k, (low, high) in enumerate(pairwise(cuts)):
        bin_ = got[:, 1 + k]
        assert np.allclose(bin_[x <= low], -REACH, rtol=0, atol=1e-12)
        assert np.allclose(bin_[x >= high], REACH, rtol=0, atol=1e-12)
        inside = (x > low) & (x < high)
        assert (np.abs(bin_[inside]) < REACH).all()
        order = x[inside].argsort()
        assert (np.diff(bin_[inside][order]) > 0).all()
        # A straight line between its ends, of the scaled feature, which stands first.
        z, ends = got[inside, 0], [got[x == end, 0][0] for end in (low, high)]
        line = REACH * (2 * (z - ends[0]) / (ends[1] - ends[0]) - 1)
        assert np.allclose(bin_[inside], line, rtol=0, atol=1e-9)


def test_features_come_first_as_robust_scaling_leaves_them() -> None:
    scaling = learned(RAW)
    settings = fit_settings(scaling="robust")
    robust = learn_inputs(open_features(RAW), slice(None), None, settings)[0].scaling
    got = as_read(scaling, RAW)
    assert np.array_equal(got[:, :7], robust.apply(RAW, np.dtype("float64")))
    assert scaling.n_inputs(7) == got.shape[1] == 7 + scaling.bins.count  # type: ignore[union-attr]


def test_bins_by_feature() -> None:
    ends = learned(RAW).bins.ends  # type: ignore[union-attr]
    counts = np.diff(ends).tolist()
    # Two values and constants have none, four values the three between them, few others some.
    assert counts[:6] == [BINS, BINS, BINS, 0, 0, 3]
    assert 2 <= counts[6] <= BINS


@pytest.mark.parametrize(
    ("features", "rows", "wanted"),
    [
        (1, 10**6, 16),
        (64, 10**6, 16),
        (100, 10**6, 10),
        (256, 10**6, 4),
        (257, 10**6, 0),
        (5, 255, 0),
        (5, 256, 4),
        (5, 1023, 15),
        (0, 10**6, 16),
    ],
)
def test_how_many_bins(features: int, rows: int, wanted: int) -> None:
    assert bins_per_feature(features, rows) == wanted


def test_one_that_asks_gets_bins_of_many_features_and_few_rows() -> None:
    scaling = learned(RNG.standard_normal((40, 300)))
    assert (np.diff(scaling.bins.ends) == 4).all()  # type: ignore[union-attr]


def test_values_too_near_one_another_are_not_cut_apart() -> None:
    x = np.concatenate([RNG.uniform(size=N // 2), 0.5 + 1e-9 * RNG.uniform(size=N // 2)])
    got = as_read(learned(x[:, None]), x[:, None])
    assert np.isfinite(got).all()
    assert np.abs(got[:, 1:]).max() <= REACH


def test_rows_without_anything_to_cut() -> None:
    rows = np.stack([np.full(50, 3.0), np.arange(50) % 2], axis=1)
    scaling = learned(rows)
    assert scaling.bins.count == 0  # type: ignore[union-attr]
    assert as_read(scaling, rows).shape == (50, 2)


def test_values_beyond_those_of_the_training_rows() -> None:
    scaling = learned(RAW)
    beyond = RAW[:2].copy()
    beyond[0], beyond[1] = -1e300, 1e300
    bins = as_read(scaling, beyond)[:, 7:]
    assert np.allclose(bins[0], -REACH, rtol=0, atol=1e-6)
    assert np.allclose(bins[1], REACH, rtol=0, atol=1e-6)


# ----------------------------------------------------------------------------- fits and predictions


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [1, 7, 64, 639, N])
def test_predictions_are_those_of_features_and_bins(dtype: str, batch_size: int) -> None:
    model = trainer(dtype=dtype, batch_size=batch_size, epochs=2).fit(RAW, LABELS)
    logits = outputs(model, RAW)
    error = 2e-5 if dtype == "float32" else 1e-12
    assert np.allclose(
        model.decision_function(RAW), logits, rtol=0, atol=error * np.abs(logits).max()
    )


@needs_compiler
def test_training_sees_them() -> None:
    """The same network on rows that have the bins already."""
    model = trainer(dtype="float64").fit(RAW, LABELS)
    inside = as_read(model.scaling_, RAW)
    plain = trainer(dtype="float64", scaling=None).fit(inside, LABELS)
    for got, wanted in zip(model.get_weights(), plain.get_weights(), strict=True):
        assert np.allclose(got, wanted, rtol=0, atol=1e-9)
    assert model.history["loss"] == pytest.approx(plain.history["loss"], rel=1e-9)


@pytest.mark.threading
@needs_compiler
@pytest.mark.parametrize("hidden", [(), 16, (64, 32)])
def test_threads_and_single_rows_change_nothing(hidden: Any) -> None:
    settings: dict[str, Any] = {"epochs": 2, "seed": 0, "batch_size": 200, "scaling": "piecewise"}
    one, two = (Trainer(hidden, threads=k, **settings).fit(RAW, LABELS) for k in (1, 2))
    assert same_weights(one.get_weights(), two.get_weights())
    probabilities = one.predict_proba(RAW)
    assert np.array_equal(two.predict_proba(RAW), probabilities)
    for row in (0, 1, N - 1):
        assert np.array_equal(one.predict_proba(RAW[row : row + 1])[0], probabilities[row])


@needs_compiler
def test_only_training_rows_are_learned_from() -> None:
    others = RAW.copy()
    others[400:] *= 1e3
    part = trainer(validation_fraction=240 / N, validation_split="last").fit(others, LABELS)
    pair = trainer().fit(RAW[:400], LABELS[:400], validation_data=(others[400:], LABELS[400:]))
    weighted = trainer().fit(others, LABELS, sample_weight=np.arange(N) < 400)
    assert numbers(part.history) == numbers(pair.history)
    assert same_weights(part.get_weights(), pair.get_weights())
    assert np.array_equal(as_read(weighted.scaling_, RAW), as_read(part.scaling_, RAW))


@needs_compiler
def test_what_goes_with_them() -> None:
    dropped = trainer(dropout=(0.2, 0.1)).fit(RAW, LABELS)
    assert not same_weights(dropped.get_weights(), trainer().fit(RAW, LABELS).get_weights())
    table = pd.DataFrame(RAW).assign(town=pd.Categorical(np.array(list("abcd"))[LABELS]))
    table.columns = [f"c{j}" for j in range(8)]
    table.loc[3, "c0"] = NAN
    model = trainer(missing="impute").fit(table, LABELS)
    columns = 7 + 3 + 1  # numbers, categories, where the gap is
    assert model.layer_sizes_[0] == columns + model.scaling_.bins.count  # type: ignore[union-attr]
    assert np.diff(model.scaling_.bins.ends)[7:].tolist() == [0] * 4  # type: ignore[union-attr]
    assert model.score(table, LABELS) > 0.5
    ensemble = Ensemble(trainer(), 2).fit(RAW, LABELS)
    assert ensemble.predict_proba(RAW).shape == (N, 3)
    assert f"piecewise scaling and {model.scaling_.bins.count} bins" in model.summary()  # type: ignore[union-attr]


@needs_compiler
def test_chunks_are_cut_by_the_first() -> None:
    rows = np.delete(RAW, 4, axis=1)
    chunks = [(rows[:400], LABELS[:400]), (rows[400:] * 9, LABELS[400:])]
    stream = trainer(epochs=1).fit_stream(chunks, classes=[0, 1, 2])
    parts = trainer()
    for chunk in chunks:
        parts.partial_fit(*chunk, classes=[0, 1, 2])
    assert same_weights(stream.get_weights(), parts.get_weights())
    assert np.array_equal(as_read(parts.scaling_, rows), as_read(learned(rows[:400]), rows))


@needs_compiler
def test_a_network_is_continued_with_its_cuts() -> None:
    model = trainer(warm_start=True).fit(RAW, LABELS)
    first = model.scaling_
    model.fit(RAW * 2, LABELS)
    assert model.scaling_ is first
    model.scaling = "robust"
    with pytest.raises(ValueError, match="got scaling='robust', but the network has piecewise"):
        model.fit(RAW, LABELS)


# --------------------------------------------------------------------------------- out of a process


@needs_compiler
def test_copies_predict_alike() -> None:
    model = trainer().fit(RAW, LABELS)
    wanted = model.predict_proba(RAW)
    other, weights_alone = trainer(), trainer()
    other.set_state(model.get_state())
    weights_alone.set_weights(model.get_weights(), scaling=model.scaling_)
    for copied in (pickle.loads(pickle.dumps(model)), other, weights_alone):
        assert np.array_equal(copied.predict_proba(RAW), wanted)
        assert copied.n_features_in_ == 7


@needs_compiler
def test_a_scaling_that_does_not_fit_the_weights() -> None:
    model, flat = trainer().fit(RAW, LABELS), trainer(scaling="robust").fit(RAW, LABELS)
    with pytest.raises(ValueError, match=r"^scaling must make \d+ inputs of the features; got 7"):
        model.set_weights(model.get_weights(), scaling=flat.scaling_)
    with pytest.raises(ValueError, match=r"^scaling must make 7 inputs of the features; got"):
        flat.set_weights(flat.get_weights(), scaling=model.scaling_)
    with pytest.raises(ValueError, match=r"^scaling must be for "):
        trainer().set_weights(flat.get_weights(), scaling=model.scaling_)


@needs_compiler
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ends", np.arange(8)), ("ends", np.zeros(8)), ("ends", np.array([[0]])),
        ("slopes", np.array([NAN])), ("slopes", np.ones(3)), ("offsets", np.ones(3, np.float32)),
        ("offsets", None), ("slopes", lambda a: -a), ("offsets", lambda a: a + np.eye(len(a))[3]),
    ],
)  # fmt: skip
def test_damaged_bins(name: str, value: Any) -> None:
    model = trainer().fit(RAW, LABELS)
    state = model.get_state()
    bins = state["model"]["encoding"]["inputs"]["scaling"]["bins"]
    bins[name] = value(bins[name]) if callable(value) else value
    with pytest.raises(ValueError, match="the saved state of this trainer is damaged"):
        trainer().set_state(state)


# --------------------------------------------------------------------------------- bins of a file


@pytest.mark.parametrize(
    ("cuts", "message"),
    [(np.linspace(-3, 3, 256), "more than 254"), (np.array([0.0, 5.0]), "beyond 4"),
     (np.array([-1e30, 0.0]), "beyond 4")],
    ids=["many", "above", "below"],
)  # fmt: skip
def test_bins_that_kernels_cannot_compute_are_refused(cuts: Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Bins.from_plain(vars(bins_between([cuts])))


def test_as_many_bins_as_kernels_count() -> None:
    """A fit of the most bins of a feature that a file may have."""
    bins = Bins.from_plain(vars(bins_between([np.linspace(-3, 3, 255), np.array([0.0, 1.0])])))
    X = RNG.uniform(-3, 3, (200, 2))
    rng = np.random.default_rng(0)
    sizes = (257, 5), (5,), (5, 2), (2,)
    weights = [rng.normal(size=size) for size in sizes]
    settings: dict[str, Any] = {"dtype": "float64", "seed": 0, "epochs": 2, "warm_start": True}
    binned, plain = Trainer(5, **settings), Trainer(5, scaling=None, **settings)
    binned.set_weights(weights, scaling=Scaling("piecewise", bins=bins))
    plain.set_weights(weights)
    binned.fit(X, X[:, 0] > 0)
    plain.fit(bins.beside(X), X[:, 0] > 0)
    for ours, wanted in zip(binned.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-9)


def test_knots_are_found_once() -> None:
    """Calls of partial_fit have the same arrays."""
    knots = Scaling("piecewise", bins=bins_between([np.array([0.0, 1, 2])])).knots
    assert knots is not None
    single, double = (knots.arrays(np.dtype(kind)) for kind in ("float32", "float64"))
    assert knots.arrays(np.dtype("float32")) is single
    np.testing.assert_allclose(double["knots"], [-1, 0, 1, 2, 3], atol=1e-12)
    assert (single["knots"].dtype, double["knots"].dtype) == (np.float32, np.float64)
