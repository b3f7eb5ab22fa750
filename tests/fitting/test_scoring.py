"""Losses and metrics of an epoch: of all its rows, whatever its parts; and what is monitored."""

from typing import Any

import numpy as np
import pytest

from fastmlp import Trainer
from fastmlp.optimizers import SGD
from fastmlp.schedules import ReduceOnPlateau
from tests.helpers.basics import Array, needs_compiler

pytestmark = [needs_compiler, pytest.mark.filterwarnings("ignore::fastmlp.FitWarning")]

ROWS = 600
_rng = np.random.default_rng(0)
X = _rng.normal(size=(ROWS, 4))
_signal = X @ _rng.normal(size=4)
NUMBERS = np.stack([100 + 1e-3 * _signal, 1e4 * _rng.normal(size=ROWS), X[:, 0]], axis=1)
PROBLEMS: dict[str, tuple[str, Array]] = {
    "one column": ("squared_error", NUMBERS[:, 0]),
    "columns": ("squared_error", NUMBERS),
    "absolute": ("absolute_error", NUMBERS),
    "counts": ("poisson", _rng.poisson(np.exp([3, -1] + X[:, :2]))),
    "classes": ("softmax_cross_entropy", np.arange(ROWS) % 3),
    "labels": ("binary_cross_entropy", np.stack([X[:, 0] > 0, X[:, 1] > 1], axis=1).astype(int)),
}
# Parts of different sizes and, sorted by the first column, of different targets.
PARTS = [slice(0, 100), slice(100, 300), slice(300, ROWS)]
STILL: dict[str, Any] = {"hidden": 8, "optimizer": SGD(1e-300), "epochs": 1, "seed": 0}


def metric_of(model: Trainer) -> str:
    return "r2" if "r2" in model.history else "accuracy"


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_those_of_a_stream_are_those_of_all_rows(problem: str, is_weighted: bool) -> None:
    loss, Y = PROBLEMS[problem]
    order = np.argsort(NUMBERS[:, 0])
    rows, targets = X[order], Y[order]
    weights = [np.random.default_rng(1).uniform(0.1, 3, ROWS)] if is_weighted else []
    model = Trainer(loss=loss, dtype="float64", **STILL)
    model.fit_stream([tuple(a[part] for a in (rows, targets, *weights)) for part in PARTS])
    wanted = model.evaluate(rows, targets, *weights)
    assert model.history["loss"] == pytest.approx([wanted["loss"]], rel=1e-9)
    assert model.history[metric_of(model)] == pytest.approx([wanted[metric_of(model)]], rel=1e-9)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_those_of_a_part_of_an_epoch_are_those_of_its_rows(
    problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A slice for each batch.
    monkeypatch.setattr("fastmlp.fitting.epoch._FIRST_SLICE_FLOPS", 1.0)
    loss, Y = PROBLEMS[problem]
    options: dict[str, Any] = {"loss": loss, "batch_size": 50, "shuffle": False} | STILL
    model = Trainer(time_budget=1e-9, dtype="float64", **options).fit(X, Y)
    wanted = model.evaluate(X[:50], Y[:50])
    assert model.history["loss"] == pytest.approx([wanted["loss"]], rel=1e-9)
    assert model.history[metric_of(model)] == pytest.approx([wanted[metric_of(model)]], rel=1e-9)


def test_r2_of_numbers_far_from_zero() -> None:
    """In the unit of the targets, as for weights that were set."""
    Y = 1e9 + NUMBERS[:, 2]
    model = Trainer((), loss="squared_error", dtype="float64", epochs=1, optimizer=SGD(1e-300))
    model.set_weights([np.array([[1.0], [0], [0], [0]]), np.array([1e9 + 0.5])])
    model.warm_start = True
    model.fit_stream([(X[part], Y[part]) for part in PARTS])
    wanted = 1 - 0.25 / np.var(Y)
    assert model.history["r2"] == pytest.approx([wanted], rel=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_r2_of_a_constant_column_is_0(dtype: str) -> None:
    Y = np.stack([np.full(ROWS, 1e5 / 3), X[:, 0]], axis=1)
    model = Trainer(loss="squared_error", dtype=dtype, warm_start=True, **STILL).fit(X, Y)
    in_one = model.history["r2"]
    model.fit_stream([(X[part], Y[part]) for part in PARTS])
    other = 1 - np.mean((model.predict(X)[:, 1] - Y[:, 1]) ** 2) / np.var(Y[:, 1])
    assert model.history["r2"] == pytest.approx([other / 2], rel=1e-4)
    assert in_one == pytest.approx([other / 2], rel=1e-4)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_scaled_losses_are_monitored(problem: str) -> None:
    loss, Y = PROBLEMS[problem]
    schedule = ReduceOnPlateau(monitor="val_loss")
    model = Trainer(loss=loss, dtype="float64", schedule=schedule, **STILL)
    model.fit(X, Y, validation_data=(X[:99], Y[:99]))
    outputs = model.model_.encoding.outputs
    if metric_of(model) == "accuracy":
        wanted = model.history["val_loss"][0]
    else:
        scaled = (Y.reshape(ROWS, -1)[:99] - outputs.centre) / outputs.spread
        z = model.decision_function(X[:99]).reshape(99, -1)
        is_log = problem == "counts"
        z = z - np.log(outputs.spread) if is_log else (z - outputs.centre) / outputs.spread
        error = z - scaled
        losses = {
            "squared_error": error**2 / 2, "absolute_error": np.abs(error),
            "poisson": np.exp(z) - scaled * z,
        }[loss]  # fmt: skip
        wanted = losses.mean()
    assert model.model_.monitored == pytest.approx((wanted,), rel=1e-6)


@pytest.mark.parametrize("monitor", ["loss", "val_loss"])
def test_the_unit_of_a_target_does_not_decide_when_the_rate_is_reduced(monitor: str) -> None:
    noise, units = _rng.normal(size=ROWS), (1e-6, 1.0, 1e6)
    schedule = ReduceOnPlateau(monitor=monitor, patience=1, min_delta=1e-2)
    options: dict[str, Any] = {"seed": 0, "epochs": 8, "schedule": schedule, "scaling": None}
    histories = []
    for unit in units:
        Y = np.stack([noise * unit, _signal], axis=1)
        model = Trainer(8, learning_rate=0.01, **options)
        histories.append(model.fit(X, Y, validation_data=(X[:99], Y[:99])).history)
    for history in histories:
        assert history["learning_rate"] == histories[0]["learning_rate"]
        assert len(set(history["learning_rate"])) > 1
    losses = [history["loss"][-1] for history in histories]
    assert losses[2] > 1e9 * losses[1] > 1e3 * losses[0]
