"""Scaling of features: what is learned, of which rows, and that it goes wherever the weights go."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from fastmlp import Trainer
from fastmlp.data import open_features
from fastmlp.inputs import Scaling, learn_inputs
from tests.helpers.basics import INF, Array, needs_compiler
from tests.helpers.models import fit_settings, numbers, same_weights

RNG = np.random.default_rng(0)
N = 90
# Ages, incomes, seconds since 1970, heavy tails, a category, mostly one value, a constant.
RAW = np.stack(
    [
        RNG.integers(18, 90, N), RNG.lognormal(10, 1, N), 1.7e9 + RNG.integers(0, 9, N),
        RNG.standard_cauchy(N), RNG.integers(0, 2, N), (RNG.uniform(size=N) < 0.1) * 50.0,
        np.full(N, 7.25),
    ],
    axis=1,
)  # fmt: skip
LABELS = (RAW[:, 0] > 50).astype(int) + (RAW[:, 4] > 0)
KINDS = ("standard", "robust", "piecewise", "quantile", "max_abs")


def learned(setting: Any, rows: Array, weights: Array | None = None) -> Scaling:
    settings = fit_settings(scaling=setting)
    return learn_inputs(open_features(rows), slice(None), weights, settings)[0].scaling


def scaled(
    setting: Any, rows: Array, weights: Array | None = None, dtype: str = "float64"
) -> Array:
    return learned(setting, rows, weights).apply(rows, np.dtype(dtype))


def trainer(**settings: Any) -> Trainer:
    return Trainer(**{"hidden": 8, "epochs": 3, "seed": 0, "optimizer": "adam", **settings})


# ----------------------------------------------------------------------------------- what each does


def test_standard_and_max_abs_are_those_of_scikit_learn() -> None:
    # But a constant feature becomes 0, also where other rows have another value.
    rows = RAW[:, :-1]
    assert np.allclose(scaled("standard", rows), StandardScaler().fit_transform(rows), atol=1e-9)
    assert np.allclose(scaled("max_abs", rows), MaxAbsScaler().fit_transform(rows), rtol=1e-15)


def test_robust_is_that_of_the_paper() -> None:
    got = scaled("robust", RAW)
    for j in range(6):
        x = RAW[:, j]
        lower, median, upper = np.quantile(x, [0.25, 0.5, 0.75], method="inverted_cdf")
        z = (x - median) / (upper - lower if upper > lower else (x.max() - x.min()) / 2)
        assert np.allclose(got[:, j], z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-12, atol=1e-12)
    assert np.abs(got).max() < 3


def test_quantile_makes_any_distribution_normal() -> None:
    rows = np.exp(3 * RNG.standard_normal((5000, 2)))
    got = scaled("quantile", rows)
    assert np.abs(got.mean(axis=0)).max() < 0.01
    assert np.abs(got.std(axis=0) - 1).max() < 0.02
    order = rows[:, 0].argsort()
    assert (np.diff(got[order, 0]) >= 0).all()
    scaling = learned("quantile", rows)
    beyond = scaling.apply(np.array([[-1e300, 0.0], [1e300, 1e9]]), np.dtype("float32"))
    assert np.allclose(np.abs(beyond), np.abs(got).max(), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_feature_is_harmless(kind: str) -> None:
    scaling = learned(kind, RAW)
    others = RAW[:4].copy()
    others[:, -1] = [7.25, 0, 1e9, -1e30]
    column = scaling.apply(others, np.dtype("float32"))[:, -1]
    if kind == "max_abs":  # which knows no centre: it has a largest value, too
        assert column[0] == 1
    else:
        assert (column == column[0]).all()
        assert abs(column[0]) < 1e-12


@pytest.mark.parametrize("kind", ["standard", "robust", "piecewise", "quantile"])
@pytest.mark.parametrize("n_rows", [90, 30_000])
def test_a_constant_is_found_in_spite_of_rounding(kind: str, n_rows: int) -> None:
    """The weighted mean of many equal numbers is another one."""
    values, weights = RNG.lognormal(size=20), RNG.uniform(size=n_rows)
    scaling = learned(kind, np.tile(values, (n_rows, 1)), weights)
    probe = np.stack([values, 0 * values, 9 * values])
    assert np.abs(scaling.apply(probe, np.dtype("float64"))).max() < 1e-15


@pytest.mark.parametrize("kind", ["standard", "robust", "piecewise", "quantile"])
@pytest.mark.parametrize("given", ["float64", "int64", "table"])
def test_large_offsets_lose_nothing(kind: str, given: str) -> None:
    offsets = np.array([1_000_000, 1_700_000_000])
    near = RNG.integers(-5, 6, (200, 2))
    rows: Any = (near + offsets).astype("int64" if given == "int64" else "float64")
    if given == "table":
        rows = pd.DataFrame(near + offsets, columns=["a", "b"])
    labels = near[:, 0] > near[:, 1]
    far, close = (trainer(scaling=kind).fit(x, labels) for x in (rows, near.astype(float)))
    assert np.allclose(far.predict_proba(rows), close.predict_proba(near), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unit", [1e-300, 1e-30, 1e30, 1e300])
def test_the_unit_does_not_matter(kind: str, unit: float) -> None:
    rows = RAW[:, [0, 1, 3]]
    assert np.allclose(scaled(kind, rows * unit), scaled(kind, rows), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", [*KINDS, "auto"])
def test_a_weight_of_k_is_k_rows(kind: str) -> None:
    weights = RNG.integers(1, 5, N).astype(float)
    repeated = RAW.repeat(weights.astype(int), axis=0)
    probe = RAW[:20]
    got, wanted = learned(kind, RAW, weights), learned(kind, repeated)
    assert np.allclose(
        got.apply(probe, np.dtype("float64")), wanted.apply(probe, np.dtype("float64")),
        rtol=0, atol=1e-6,  # the mean of seconds since 1970 is known to 2e-7

    )  # fmt: skip


@pytest.mark.parametrize("kind", ["robust", "max_abs", "auto"])
def test_zeros_stay_where_there_are_mostly_zeros(kind: str) -> None:
    rows = (
        RNG.uniform(size=(300, 40)) * (RNG.uniform(size=(300, 40)) < 0.1) * RNG.uniform(1, 99, 40)
    )
    assert np.array_equal(scaled(kind, rows) == 0, rows == 0)


# Of 4,000 rows, a column with a value that most or almost half of them have, up to noise.
OFTEN: dict[str, tuple[float, float]] = {"80%": (0.8, 5.0), "96%": (0.96, 5.0), "49.9%": (0.499, 0)}


@needs_compiler
@pytest.mark.parametrize("kind", [*KINDS, "auto"])
@pytest.mark.parametrize(
    ("often", "noise"),
    [
        (often, noise)
        for often in OFTEN
        for noise in (0.0, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3)
        if often != "96%" or noise < 1e-9
    ],
)
def test_noise_is_no_unit(kind: str, noise: float, often: str) -> None:
    """Quartiles that only noise keeps apart do not set the scale; the score is as without it."""
    fraction, value = OFTEN[often]
    rng = np.random.default_rng(0)
    rows = 100 * rng.normal(size=(4000, 2))
    same = rng.permutation(4000) < fraction * 4000
    near = value + noise * rng.uniform(-1, 1, 4000)
    rows[:, 0] = np.where(same, near, value + rng.normal(size=4000))
    targets = rows[:, 0] + 0.1 * np.sin(rows[:, 1] / 100)
    train, test = slice(3000), slice(3000, None)
    model = trainer(scaling=kind, epochs=20, hidden=32, batch_size=64, learning_rate=0.01)
    model.fit(rows[train], targets[train])
    factor = model.scaling_.factor
    assert kind == "quantile" or 0.05 < np.atleast_1d(factor)[0] < 20
    assert model.score(rows[test], targets[test]) > (0.8 if kind == "quantile" else 0.97)


# ------------------------------------------------------------------------- samples of many rows


def mixed(spacing: int, n_rows: int = 40_000) -> Array:
    """Rows of N(1000, 100), every ``spacing``-th of N(0, 1), and what a sample must find."""
    rng = np.random.default_rng(1)
    rows = rng.normal(1000, 100, (n_rows, 2))
    rows[::spacing] = rng.normal(size=rows[::spacing].shape)
    return rows


@pytest.mark.parametrize("kind", ["robust", "piecewise", "auto"])
def test_many_rows_that_alternate(kind: str) -> None:
    rows = mixed(2)
    scaling = learned(kind, rows)
    quartiles = np.quantile(rows, [0.25, 0.75], axis=0)
    # The median lies in the gap between the two: half of the rows, +- 0.0035, are on either side.
    assert isinstance(scaling.centre, np.ndarray)
    assert isinstance(scaling.factor, np.ndarray)
    assert np.abs(np.mean(rows < scaling.centre, axis=0) - 0.5).max() < 0.015
    np.testing.assert_allclose(1 / scaling.factor, np.ptp(quartiles, axis=0), rtol=0.02)


@pytest.mark.parametrize("period", [3, 24, 20_000])
def test_many_rows_of_a_periodic_series(period: int) -> None:
    hours = np.arange(480_000)
    rows = np.sin(2 * np.pi * hours / period)[:, None] * [1, 100] + 300
    quantiles = learned("quantile", rows).points
    fractions = (np.arange(256) + 0.5) / 256
    wanted = np.quantile(rows, fractions, axis=0, method="inverted_cdf")
    assert isinstance(quantiles, np.ndarray)
    for j in range(2):
        below = np.searchsorted(np.sort(rows[:, j]), quantiles[1:-1, j], "right") / len(rows)
        assert (below > fractions - 0.02).all()
        upto = np.searchsorted(np.sort(rows[:, j]), quantiles[1:-1, j], "left") / len(rows)
        assert (upto < fractions + 0.02).all()
    assert np.abs(quantiles[1:-1] - wanted).max() <= np.ptp(rows)


def test_pixels_that_alternate() -> None:
    """Of every 60 images one has no zeros."""
    pixels = np.zeros((60_000, 16), np.float32)
    pixels[:, ::2] = RNG.integers(100, 256, (60_000, 8))
    pixels[::60] = 255
    assert learned("auto", pixels).kind == "factor"


@pytest.mark.parametrize("kind", KINDS)
def test_samples_do_not_depend_on_the_seed(kind: str) -> None:
    rows = mixed(2)
    first, second = (
        learn_inputs(open_features(rows), slice(None), None, fit_settings(scaling=kind, seed=seed))
        for seed in (1, 2)
    )
    assert np.array_equal(first[1], second[1])


@pytest.mark.parametrize("kind", ["robust", "piecewise", "quantile"])
def test_few_of_many_rows_that_weigh_most(kind: str) -> None:
    """A weight of k counts as k rows in a sample, too."""
    rows, weights = mixed(2), np.full(40_000, 1e-6)
    chosen = np.arange(1, 40_000, 4000)
    weights[chosen] = 1e6
    got, wanted = learned(kind, rows, weights), learned(kind, rows[chosen])
    probe, dtype = rows[chosen], np.dtype("float64")
    differences = np.abs(got.apply(probe, dtype) - wanted.apply(probe, dtype))
    assert np.median(differences) < 0.3


# ----------------------------------------------------------------------------------- what auto does


PIXELS = RNG.integers(0, 256, (50, 30)) * (RNG.uniform(size=(50, 30)) < 0.5)
AUTO: dict[str, tuple[Array, str, float]] = {
    "a raw table": (RAW, "robust", 1.0),
    "pixels": (PIXELS.astype(float), "factor", 1 / 255),
    "pixels as bytes": (PIXELS.astype(np.uint8), "factor", 1 / 255),
    "bytes without zeros": (RNG.integers(9, 256, (50, 30)).astype(np.uint8), "factor", 1 / 255),
    "pixels between 0 and 1": (PIXELS / 255, "none", 1.0),
    "0 and 1": ((PIXELS > 99).astype(float), "none", 1.0),
    "unit size": (RNG.standard_normal((400, 9)), "none", 1.0),
    "few rows": (RNG.standard_normal((255, 9)) + 3, "robust", 1.0),
    "enough rows": (RNG.standard_normal((256, 9)) + 3, "piecewise", 1.0),
    "an outlier": (np.vstack([RNG.standard_normal((400, 9)), np.full(9, 1e3)]), "piecewise", 1.0),
    "many features": (RNG.standard_normal((256, 256)) + 3, "piecewise", 1.0),
    "too many features": (RNG.standard_normal((256, 257)) + 3, "robust", 1.0),
    "mostly zeros": (RNG.standard_normal((400, 9)) * (RNG.random((400, 9)) < 0.1), "robust", 1.0),
    "two values": (RNG.integers(0, 2, (400, 9)) * 7.0 + 1, "robust", 1.0),
    "few columns of bytes": (RNG.integers(0, 99, (50, 4)).astype(np.uint8), "robust", 1.0),
    "constants": (np.ones((9, 3)), "robust", 1.0),
}


@pytest.mark.parametrize("name", AUTO)
def test_auto(name: str) -> None:
    rows, kind, factor = AUTO[name]
    scaling = learned("auto", rows)
    assert scaling.kind == kind
    assert scaling.kernel_factor == pytest.approx(factor, rel=0.03)
    assert scaling.reason.startswith("auto: ")
    assert scaling.reason in str(scaling)


def test_auto_of_a_linear_model_is_standard() -> None:
    settings = fit_settings(hidden=())
    rows = RNG.lognormal(size=(400, 9))
    inputs, _ = learn_inputs(open_features(rows), slice(None), None, settings)
    assert inputs.scaling.kind == "standard"


@needs_compiler
def test_pixels_train_alike_whatever_their_unit() -> None:
    labels = np.arange(50) % 3
    pixels = PIXELS.astype(np.uint8)
    models = [
        trainer().fit(X, labels)
        for X in (pixels, pixels.astype(np.float32), pixels.astype(float), pixels / 255)
    ]
    first = models[0].predict_proba(pixels)
    for model, X in zip(models[1:], (pixels.astype(np.float32), pixels, pixels / 255), strict=True):
        assert np.allclose(model.predict_proba(X), first, rtol=0, atol=1e-6)


# ------------------------------------------------------------------------------- which rows it sees


@needs_compiler
@pytest.mark.parametrize("kind", KINDS)
def test_only_training_rows_are_learned_from(kind: str) -> None:
    others = RAW.copy()
    others[60:] *= 1e3
    fraction = trainer(scaling=kind, validation_fraction=1 / 3, validation_split="last").fit(
        others, LABELS
    )
    pair = trainer(scaling=kind).fit(
        RAW[:60], LABELS[:60], validation_data=(others[60:], LABELS[60:])
    )
    weighted = trainer(scaling=kind).fit(others, LABELS, sample_weight=np.arange(N) < 60)
    assert numbers(fraction.history) == numbers(pair.history)
    assert same_weights(pair.get_weights(), fraction.get_weights())
    probe, dtype = RAW[:9], np.dtype("float32")
    assert np.array_equal(
        weighted.scaling_.apply(probe, dtype), fraction.scaling_.apply(probe, dtype)
    )


@needs_compiler
def test_chunks_are_scaled_by_the_first() -> None:
    rows = RAW[:, :-1]
    chunks = [(rows[:50], LABELS[:50]), (rows[50:] * 9, LABELS[50:])]
    stream = trainer(epochs=1).fit_stream(chunks, classes=[0, 1, 2])
    parts = trainer()
    parts.partial_fit(*chunks[0], classes=[0, 1, 2])
    first = parts.scaling_
    parts.partial_fit(*chunks[1])
    assert parts.scaling_ is first
    alone = learned("auto", rows[:50])
    for model in (stream, parts):
        assert np.array_equal(model.scaling_.centre, alone.centre)  # type: ignore[arg-type]
    assert same_weights(stream.get_weights(), parts.get_weights())


# ------------------------------------------------------------------------- it goes with the weights


@needs_compiler
@pytest.mark.parametrize(
    "setting",
    ["standard", "robust", "quantile", "max_abs", "auto", None, 0.5, (1, 0.1, 1e-9, 1, 1, 0.0, 2)],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predictions_are_those_of_scaled_rows(setting: Any, dtype: str) -> None:
    settings = {"hidden": 8, "optimizer": "adam", "epochs": 3, "seed": 0, "dtype": dtype}
    rows = RAW if setting != 0.5 and setting is not None else RAW / RAW.max(axis=0)
    model = Trainer(scaling=setting, **settings).fit(rows, LABELS)
    inside = model.scaling_.apply(rows, np.dtype(dtype))
    if model.scaling_.leaves_rows:
        inside = inside * np.dtype(dtype).type(model.scaling_.kernel_factor)
    plain = Trainer(scaling=None, **settings).fit(inside, LABELS)
    assert same_weights(model.get_weights(), plain.get_weights())
    assert np.array_equal(model.predict_proba(rows), plain.predict_proba(inside))
    assert np.array_equal(model.predict_proba(rows[:1]), plain.predict_proba(inside[:1]))
    assert model.evaluate(rows, LABELS) == plain.evaluate(inside, LABELS)


@needs_compiler
@pytest.mark.parametrize("setting", [*KINDS, "auto"])
def test_copies_scale_alike(setting: Any) -> None:
    model = trainer(scaling=setting).fit(RAW, LABELS)
    wanted = model.predict_proba(RAW)
    other = trainer()
    other.set_state(model.get_state())
    weights_alone = trainer()
    weights_alone.set_weights(model.get_weights(), scaling=model.scaling_)
    for copied in (pickle.loads(pickle.dumps(model)), other, weights_alone):
        assert np.array_equal(copied.predict_proba(RAW), wanted)
        assert str(copied.scaling_) == str(model.scaling_)


@needs_compiler
def test_given_weights_take_features_as_they_come() -> None:
    model = trainer(scaling="standard").fit(RAW, LABELS)
    other = trainer()
    other.set_weights(model.get_weights())
    assert other.scaling_.kind == "none"
    inside = model.scaling_.apply(RAW, np.dtype("float32"))
    assert np.array_equal(other.predict_proba(inside), model.predict_proba(RAW))
    model.set_weights(other.get_weights())  # what was learned stays
    assert model.scaling_.kind == "standard"
    factors = trainer()
    factors.set_weights(model.get_weights(), scaling=[0.5] * 7)
    halves = (RAW * 0.5).astype(np.float32)
    assert np.array_equal(factors.predict_proba(RAW), other.predict_proba(halves))


@needs_compiler
def test_a_network_is_continued_with_its_scaling() -> None:
    model = trainer(warm_start=True).fit(RAW, LABELS)
    first = model.scaling_
    model.fit(RAW * 2, LABELS)
    assert model.scaling_ is first
    model.scaling = "robust"  # what auto chose
    model.fit(RAW, LABELS)
    before = model.get_weights()
    for other in ("standard", None, 0.5, [1.0] * 7):
        model.scaling = other
        with pytest.raises(
            ValueError, match="warm_start continues a network as it is; got scaling="
        ):
            model.fit(RAW, LABELS)
    assert same_weights(model.get_weights(), before)


@needs_compiler
def test_bad_scalings() -> None:
    with pytest.raises(ValueError, match="scaling must be for 7 features; got 3 of them"):
        trainer(scaling=[1, 2, 3]).fit(RAW, LABELS)
    model = trainer().fit(RAW, LABELS)
    for given, error in (("robust", TypeError), ([1.0, 2.0], ValueError), (INF, ValueError)):
        with pytest.raises(error, match="scaling"):
            model.set_weights(model.get_weights(), scaling=given)


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_that_stay_are_not_copied(dtype: str) -> None:
    rows = RNG.standard_normal((400, 9)).astype(dtype)
    assert learned("auto", rows).apply(rows, np.dtype(dtype)) is rows
    pixels = PIXELS.astype(np.uint8)
    assert learned("auto", pixels).apply(pixels, np.dtype(dtype)) is pixels
