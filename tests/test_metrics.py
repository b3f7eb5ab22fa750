"""Metrics against scikit-learn's, and how they are recorded."""

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as theirs

from fastmlp import Trainer
from fastmlp.metrics import METRICS, monitored_value
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, Y

rng = np.random.default_rng(0)
N = 61
WEIGHTS = {"equal": np.ones(N), "various": rng.integers(1, 5, N) / 2}
TWO, THREE = rng.integers(2, size=N), rng.integers(3, size=N)
LABELS = rng.integers(2, size=(N, 4))


def shares(c: int) -> Any:
    """Probabilities, with many ties."""
    p = rng.integers(1, 6, (N, c)).astype(float)
    return p / p.sum(axis=1, keepdims=True)


def each_column(score: Any, y: Any, p: Any, w: Any) -> float:
    return float(np.mean([score(a, b, w) for a, b in zip(y.T, p.T, strict=True)]))


def auc(y: Any, p: Any, w: Any) -> float:
    return float(theirs.roc_auc_score(y, p, sample_weight=w))


def one_against_the_rest(y: Any, p: Any, w: Any) -> float:
    return float(np.mean([auc(y == k, p[:, k], w) for k in range(p.shape[1])]))


def weighted(score: Any, **options: Any) -> Any:
    return lambda y, p, w: score(y, p, sample_weight=w, **options)


CASES: dict[str, list[tuple[Any, Any, Any]]] = {
    "accuracy": [
        (THREE, np.roll(THREE, 7), weighted(theirs.accuracy_score)),
        (LABELS, LABELS ^ (rng.random((N, 4)) < 0.1), weighted(theirs.accuracy_score)),
    ],
    "balanced_accuracy": [
        (THREE, np.where(rng.random(N) < 0.5, THREE, 0), weighted(theirs.balanced_accuracy_score)),
    ],
    "f1": [
        (TWO, np.roll(TWO, 3), weighted(theirs.f1_score)),
        (THREE, np.roll(THREE, 3), weighted(theirs.f1_score, average="macro")),
        (LABELS, np.roll(LABELS, 3, 0), weighted(theirs.f1_score, average="macro")),
    ],
    "top_k": [
        (rng.integers(9, size=N), rng.permuted(np.tile(np.arange(9.0), (N, 1)), axis=1),
         weighted(theirs.top_k_accuracy_score, k=5, labels=np.arange(9))),
    ],
    "log_loss": [
        (THREE, shares(3), weighted(theirs.log_loss)),
        (LABELS, shares(4), lambda y, p, w: 4 * each_column(weighted(theirs.log_loss), y, p, w)),
    ],
    "roc_auc": [
        (TWO, shares(2), lambda y, p, w: auc(y, p[:, 1], w)),
        (THREE, shares(3), one_against_the_rest),
        (LABELS, shares(4), lambda y, p, w: each_column(auc, y, p, w)),
    ],
    "mse": [(rng.normal(size=(N, 2)), shares(2), weighted(theirs.mean_squared_error))],
    "mae": [(rng.normal(size=N), rng.normal(size=N), weighted(theirs.mean_absolute_error))],
    "r2": [
        (rng.normal(size=(N, 3)), shares(3), weighted(theirs.r2_score)),
        (rng.normal(size=N), rng.normal(size=N), weighted(theirs.r2_score)),
    ],
}  # fmt: skip


def test_no_metric_is_forgotten() -> None:
    assert set(CASES) == set(METRICS)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("name", CASES)
def test_metric(name: str, weights: str) -> None:
    w = WEIGHTS[weights]
    for y, predicted, wanted in CASES[name]:
        got = METRICS[name].function(y, predicted, w)
        assert got == pytest.approx(wanted(y, predicted, w), rel=1e-12, abs=1e-12)


def test_monitored_values_are_signed() -> None:
    logs = {
        "loss": 1.0,
        "val_loss": 2.0,
        "log_loss": 3.0,
        "val_accuracy": 4.0,
        "r2": 5.0,
        "mine": 6.0,
    }
    assert monitored_value("auto", logs) == 2
    assert monitored_value("auto", {"loss": 1.0}) == 1
    assert monitored_value("log_loss", logs) == 3
    assert monitored_value("val_accuracy", logs) == -4
    assert monitored_value("r2", logs) == -5
    assert monitored_value("r2", logs, "min") == 5
    assert monitored_value("mine", logs, "max") == -6
    with pytest.raises(ValueError, match="mode must be 'min' or 'max' for monitor='mine'"):
        monitored_value("mine", logs)


# ------------------------------------------------------------------------------------ recorded

pytestmark = needs_compiler


def hits(y: Any, predicted: Any) -> float:
    return float((y == predicted).sum())


def test_what_is_recorded() -> None:
    labels = np.array(["a", "b", "c"])[Y]
    model = Trainer(8, metrics=["accuracy", "log_loss", hits], seed=0, epochs=2)
    model.fit(X[:40], labels[:40], validation_data=(X[40:], labels[40:]))
    names = ["loss", "accuracy", "log_loss", "hits"]
    recorded = [*names, *(f"val_{name}" for name in names), "learning_rate", "seconds"]
    assert list(model.history) == recorded
    scores = model.evaluate(X[40:], labels[40:])
    assert list(scores) == names
    assert {f"val_{k}": v for k, v in scores.items()} == {
        k: v[-1] for k, v in model.history.items() if k.startswith("val_")
    }
    assert scores["log_loss"] == pytest.approx(scores["loss"], rel=1e-5)
    assert scores["hits"] == (model.predict(X[40:]) == labels[40:]).sum()
    # Of the training rows, what is not known on the way is taken after the epoch.
    assert model.history["hits"][-1] == (model.predict(X[:40]) == labels[:40]).sum()


def test_metrics_of_numbers() -> None:
    y = 100 + 10 * X[:, 0].astype(float)
    model = Trainer(8, metrics=["mse", "mae", "r2"], seed=0, epochs=2).fit(X, y)
    scores, predicted = model.evaluate(X, y), model.predict(X)
    assert scores["mse"] == pytest.approx(((y - predicted) ** 2).mean(), rel=1e-5)
    assert scores["loss"] == pytest.approx(scores["mse"] / 2, rel=1e-4)
    assert scores["r2"] == pytest.approx(model.score(X, y), rel=1e-4)


@pytest.mark.parametrize(
    ("metric", "Y"), [("r2", Y), ("accuracy", X[:, 0]), ("roc_auc", X[:, 0]), ("top_k", X[:, 0])]
)
def test_metrics_that_do_not_fit(metric: str, Y: Any) -> None:
    with pytest.raises(ValueError, match=f"metric '{metric}' does not fit loss="):
        Trainer(8, metrics=metric).fit(X, Y)
