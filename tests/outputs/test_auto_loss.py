"""Whole numbers: what loss="auto" takes them for, and where it says so."""

import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastmlp import Ensemble, FitWarning, Trainer, fit_many
from tests.helpers.basics import Array, needs_compiler

pytestmark = needs_compiler

ROWS = 310
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 3))
COUNTS = RNG.poisson(np.exp(1.5 + 0.5 * X[:, 0]))
EACH = np.arange(ROWS) % 26  # 11 or 12 rows of each of 26 values
WAYS = (
    "loss='softmax_cross_entropy' for classes, loss='poisson' for counts, "
    "loss='squared_error' for other quantities"
)


def trainer(**options: Any) -> Trainer:
    return Trainer(**{"hidden": 4, "epochs": 1, "seed": 0, **options})


def test_counts_are_classes_with_a_warning() -> None:
    count = len(np.unique(COUNTS))
    with pytest.warns(FitWarning) as told:
        model = trainer().fit(X, COUNTS)
    text = f"Y holds {count} different whole numbers, taken as classes: say what they are by {WAYS}"
    assert len(told) == 1
    assert str(told[0].message).endswith(text)
    assert told[0].filename == __file__
    assert model.auto_["loss"] == "softmax_cross_entropy"
    assert "loss" not in trainer(loss="poisson").fit(X, COUNTS).auto_


def letters(missing: int) -> Array:
    return np.where(missing == EACH, 0, EACH)


# Targets, and whether they may be quantities.
WHOLE: dict[str, tuple[Any, bool]] = {
    "all of 26": (EACH, False),
    "a gap": (letters(7), True),
    "floats": (EACH.astype(float), True),
    "float32": (EACH.astype(np.float32), True),
    "bytes with gaps": (2 * EACH.astype(np.uint8), True),
    "huge": (2**62 * (EACH % 3) - 2**62 + EACH, True),
    "four rows of a value": (np.where(np.arange(ROWS) < 4, 26, EACH), True),
    "five rows of a value": (np.where(np.arange(ROWS) < 5, 26, EACH), False),
    "objects": (letters(7).astype(object), True),
    "a series": (pd.Series(letters(7), dtype="Int64"), True),
    "from -5": (EACH - 5, False),
    "eleven with a gap": (np.array([*range(10), 11])[np.arange(ROWS) % 11], True),
    "ten with gaps": (7 * (EACH % 10), False),
    "ten floats": (EACH % 10 * 1.0, False),
    "ten, some rare": (np.where(np.arange(ROWS) < 9, np.arange(ROWS), 9), False),
    "strings": (letters(7).astype(str), False),
    "many strings": (np.arange(ROWS).astype(str), False),
    "booleans": (EACH > 7, False),
    "0 and 1": (EACH % 2, False),
    "one-hot": (np.eye(26)[EACH], False),
    "columns of 0 and 1": ((X > 0).astype(float), False),
    "columns of booleans": (X > 0, False),
    "fractions": (X[:, 0], False),
    "columns of fractions": (X, False),
    "some fractions": (np.stack([COUNTS, X[:, 0]], axis=1), False),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_numbers_that_may_be_quantities(kind: str) -> None:
    Y, is_unsure = WHOLE[kind]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        trainer().fit(X, Y)
    assert [one.category for one in told] == [FitWarning] * is_unsure


def test_digits_and_flowers() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    for name in ("digits", "iris", "wine", "diabetes"):
        rows, labels = getattr(datasets, f"load_{name}")(return_X_y=True)
        if name != "diabetes":  # whole numbers from 25 to 346
            trainer().fit(rows, labels)
    with pytest.raises(ValueError, match="Y holds 214 different whole numbers"):
        trainer().fit(rows, labels)


def test_rows_of_weight_0_are_not_counted() -> None:
    """The rare value is in them alone."""
    Y, weights = np.where(np.arange(ROWS) < 4, 30, EACH), np.ones(ROWS)
    weights[:4] = 0
    trainer().fit(X, Y, sample_weight=weights)


def test_columns_of_whole_numbers() -> None:
    wanted = (
        "Y holds 2 columns of whole numbers, taken as quantities: say what they are by "
        "loss='poisson' for counts, loss='squared_error' for other quantities; columns of classes "
        "need a network each"
    )
    Y = np.stack([COUNTS, COUNTS[::-1]], axis=1)
    for table in (Y, Y.astype(float), pd.DataFrame(Y)):
        with pytest.warns(FitWarning, match=f"{re.escape(wanted)}$") as told:
            model = trainer().fit(X, table)
        assert len(told) == 1
        assert model.auto_["loss"] == "squared_error"


def test_too_many_for_classes() -> None:
    message = (
        f"Y holds 31 different whole numbers, which may be classes or quantities: say so by {WAYS}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        trainer().fit(X, np.arange(ROWS) % 31)


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "poisson", "squared_error", "huber"])
def test_a_loss_that_is_given_says_nothing(loss: str) -> None:
    trainer(loss=loss).fit(X, COUNTS)
    if loss != "softmax_cross_entropy":
        trainer(loss=loss).fit(X, np.stack([COUNTS, COUNTS], axis=1))


def test_classes_that_are_given_say_nothing() -> None:
    classes = np.unique(COUNTS)
    for model in (trainer(), trainer()):
        model.partial_fit(X, COUNTS, classes=classes)
        model.fit_stream([(X, COUNTS)], classes=classes)
        assert model.auto_["loss"] == "softmax_cross_entropy"


# ----------------------------------------------------------------------------- once, and in auto_


def parts() -> Iterator[Any]:
    for first in range(0, ROWS, 155):
        yield X[first : first + 155], np.minimum(COUNTS, 12.0)[first : first + 155]


FITS: dict[str, Any] = {
    "fit": lambda model: model.fit(X, COUNTS),
    "refit": lambda model: model.fit(X, COUNTS),
    "fit_stream": lambda model: model.fit_stream(parts),
    "partial_fit": lambda model: [model.partial_fit(*part) for part in parts()],
    "warm start": lambda model: [model.fit(X, COUNTS) for _ in range(3)],
    "validation": lambda model: model.fit(X, COUNTS, validation_data=(X[:9], COUNTS[:9])),
}


@pytest.mark.parametrize("kind", FITS)
def test_one_warning(kind: str) -> None:
    model = trainer(warm_start=kind == "warm start")
    if kind == "refit":
        model.refit, model.epochs = True, "auto"
    with pytest.warns(FitWarning) as told:
        FITS[kind](model)
    assert [str(one.message)[-20:] for one in told] == ["for other quantities"]
    assert model.auto_["loss"] == "softmax_cross_entropy"
    assert model.loss == "auto"


def test_partial_fit_says_what_auto_became() -> None:
    model = trainer(loss="poisson", epochs="auto").partial_fit(X, COUNTS)
    assert model.auto_["learning_rate"] == 0.001
    assert not {"loss", "epochs"} & set(model.auto_)
    model.loss = "auto"
    assert model.partial_fit(X, COUNTS).auto_["loss"] == "poisson"
    model = trainer().fit(X, X[:, 0] > 0).partial_fit(X[:9], X[:9, 0] > 0)
    assert model.auto_["batch_size"] == 16
    assert "epochs" not in model.auto_


# What Y is, the loss, and how the first line calls it.
CALLED: dict[str, tuple[Any, str, str]] = {
    "strings": (EACH.astype(str), "auto", "26 classes, "),
    "pair": (EACH > 7, "binary_cross_entropy", "2 classes, "),
    "one-hot": (np.eye(3)[EACH % 3], "auto", "3 classes, "),
    "labels": (X > 0, "auto", "3 columns of labels, "),
    "numbers": (X[:, 0], "auto", "numbers, "),
    "columns": (X, "huber", "3 columns of numbers, "),
    "counts": (COUNTS, "poisson", "counts, "),
}


@pytest.mark.parametrize("kind", CALLED)
def test_the_first_line_says_what_it_took(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    Y, loss, called = CALLED[kind]
    for model in (trainer(loss=loss, verbose=2), trainer(loss=loss, verbose=2)):
        fits = (model.fit, model.partial_fit, lambda X, Y, to=model: to.fit_stream([(X, Y)]))
        for fit in fits:
            fit(X, Y)
            first = capsys.readouterr().out.splitlines()[0]
            assert first.startswith(f"Y: {called}")
            assert loss != "auto" or f", loss={model.auto_['loss']!r}, " in first


def test_numbers_as_text_are_many_classes_with_a_warning() -> None:
    amounts = np.linspace(0, 1, len(X)).astype(str)
    text = re.escape(f"Y holds numbers as text, such as '{amounts[-2]}', taken as classes")
    with pytest.warns(FitWarning, match=text):
        trainer().fit(X, amounts)
    whole = np.arange(ROWS).astype(str)
    words = np.append(whole[2:], ["nan", "inf"])
    for labels in (np.char.add("k", amounts), whole, words, amounts[:ROWS] == "0.0"):
        trainer().fit(X, labels)  # a warning would be an error


# -------------------------------------------------------------------------------- several at once


def test_all_of_an_ensemble_take_it_alike_with_one_warning() -> None:
    with pytest.warns(FitWarning, match="taken as classes") as told:
        ensemble = Ensemble(trainer(), 4).fit(X, COUNTS)
    assert [one.filename for one in told] == [__file__]
    assert {model.auto_["loss"] for model in ensemble.members} == {"softmax_cross_entropy"}
    assert {model.loss for model in ensemble.members} == {"auto"}
    Ensemble(trainer(loss="poisson"), 2).fit(X, COUNTS)


FOLDS = [np.arange(0, 200), np.arange(ROWS) >= 100, -1 - np.arange(150)]


@pytest.mark.parametrize("as_series", [False, True])
def test_folds_are_decided_on_all_rows(as_series: bool) -> None:
    """One has a fraction, one 31 values; each alone would be something else."""
    Y = np.where(np.arange(ROWS) < 50, 2.5, np.arange(ROWS) % 31)
    given = pd.Series(Y) if as_series else Y
    models = fit_many([trainer(), trainer(), trainer(loss="huber")], X, given, FOLDS)
    assert [model.auto_.get("loss") for model in models] == ["squared_error"] * 2 + [None]
    assert [model.loss for model in models] == ["auto", "auto", "huber"]
    wanted = trainer(loss="squared_error").fit(X[100:], Y[100:])
    assert np.array_equal(models[1].predict(X), wanted.predict(X))
    few = np.where(np.arange(ROWS) < 200, EACH % 3, np.arange(ROWS) % 31)
    models = [trainer(), trainer(), trainer()]
    with pytest.raises(ValueError, match="Y holds 31 different whole numbers"):
        fit_many(models, X, few, FOLDS)
    assert not any(hasattr(model, "classes_") for model in models)


def test_rows_of_no_fold_are_not_looked_at() -> None:
    Y = EACH.astype(float)
    Y[:10] = np.nan
    with pytest.warns(FitWarning, match="Y holds 26 different"):
        fit_many([trainer(), trainer()], X, Y, [np.arange(10, 200), np.arange(ROWS) > 150])


def test_columns_of_folds() -> None:
    """Rows that are one-hot in one fold are labels in all."""
    Y = np.eye(3)[EACH % 3]
    Y[200:] = 1
    models = fit_many([trainer(), trainer()], X, Y, [np.arange(150), None])
    assert [model.auto_["loss"] for model in models] == ["binary_cross_entropy"] * 2


def test_networks_that_go_on_keep_their_loss() -> None:
    Y = EACH % 3
    models = [trainer(loss="squared_error").fit(X, Y), trainer()]
    for model in models:
        model.loss, model.warm_start = "auto", True
    fit_many(models, X, Y)
    assert [model.auto_["loss"] for model in models] == ["squared_error", "softmax_cross_entropy"]
    fit_many(models, X, Y)
    assert [model.auto_["loss"] for model in models] == ["squared_error", "softmax_cross_entropy"]


def test_other_targets_in_a_callback_are_decided_on_their_own() -> None:
    inner = []

    def fit_another(*_: Any) -> None:
        inner.append(trainer().fit(X, X[:, 0]))

    fit_many([trainer(callbacks=fit_another)], X, EACH % 3)
    assert inner[0].auto_["loss"] == "squared_error"
