"""Metrics against scikit-learn's, and how they are recorded."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn import metrics as theirs

from fastmlp import Ensemble, Trainer
from fastmlp.metrics import METRICS, monitored_value
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, Y, fitted, state, trainer

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


def members(y: Any, c: int) -> Any:
    return y[:, None] == np.arange(c)


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
        (members(THREE, 3), members(np.roll(THREE, 3), 3),
         weighted(theirs.f1_score, average="macro")),
        (LABELS == 1, np.roll(LABELS, 3, 0) == 1, weighted(theirs.f1_score, average="macro")),
    ],
    "top_k": [
        (rng.integers(9, size=N), rng.permuted(np.tile(np.arange(9.0), (N, 1)), axis=1),
         weighted(theirs.top_k_accuracy_score, k=5, labels=np.arange(9))),
    ],
    "log_loss": [
        (members(THREE, 3), logit(shares(3)),
         lambda y, z, w: theirs.log_loss(y.argmax(axis=1), expit(z), sample_weight=w)),
    ],
    "roc_auc": [(members(THREE, 3), shares(3), lambda y, p, w: each_column(auc, y, p, w))],
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
        monitored_value("mine", logs, "auto")
    known = "a loss or a named metric, so that it is known whether smaller is better; got 'mine'"
    with pytest.raises(ValueError, match=f"^monitor must be {known}$"):
        monitored_value("mine", logs)
    with pytest.raises(ValueError, match=r"got 'val_acc'; did you mean 'val_accuracy'\?$"):
        monitored_value("val_acc", logs)


# ------------------------------------------------------------------------------------ recorded

pytestmark = needs_compiler


def weighted_hits(y: Any, predicted: Any, sample_weight: Any = None) -> float:
    correct = (y == predicted).reshape(len(y), -1).all(axis=1)
    return float(np.average(correct, weights=sample_weight))


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


FLAGS = np.column_stack([Y == 0, Y == 1, Y == 2])


@pytest.mark.parametrize(
    ("metric", "Y"),
    [
        ("r2", Y), ("accuracy", X[:, 0]), ("roc_auc", X[:, 0]), ("top_k", X[:, 0]),
        ("balanced_accuracy", FLAGS), ("top_k", FLAGS),
    ],
)  # fmt: skip
def test_metrics_that_do_not_fit(metric: str, Y: Any) -> None:
    loss = "binary_cross_entropy" if Y is FLAGS else "auto"
    model = Trainer(8, loss=loss, metrics=metric)
    with pytest.raises(ValueError, match=f"metric '{metric}' does not fit loss="):
        model.fit(X, Y)
    assert model.auto_ == {}


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_top_k_of_few_classes(n_classes: int) -> None:
    with pytest.raises(ValueError, match=rf"needs more than 5 classes; got {n_classes}"):
        Trainer(8, metrics="top_k").fit(X, np.arange(60) % n_classes)


# --------------------------------------------------------------------------- functions of the user


def renamed(name: str) -> Any:
    def metric(y: Any, predicted: Any) -> float:
        return 0.0

    metric.__name__ = name
    return metric


@pytest.mark.parametrize("name", ["loss", "learning_rate", "seconds", "epoch", "val_f1", "val_"])
def test_reserved_names(name: str) -> None:
    model = fitted()
    before = state(model)
    with pytest.raises(ValueError, match=f"metrics must not be called 'loss', .*function '{name}'"):
        model.metrics = ["f1", renamed(name)]
    assert state(model) == before


@pytest.mark.parametrize(
    ("metrics", "name"),
    [
        (["f1", "f1"], "f1"),
        (["accuracy", renamed("accuracy")], "accuracy"),
        ([lambda y, p: 0, lambda y, p: 1], "<lambda>"),
        ([partial(theirs.fbeta_score, beta=b, average="micro") for b in (1, 2)], "partial"),
    ],
)
def test_names_that_come_twice(metrics: list[Any], name: str) -> None:
    with pytest.raises(ValueError, match=f"metrics must have different .*; got 2 called '{name}'"):
        Trainer(metrics=metrics)
    given = [*metrics[:1]]
    model = trainer(metrics=given).fit(X, Y, validation_data=(X, Y))
    given += metrics[1:]  # in place
    for call in (lambda: model.fit(X, Y), lambda: model.evaluate(X, Y)):
        with pytest.raises(ValueError, match="metrics must have different names"):
            call()


def test_a_function_with_the_name_of_a_metric_is_the_one_recorded() -> None:
    model = trainer(metrics=renamed("accuracy")).fit(X, Y, validation_data=(X, Y))
    assert model.history["accuracy"] == model.history["val_accuracy"] == [0, 0, 0]
    assert model.evaluate(X, Y)["accuracy"] == 0


class Weights:
    """A metric that keeps what it was given."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    def __call__(self, y: Any, predicted: Any, *, sample_weight: Any = 1) -> float:
        self.given.append(sample_weight)
        return 0.0


def without(y: Any, predicted: Any, **options: Any) -> float:
    assert options == {}
    return float((y == predicted).mean())


def test_functions_that_take_weights() -> None:
    own = Weights()
    functions = [theirs.accuracy_score, theirs.matthews_corrcoef, weighted_hits, without, own]
    model = trainer(metrics=functions)
    w, val_w = np.arange(60) % 4 / 2, 1.0 + np.arange(60) % 2
    model.fit(X, Y, sample_weight=w, validation_data=(X, Y, val_w))
    predicted = model.predict(X)
    for prefix, weights in {"": w, "val_": val_w}.items():
        for metric in functions[:3]:
            wanted = metric(Y, predicted, sample_weight=weights)
            assert model.history[prefix + metric.__name__][-1] == pytest.approx(wanted)
        kept = weights > 0
        wanted = (predicted == Y)[kept].mean()
        assert model.history[f"{prefix}without"][-1] == pytest.approx(wanted)
    assert np.array_equal(own.given[0] / own.given[0].sum(), w[w > 0] / w.sum())
    assert np.array_equal(own.given[1] / own.given[1].sum(), val_w / val_w.sum())
    model.evaluate(X, Y)
    assert own.given[-1] is None


def test_a_metric_of_scikit_learn_in_an_ensemble() -> None:
    ensemble = Ensemble(trainer(metrics=theirs.accuracy_score), 2).fit(X, Y)
    w = np.arange(60) % 4
    wanted = theirs.accuracy_score(Y, ensemble.predict(X), sample_weight=w)
    assert ensemble.evaluate(X, Y, w)["accuracy_score"] == pytest.approx(wanted)


# ------------------------------------------------------------------------------------ rows in parts


def test_partial_fit_scores_the_rows_of_the_call() -> None:
    model = trainer(metrics=["f1", "accuracy", hits])
    for rows in (slice(40), slice(40, 60)):
        model.partial_fit(X[rows], Y[rows], classes=[0, 1, 2])
        scores = model.evaluate(X[rows], Y[rows])
        assert model.history["f1"][-1] == scores["f1"]
        assert model.history["hits"][-1] == scores["hits"]
    assert {len(values) for values in model.history.values()} == {2}


def test_metrics_of_a_stream() -> None:
    chunks = [(X[:40], Y[:40]), (X[40:], Y[40:])]
    model = trainer(metrics=["f1", "accuracy"])
    with pytest.raises(
        ValueError, match=r"metrics other than 'accuracy' have no effect in fit_str"
    ):
        model.fit_stream(lambda: chunks)
    assert model.auto_ == {}
    model.fit_stream(lambda: chunks, validation_data=(X, Y))
    recorded = ["loss", "accuracy", "val_loss", "val_f1", "val_accuracy"]
    assert list(model.history)[:5] == recorded
    assert model.history["val_f1"][-1] == model.evaluate(X, Y)["f1"]
    model.metrics = renamed("accuracy")
    with pytest.raises(ValueError, match="metrics other than 'accuracy'"):
        model.fit_stream(lambda: chunks)
    model.metrics = "accuracy"
    assert list(model.fit_stream(lambda: chunks).history)[:2] == ["loss", "accuracy"]
