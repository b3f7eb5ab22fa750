"""Targets: their units, shapes and kinds; what a loss takes, and what it refuses."""

import copy
import pickle
from contextlib import nullcontext
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastmlp import FitWarning, Trainer, losses
from fastmlp.optimizers import Adam
from tests.helpers.basics import INF, NAN, Array, needs_compiler

pytestmark = needs_compiler

ROWS = 60
_rng = np.random.default_rng(0)
X = _rng.normal(size=(ROWS, 5))
_raw = np.stack([X[:, 0] + X[:, 1] ** 2, np.sin(X[:, 2]), X[:, 3] * X[:, 4]], axis=1)
_raw += _rng.normal(0, 0.3, _raw.shape)
UNIT = (_raw - _raw.mean(axis=0)) / _raw.std(axis=0)  # of mean 0 and standard deviation 1
LABELS = np.digitize(UNIT[:, 0], [-0.5, 0.5])
MULTILABEL = (UNIT > 0).astype(int)
PROBABILITIES = _rng.dirichlet(np.ones(3), ROWS)
NEW = _rng.normal(size=(7, 5))


def trainer(loss: Any = "auto", **options: Any) -> Trainer:
    settings = {
        "hidden": 6, "optimizer": Adam(0.02), "epochs": 15, "batch_size": 16, "seed": 0,
        "dtype": "float64", "scaling": None,
    }  # fmt: skip
    return Trainer(**{**settings, **options}, loss=loss)


# ------------------------------------------------------------------------------------------ units

UNITS = {"large": (1e5, 2e4), "small": (1e-4, 1e-5), "far": (-1e6, 1.0), "tiny": (0.0, 1e-25),
         "huge": (0.0, 1e25)}  # fmt: skip
# Of the unit: the loss as one of it, and how its value grows with it.
LOSSES_OF_NUMBERS: dict[str, Any] = {
    "squared_error": (lambda unit: losses.SquaredError(), 2),
    "absolute_error": (lambda unit: losses.AbsoluteError(), 1),
    "huber": (lambda unit: losses.Huber(0.5 * unit), 2),
    "quantile": (lambda unit: losses.Quantile(0.3), 1),
    "quantiles": (lambda unit: losses.Quantile((0.2, 0.7)), 1),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", LOSSES_OF_NUMBERS)
def test_the_unit_of_targets_does_not_matter(name: str, unit: str, dtype: str) -> None:
    loss_of, degree = LOSSES_OF_NUMBERS[name]
    centre, spread = UNITS[unit]
    Y = UNIT[:, 0] if name == "quantiles" else UNIT[:, :2]
    plain, scaled = (trainer(loss_of(one), dtype=dtype) for one in (1, spread))
    plain.fit(X, Y, validation_data=(X[:20], Y[:20]))
    scaled.fit(X, centre + spread * Y, validation_data=(X[:20], centre + spread * Y[:20]))

    tolerance = 1e-3 if dtype == "float32" else 1e-7
    for record in ("r2", "val_r2"):
        np.testing.assert_allclose(
            scaled.history[record], plain.history[record], rtol=0, atol=tolerance
        )
    for record in ("loss", "val_loss"):
        values = np.divide(scaled.history[record], spread**degree)
        np.testing.assert_allclose(values, plain.history[record], rtol=tolerance)
    predictions = (scaled.predict(NEW) - centre) / spread
    np.testing.assert_allclose(predictions, plain.predict(NEW), rtol=0, atol=tolerance)
    evaluated = scaled.evaluate(X, centre + spread * Y)
    np.testing.assert_allclose(
        evaluated["loss"] / spread**degree, plain.evaluate(X, Y)["loss"], rtol=tolerance
    )


@pytest.mark.filterwarnings("ignore:.*still fell:fastmlp.FitWarning")
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_validation_rows_teach_nothing(loss: str) -> None:
    """The unit is that of the training rows."""
    Y = np.exp(UNIT[:, 0])
    far = np.where(np.arange(ROWS) < 45, Y, 1e6 * Y)
    options: dict[str, Any] = {"validation_fraction": 0.25, "validation_split": "last"}
    one, other = (trainer(loss, **options).fit(X, numbers) for numbers in (Y, far))
    assert one.history["val_loss"] != other.history["val_loss"]
    for got, wanted in zip(one.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(got, wanted)


@pytest.mark.parametrize("name", ["squared_error", "absolute_error", "huber", "quantile"])
def test_columns_have_units_of_their_own(name: str) -> None:
    loss_of = LOSSES_OF_NUMBERS[name][0]
    spreads = np.array([1.0, 1.0, 1.0]) if name == "huber" else np.array([1e-3, 1.0, 1e4])
    plain = trainer(loss_of(1)).fit(X, UNIT)
    scaled = trainer(loss_of(1)).fit(X, [5, -7, 0] + spreads * UNIT)
    np.testing.assert_allclose(scaled.history["r2"], plain.history["r2"], rtol=1e-9, atol=1e-9)
    predictions = (scaled.predict(NEW) - [5, -7, 0]) / spreads
    np.testing.assert_allclose(predictions, plain.predict(NEW), rtol=0, atol=1e-9)
    # The loss is the mean of those of the columns.
    errors = scaled.predict(X) - ([5, -7, 0] + spreads * UNIT)
    values = {
        "squared_error": errors**2 / 2,
        "absolute_error": np.abs(errors),
        "huber": np.where(np.abs(errors) < 0.5, errors**2 / 2, 0.5 * np.abs(errors) - 0.125),
        "quantile": np.where(errors > 0, 0.7 * errors, -0.3 * errors),
    }[name]
    loss = scaled.evaluate(X, [5, -7, 0] + spreads * UNIT)["loss"]
    assert loss == pytest.approx(values.mean(), rel=1e-9)


def test_delta_is_in_the_unit_of_each_column() -> None:
    """The same delta is small for the errors of one column and large for those of another."""
    spreads = np.array([1.0, 100.0, 0.01])
    fitted = trainer(losses.Huber(1.0)).fit(X, spreads * UNIT)
    errors = np.abs(fitted.predict(X) - spreads * UNIT)
    values = np.where(errors < 1, errors**2 / 2, errors - 0.5)
    assert fitted.evaluate(X, spreads * UNIT)["loss"] == pytest.approx(values.mean(), rel=1e-9)
    # Large ones train as a squared error.
    quadratic = trainer("squared_error").fit(X, UNIT)
    wide = trainer(losses.Huber(1e6)).fit(X, UNIT)
    np.testing.assert_allclose(wide.predict(NEW), quadratic.predict(NEW), rtol=1e-9)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_a_constant_column(loss: str) -> None:
    Y = np.stack([np.full(ROWS, 0.1), UNIT[:, 0]], axis=1)
    fitted = trainer(loss).fit(X, Y)
    predictions = fitted.predict(X)
    assert np.abs(predictions[:, 0] - 0.1).mean() < 0.5
    assert np.isfinite(fitted.history["r2"]).all()
    assert np.isfinite([*fitted.evaluate(X, Y).values()]).all()
    alone = trainer(loss).fit(X, Y[:, 0])
    assert np.isfinite(alone.history["r2"]).all()


@pytest.mark.parametrize("unit", [1e-200, 1e160])
def test_numbers_whose_squares_overflow_or_vanish(unit: float) -> None:
    """Their spread would be 1, or infinite, and nothing would be learned."""
    numbers = np.stack([X[:, 0], unit * X[:, 1]], axis=1)
    for loss in ("squared_error", "absolute_error"):
        model = trainer(loss)
        with pytest.raises(ValueError, match=r"^Y must have a range .*; got .*: choose another"):
            model.fit(X, numbers)
        assert model.fit(X, 0 * numbers + unit).history["r2"][-1] == 0


@pytest.mark.parametrize(("dtype", "unit"), [("float32", 1e25), ("float64", 1e200)])
def test_numbers_far_from_those_of_the_fit(dtype: str, unit: float) -> None:
    model = trainer("squared_error", dtype=dtype).fit(X, X[:, 0])
    before = model.predict(X)
    for call in (model.evaluate, model.score, model.partial_fit):
        with pytest.raises(ValueError, match=r"^Y\[0\] is too far from Y of the fit; got "):
            call(X, unit * X[:, 0])
    assert np.array_equal(model.predict(X), before)
    with pytest.raises(ValueError, match=r"^validation Y\[0\] is too far"):
        model.fit(X, X[:, 0], validation_data=(X, unit * X[:, 0]))


def test_counts_of_any_size_train_alike() -> None:
    counts = np.random.default_rng(1).poisson(np.exp(X[:, 0]) * 3)
    plain = trainer("poisson").fit(X, counts)
    scaled = trainer("poisson").fit(X, 1000 * counts)
    np.testing.assert_allclose(scaled.predict(NEW), 1000 * plain.predict(NEW), rtol=1e-9)
    np.testing.assert_allclose(scaled.history["r2"], plain.history["r2"], rtol=1e-9)
    for Y, fitted in ((counts, plain), (1000 * counts, scaled)):
        means = fitted.predict(X)
        loss = np.mean(means - Y * np.log(means))
        assert fitted.evaluate(X, Y)["loss"] == pytest.approx(loss, rel=1e-9)
        np.testing.assert_allclose(fitted.decision_function(X), np.log(means), rtol=1e-9)


def test_counts_that_are_all_zero() -> None:
    fitted = trainer("poisson", epochs=100).fit(X, np.zeros(ROWS))
    assert (fitted.predict(X) < 0.5).all()


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int8", "uint16", "bool"])
def test_types_of_numbers(dtype: str) -> None:
    """What counts is the value."""
    Y = (20 * np.abs(UNIT[:, 0])).astype(dtype)
    fitted = trainer("squared_error").fit(X, Y)
    wanted = trainer("squared_error").fit(X, Y.astype(np.float64))
    assert np.array_equal(fitted.predict(NEW), wanted.predict(NEW))
    assert fitted.predict(NEW).dtype == np.float64
    assert fitted.evaluate(X, Y) == wanted.evaluate(X, Y.astype(np.float64))


def test_weights_are_in_the_unit_of_the_targets() -> None:
    Y = 1e4 + 100 * UNIT
    fitted = trainer("squared_error").fit(X, Y)
    W1, b1, W2, b2 = fitted.get_weights()
    outputs = np.maximum(X @ W1 + b1, 0) @ W2 + b2
    np.testing.assert_allclose(outputs, fitted.predict(X), rtol=1e-9)
    before = fitted.predict(X)
    fitted.set_weights([W1, b1, W2, b2])
    np.testing.assert_allclose(fitted.predict(X), before, rtol=1e-12)
    given = trainer("squared_error")
    given.set_weights([W1, b1, W2, b2])
    np.testing.assert_allclose(given.predict(X), before, rtol=1e-12)


# ----------------------------------------------------------------------------------------- shapes

NUMBER_SHAPES = {
    "one": (UNIT[:, 0], (7,)),
    "one column": (UNIT[:, :1], (7,)),
    "columns": (UNIT, (7, 3)),
    "series": (pd.Series(UNIT[:, 0]), (7,)),
    "frame": (pd.DataFrame(UNIT), (7, 3)),
}


@pytest.mark.parametrize("shape", NUMBER_SHAPES)
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_shapes_of_numbers(loss: str, shape: str) -> None:
    Y, wanted = NUMBER_SHAPES[shape]
    fitted = trainer(loss, epochs=2).fit(X, Y)
    for rows in (NEW, NEW[:1]):
        predictions = fitted.predict(rows)
        assert predictions.shape == (len(rows), *wanted[1:])
        assert np.array_equal(fitted.decision_function(rows), predictions)
    for model in (fitted, trainer(loss)):
        with pytest.raises(AttributeError, match=f"there are no probabilities with loss='{loss}'"):
            model.predict_proba(NEW)
    with pytest.raises(AttributeError, match=f"there are no classes with loss='{loss}'"):
        fitted.classes_  # noqa: B018


@pytest.mark.parametrize("columns", [(), (2,)])
def test_shapes_of_counts(columns: tuple[int, ...]) -> None:
    counts = np.random.default_rng(1).poisson(3, (ROWS, *columns))
    fitted = trainer("poisson", epochs=2).fit(X, counts)
    assert fitted.predict(NEW).shape == fitted.decision_function(NEW).shape == (7, *columns)
    with pytest.raises(AttributeError, match="there are no probabilities with loss='poisson'"):
        fitted.predict_proba(NEW)


def test_quantiles_are_in_order() -> None:
    """Also where the lines of the network cross."""
    quantiles = 0.05, 0.5, 0.6, 0.95
    fitted = trainer(losses.Quantile(quantiles), epochs=1).fit(X, UNIT[:, 0])
    outputs = _outputs_of(fitted, X)
    assert (np.diff(outputs, axis=1) < 0).any()
    predictions = fitted.predict(X)
    assert predictions.shape == (ROWS, 4)
    assert np.array_equal(predictions, fitted.decision_function(X))
    np.testing.assert_allclose(predictions, np.sort(outputs, axis=1), rtol=1e-9, atol=1e-12)
    # The loss is that of the outputs; in order they have at most as much.
    errors = UNIT[:, :1] - outputs
    loss = np.maximum(np.array(quantiles) * errors, (np.array(quantiles) - 1) * errors).mean()
    assert fitted.evaluate(X, UNIT[:, 0])["loss"] == pytest.approx(loss, rel=1e-9)


def _outputs_of(fitted: Trainer, rows: Array) -> Array:
    W1, b1, W2, b2 = fitted.get_weights()
    result: Array = np.maximum(rows @ W1 + b1, 0) @ W2 + b2
    return result


def test_quantiles_hold_their_fractions() -> None:
    quantiles = 0.1, 0.5, 0.9
    rng = np.random.default_rng(0)
    rows = rng.uniform(-1, 1, (2000, 1))
    Y = 3 * rows[:, 0] + rng.exponential(1 + rows[:, 0] ** 2)
    predictions = (
        trainer(losses.Quantile(quantiles), epochs=20, schedule="cosine").fit(rows, Y).predict(rows)
    )
    np.testing.assert_allclose((Y[:, None] < predictions).mean(axis=0), quantiles, atol=0.03)


# Targets, loss, shape of probabilities and of the decision function for seven rows.
CLASSES = {
    "labels": (LABELS, "auto", (7, 3), (7, 3)),
    "one-hot": (np.eye(3)[LABELS], "auto", (7, 3), (7, 3)),
    "two labels": (LABELS > 0, "auto", (7, 2), (7,)),
    "probabilities": (PROBABILITIES, "softmax_cross_entropy", (7, 3), (7, 3)),
    "pair": (np.array(["no", "yes"])[MULTILABEL[:, 0]], "binary_cross_entropy", (7, 2), (7,)),
    "multilabel": (MULTILABEL, "auto", (7, 3), (7, 3)),
}


@pytest.mark.parametrize("kind", CLASSES)
def test_shapes_of_classes(kind: str) -> None:
    Y, loss, of_probabilities, of_decisions = CLASSES[kind]
    fitted = trainer(loss).fit(X, Y)
    probabilities, decisions = fitted.predict_proba(NEW), fitted.decision_function(NEW)
    assert (probabilities.shape, decisions.shape) == (of_probabilities, of_decisions)
    predictions = fitted.predict(NEW)
    if kind == "multilabel":
        assert np.array_equal(predictions, (probabilities > 0.5).astype(int))
        np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-decisions)), rtol=1e-12)
        assert fitted.classes_.tolist() == [0, 1, 2]
    else:
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
        assert np.array_equal(predictions, fitted.classes_[probabilities.argmax(axis=1)])
    if of_decisions == (7,):
        np.testing.assert_allclose(probabilities[:, 1], 1 / (1 + np.exp(-decisions)), rtol=1e-12)
    if kind == "pair":
        assert fitted.classes_.tolist() == ["no", "yes"]
    one = fitted.predict_proba(NEW[:1])
    np.testing.assert_allclose(one, probabilities[:1], rtol=1e-12)
    assert fitted.decision_function(NEW[:1]).shape == (1, *of_decisions[1:])


def test_rows_of_probabilities_hold_labels_too() -> None:
    """Rows of 0 and 1 are probabilities as well: the same training."""
    by_label = trainer().fit(X, LABELS)
    almost = np.eye(3)[LABELS]
    almost[0] = [0.5, 0.5, 0]
    by_share = trainer("softmax_cross_entropy").fit(X, almost)
    assert by_share.evaluate(X[1:], LABELS[1:])["loss"] == pytest.approx(
        by_share.evaluate(X[1:], almost[1:])["loss"], rel=1e-12
    )
    assert by_label.history["loss"] != by_share.history["loss"]


# ------------------------------------------------------------------------------------ what auto is

AUTO: dict[str, tuple[Any, str]] = {
    "strings": (np.array(["a", "b", "c"])[LABELS], "softmax_cross_entropy"),
    "objects": (np.array(["a", "b", "c"], object)[LABELS], "softmax_cross_entropy"),
    "booleans": (LABELS > 0, "softmax_cross_entropy"),
    "integers": (LABELS, "softmax_cross_entropy"),
    "one column": (LABELS[:, None], "softmax_cross_entropy"),
    "whole floats": (LABELS.astype(float), "softmax_cross_entropy"),
    "negative integers": (LABELS - 5, "softmax_cross_entropy"),
    "thirty integers": (np.arange(ROWS) % 30, "softmax_cross_entropy"),
    "many strings": (np.arange(ROWS).astype(str), "softmax_cross_entropy"),
    "floats": (UNIT[:, 0], "squared_error"),
    "one fraction": (np.where(np.arange(ROWS) == 3, 0.5, LABELS), "squared_error"),
    "one-hot": (np.eye(3, dtype=int)[LABELS], "softmax_cross_entropy"),
    "one-hot floats": (np.eye(3)[LABELS], "softmax_cross_entropy"),
    "one-hot booleans": (np.eye(3, dtype=bool)[LABELS], "softmax_cross_entropy"),
    "rows of 0 and 1": (MULTILABEL, "binary_cross_entropy"),
    "rows of booleans": (MULTILABEL.astype(bool), "binary_cross_entropy"),
    "columns": (UNIT, "squared_error"),
    "probabilities": (PROBABILITIES, "squared_error"),
    "columns of integers": (np.stack([LABELS, LABELS + 7], axis=1), "squared_error"),
    "frame of 0 and 1": (pd.DataFrame(MULTILABEL), "binary_cross_entropy"),
}


@pytest.mark.parametrize("kind", AUTO)
def test_auto(kind: str) -> None:
    Y, loss = AUTO[kind]
    is_unsure = kind in ("thirty integers", "columns of integers")
    with pytest.warns(FitWarning, match="whole numbers") if is_unsure else nullcontext():
        fitted = trainer(epochs=2).fit(X, Y)
    named = trainer(loss, epochs=2).fit(X, Y)
    assert fitted.history["loss"] == named.history["loss"]
    assert all(map(np.array_equal, fitted.get_weights(), named.get_weights()))
    assert fitted.predict(NEW).tolist() == named.predict(NEW).tolist()


@pytest.mark.parametrize("dtype", ["int64", "float64", "uint8"])
def test_many_whole_numbers_may_be_either(dtype: str) -> None:
    Y = (np.arange(ROWS) % 31).astype(dtype)
    with pytest.raises(
        ValueError, match=r"Y holds 31 different whole numbers.*loss='squared_error'"
    ):
        trainer().fit(X, Y)
    assert "r2" in trainer("squared_error", epochs=1).fit(X, Y).history
    assert "accuracy" in trainer("softmax_cross_entropy", epochs=1).fit(X, Y).history


# ------------------------------------------------------------------------------------- rejections

WORDS = np.array(["a", "b", "c"])[LABELS]
WITH_NAN = np.where(np.arange(ROWS)[:, None] == 4, [0, NAN, 1], UNIT)
BAD: dict[str, tuple[Any, Any, str]] = {
    "negative count": ("poisson", LABELS - 1.0, r"Y\[\d+\] must not be negative for loss='poiss"),
    "two for binary": ("binary_cross_entropy", MULTILABEL * 2, r"Y\[\d+\] must hold 0 or 1"),
    "three classes": ("binary_cross_entropy", LABELS, "needs 2 classes.*got 3"),
    "one class": ("binary_cross_entropy", np.ones(ROWS, int), "one class only, 1: at least 2"),
    "nan": ("squared_error", WITH_NAN, "Y"),
    "infinity": ("squared_error", np.where(np.arange(ROWS) == 4, INF, 1), "Y"),
    "nan, auto": ("auto", WITH_NAN, "Y"),
    "words": ("squared_error", WORDS, "Y must hold numbers for this loss"),
    "words as counts": ("poisson", WORDS, "Y must hold numbers for this loss"),
    "words as quantities": ("huber", WORDS, "Y must hold numbers for this loss"),
    "fractions as labels": ("softmax_cross_entropy", UNIT[:, 0], "Y must hold class labels"),
    "no probabilities": ("softmax_cross_entropy", UNIT, r"Y\[\d+\] must be class probabilities"),
    "sum of 2": ("softmax_cross_entropy", 2 * PROBABILITIES, r"Y\[0\] must be class probabilities"),
    "three axes": ("squared_error", UNIT[:, :, None], "shape"),
    "too few": ("squared_error", UNIT[1:], f"Y has {ROWS - 1} rows, but X has {ROWS}"),
    "quantiles of columns": (
        losses.Quantile((0.1, 0.9)), UNIT, "several quantiles need one column of targets; got 3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_bad_targets_are_named(kind: str) -> None:
    loss, Y, message = BAD[kind]
    with pytest.raises((ValueError, TypeError), match=message):
        trainer(loss).fit(X, Y)


# What was trained on, the loss, and what cannot be evaluated.
UNFIT: dict[str, tuple[Any, Any, Any, str]] = {
    "columns": ("squared_error", UNIT, UNIT[:, :2], "Y has 2 columns, but 3 were trained on"),
    "no column": ("squared_error", UNIT, UNIT[:, 0], "Y has 1 columns, but 3 were trained on"),
    "a column": ("huber", UNIT[:, 0], UNIT, "Y has 3 columns, but 1 were trained on"),
    "labels": ("auto", MULTILABEL, MULTILABEL[:, :2], "Y has 2 columns, but 3 were trained on"),
    "two": ("auto", MULTILABEL, 2 * MULTILABEL, r"Y\[\d+\] must hold 0 or 1"),
    "words": ("squared_error", UNIT[:, 0], WORDS, "Y must hold numbers"),
    "unknown": ("auto", WORDS, np.full(ROWS, "d"), "unseen labels"),
    "unknown of a pair": ("binary_cross_entropy", LABELS > 0, LABELS, "unseen labels"),
    "rows": ("auto", LABELS, np.full((ROWS, 2), 0.5), "Y has 2 columns, but there are 3 classes"),
    "counts": ("poisson", LABELS, LABELS - 1, "must not be negative"),
    "quantiles": (losses.Quantile((0.1, 0.9)), UNIT[:, 0], UNIT[:, :2], "Y has 2 columns"),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNFIT)
@pytest.mark.parametrize("where", ["evaluate", "score", "validation"])
def test_what_does_not_agree_is_named(kind: str, where: str) -> None:
    loss, Y, other, message = UNFIT[kind]
    fitted = trainer(loss, epochs=1).fit(X, Y)
    calls = {
        "evaluate": lambda: fitted.evaluate(X, other),
        "score": lambda: fitted.score(X, other),
        "validation": lambda: fitted.fit(X, Y, validation_data=(X, other)),
    }
    with pytest.raises((ValueError, TypeError), match=message):
        calls[where]()


@pytest.mark.parametrize(
    "loss", ["squared_error", "absolute_error", "huber", "quantile", "poisson"]
)
def test_numbers_are_not_smoothed(loss: str) -> None:
    with pytest.raises(ValueError, match=f"label_smoothing has no effect with loss='{loss}'"):
        trainer(loss, label_smoothing=0.1).fit(X, np.abs(UNIT))
    with pytest.raises(ValueError, match="label_smoothing has no effect with loss='squared_error'"):
        trainer(label_smoothing=0.1).fit(X, UNIT)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("squared_error", losses.Quantile((0.1, 0.9))),
        (losses.Quantile((0.1, 0.9)), losses.Quantile((0.1, 0.5, 0.9))),
        (losses.Quantile((0.1, 0.9)), losses.Quantile(0.5)),
        (losses.Quantile((0.1, 0.9)), "squared_error"),
        ("squared_error", "poisson"),
        ("squared_error", "softmax_cross_entropy"),
    ],
)
def test_outputs_are_continued_as_they_are(before: Any, after: Any) -> None:
    fitted = trainer(before, epochs=1, warm_start=True).fit(X, UNIT[:, 0])
    fitted.loss = after
    with pytest.raises(ValueError, match="warm_start continues a network as it is; got loss="):
        fitted.fit(X, UNIT[:, 0])


def test_a_loss_of_the_same_numbers_goes_on() -> None:
    """In the unit that was learned, from the weights as they are."""
    Y = 1e3 + 50 * UNIT
    fitted = trainer("squared_error", warm_start=True).fit(X, Y)
    before = fitted.evaluate(X, Y)["r2"]
    fitted.loss, fitted.epochs = losses.Huber(25.0), 1
    fitted.fit(X, Y)
    errors = np.abs(fitted.predict(X) - Y)
    loss = np.where(errors < 25, errors**2 / 2, 25 * errors - 25**2 / 2).mean()
    assert fitted.evaluate(X, Y)["loss"] == pytest.approx(loss, rel=1e-9)
    assert abs(fitted.history["r2"][0] - before) < 0.1


# ---------------------------------------------------------------------------------------- copies


@pytest.mark.parametrize(
    ("loss", "Y"),
    [
        ("squared_error", 1e5 + 2e4 * UNIT),
        (losses.Huber(3.0), 10 * UNIT[:, 0]),
        (losses.Quantile((0.2, 0.4, 0.9)), 7 + UNIT[:, 0]),
        ("poisson", np.abs(np.rint(9 * UNIT))),
        ("binary_cross_entropy", MULTILABEL),
        ("binary_cross_entropy", WORDS == "a"),
        ("softmax_cross_entropy", PROBABILITIES),
    ],
    ids=["numbers", "huber", "quantiles", "counts", "labels", "pair", "probabilities"],
)
@pytest.mark.parametrize("copied", ["pickle", "copy", "deepcopy"])
def test_copies_say_the_same(copied: str, loss: Any, Y: Array) -> None:
    fitted = trainer(loss, warm_start=True, epochs=3, dtype="float32").fit(X, Y)
    other = {
        "pickle": lambda: pickle.loads(pickle.dumps(fitted)),
        "copy": lambda: copy.copy(fitted),
        "deepcopy": lambda: copy.deepcopy(fitted),
    }[copied]()
    assert np.array_equal(other.predict(NEW), fitted.predict(NEW))
    assert np.array_equal(other.decision_function(NEW), fitted.decision_function(NEW))
    assert other.evaluate(X, Y) == fitted.evaluate(X, Y)
    # And go on alike.
    assert np.array_equal(other.fit(X, Y).predict(NEW), fitted.fit(X, Y).predict(NEW))
