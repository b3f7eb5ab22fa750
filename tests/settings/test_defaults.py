"""What settings that are "auto" become, and what they reach on raw tables."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from fastmlp import Trainer
from fastmlp.callbacks import EarlyStopping
from fastmlp.optimizers import Adam
from fastmlp.schedules import OneCycle
from fastmlp.settings import LearningRate, Settings, choices, resolved
from tests.helpers.basics import needs_compiler

# Rows: batch, epochs, share to validate on, patience.
BY_ROWS = {
    30: (16, 400, 0.0, None),
    150: (16, 400, 0.15, 10),
    1_000: (32, 400, 0.15, 10),
    19_999: (128, 400, 0.15, 10),
    60_000: (128, 15, 0.0, None),
    1_000_000: (128, 10, 0.0, None),
}


@pytest.mark.parametrize("n_rows", BY_ROWS)
def test_by_the_number_of_rows(n_rows: int) -> None:
    became = resolved(choices(Settings()), n_rows, validated=False)
    stopping = became.early_stopping
    patience = stopping.patience if stopping else None
    got = became.batch_size, became.epochs, became.validation_fraction, patience
    assert got == BY_ROWS[n_rows]
    many = n_rows >= 20_000
    assert became.schedule == (OneCycle() if many else None)
    assert became.learning_rate == LearningRate(0.003 if many or stopping else 0.001, "chosen")
    assert became.weight_averaging == (0.9 if stopping else 0.0)


@pytest.mark.parametrize("n_rows", [30, 1_000, 60_000])
def test_linear_models_train_on_all_rows(n_rows: int) -> None:
    became = resolved(choices(Settings(hidden=())), n_rows, validated=False)
    assert (became.early_stopping, became.validation_fraction) == (None, 0)
    assert (became.schedule, became.learning_rate.value) == (OneCycle(), 0.01)
    updates = became.epochs * -(-n_rows // became.batch_size)
    assert updates >= {30: 800, 1_000: 3_000, 60_000: 7_000}[n_rows]


def test_without_averaging_there_is_more_patience_and_a_lower_rate() -> None:
    became = resolved(choices(Settings(weight_averaging=0)), 1_000, validated=False)
    assert became.weight_averaging == 0
    assert became.early_stopping == EarlyStopping(patience=20)
    assert became.learning_rate == LearningRate(0.001, "chosen")
    given = resolved(
        choices(Settings(weight_averaging=0.5, learning_rate=0.1)), 1_000, validated=False
    )
    assert (given.weight_averaging, given.learning_rate) == (0.5, LearningRate(0.1, "given"))


def test_what_is_said_of_many_rows_counts() -> None:
    stops = resolved(choices(Settings(early_stopping=True)), 60_000, validated=False)
    assert (stops.schedule, stops.validation_fraction) == (None, 0.15)
    for given, rate in (
        ({"learning_rate": 0.5}, LearningRate(0.5, "given")),
        ({"optimizer": Adam(0.5)}, LearningRate(0.5, "given")),
        ({"optimizer": "sgd"}, LearningRate(0.1, "chosen")),
    ):
        became = resolved(choices(Settings(**given)), 60_000, validated=False)
        assert became.schedule == OneCycle()
        assert became.learning_rate == rate
    constant = resolved(choices(Settings(schedule=None)), 60_000, validated=False)
    assert (constant.schedule, constant.validation_fraction) == (None, 0.15)


@needs_compiler
def test_many_rows_in_a_fit() -> None:
    X = np.random.default_rng(0).normal(size=(20_000, 3))
    model = Trainer(8, seed=0, batch_size=2_000, epochs="auto").fit(X, X[:, 0] > 0)
    assert model.auto_["schedule"] == "one_cycle"
    assert model.auto_["epochs"] == model.n_iter_ == 400
    rates = model.history["learning_rate"]
    assert max(rates) == pytest.approx(0.003, rel=0.01)
    assert rates[-1] < 1e-7
    assert model.score(X, X[:, 0] > 0) > 0.98


def test_explicit_values_are_left_alone() -> None:
    given = Settings(batch_size=7, epochs=3, validation_fraction=0.3, early_stopping=True)
    became = resolved(choices(given), 1_000, validated=False)
    assert (became.batch_size, became.epochs, became.validation_fraction) == (7, 3, 0.3)
    assert became.early_stopping == EarlyStopping()


def test_epochs_that_are_given_train_on_all_rows() -> None:
    became = resolved(choices(Settings(epochs=5)), 1_000, validated=False)
    assert (became.early_stopping, became.validation_fraction) == (None, 0)


@pytest.mark.parametrize(
    ("stopping", "validated", "kept"),
    [(True, False, 0.15), (True, True, 0), (EarlyStopping("loss"), False, 0)],
)
def test_rows_kept_for_early_stopping(stopping: Any, validated: bool, kept: float) -> None:
    became = resolved(choices(Settings(early_stopping=stopping)), 1_000, validated=validated)
    assert became.validation_fraction == kept


def test_a_fraction_that_leaves_nothing_is_named() -> None:
    with pytest.raises(ValueError, match=r"validation_fraction=0.99 leaves 0 of 10 to train on"):
        Trainer(8, validation_fraction=0.99).fit(np.eye(10), np.arange(10) % 2)


def test_streams_keep_nothing() -> None:
    became = resolved(choices(Settings()), 1_000, validated=False, open_ended=True)
    got = became.epochs, became.validation_fraction, became.early_stopping
    assert got == (10, 0, None)


@needs_compiler
def test_auto_tells_it_and_is_kept() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    model = Trainer(8, seed=0).fit(X, X[:, 0] > 0)
    assert model.auto_["batch_size"] == 16
    assert model.auto_["patience"] == 10
    assert model.auto_["learning_rate"] == 0.003
    assert model.auto_["weight_averaging"] == 0.9
    assert model.auto_["loss"] == "softmax_cross_entropy"
    named = Trainer(8, loss="binary_cross_entropy", epochs=1).fit(X, X[:, 0] > 0)
    assert "loss" not in named.auto_
    for other in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.auto_ == model.auto_


@needs_compiler
@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits", "diabetes"])
def test_raw_tables_beside_a_linear_model(name: str) -> None:
    """Rows sorted by label, as iris and wine are, train too."""
    datasets = pytest.importorskip("sklearn.datasets")
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, Y = getattr(datasets, f"load_{name}")(return_X_y=True)
    test = np.arange(len(X)) % 4 == 0
    numbers = name == "diabetes"
    linear = make_pipeline(StandardScaler(), Ridge() if numbers else LogisticRegression())
    floor = linear.fit(X[~test], Y[~test]).score(X[test], Y[test])
    model = Trainer(128, loss="squared_error" if numbers else "auto", seed=0)
    assert model.fit(X[~test], Y[~test]).score(X[test], Y[test]) > floor - 0.03
