"""Metrics of networks whose logits are known, of ensembles, and of targets without variety."""

from typing import Any

import numpy as np
import pytest
from scipy.special import log_expit, log_softmax, softmax
from sklearn import metrics as theirs

from fastmlp import Ensemble, Trainer
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, trainer

pytestmark = needs_compiler

rng = np.random.default_rng(0)
N = 61
WEIGHTS = {"equal": np.ones(N), "various": rng.integers(1, 5, N) / 2}


def auc(y: Any, p: Any, w: Any) -> float:
    return float(theirs.roc_auc_score(y, p, sample_weight=w))


def auc_of_columns(y: Any, p: Any, w: Any) -> float:
    return float(np.mean([auc(a, b, w) for a, b in zip(y.T, p.T, strict=True)]))


def members(y: Any, c: int) -> Any:
    return y[:, None] == np.arange(c)


def weighted_hits(y: Any, predicted: Any, sample_weight: Any = None) -> float:
    correct = (y == predicted).reshape(len(y), -1).all(axis=1)
    return float(np.average(correct, weights=sample_weight))


LOSS_OF = {"softmax": "softmax_cross_entropy", "pair": "binary_cross_entropy"}
SIZES = [("softmax", 2), ("softmax", 3), ("softmax", 7), ("pair", 1), ("labels", 4)]


def of_logits(kind: str, c: int, dtype: str = "float32", **settings: Any) -> Trainer:
    """A trainer whose logits are the features."""
    loss = LOSS_OF.get(kind, "binary_cross_entropy")
    model = Trainer((), loss=loss, scaling=None, dtype=dtype, **settings)
    model.set_weights([np.eye(c), np.zeros(c)])
    return model


def logits_and_truths(kind: str, c: int, scale: float, dtype: str = "float32") -> Any:
    z = (rng.normal(size=(N, c)) * scale).astype(dtype)
    if kind == "labels":
        return z, rng.integers(2, size=(N, c))
    return z, np.arange(N) % max(c, 2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e-20, 1.0, 50.0, 5000.0])
@pytest.mark.parametrize(("kind", "c"), SIZES)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_what_rounded_probabilities_lose(
    kind: str, c: int, scale: float, dtype: str, weights: str
) -> None:
    z, y = logits_and_truths(kind, c, scale, dtype)
    w = WEIGHTS[weights]
    model = of_logits(kind, c, dtype, metrics=["roc_auc", "log_loss"])
    got = model.evaluate(z, y, w)
    z = z.astype(np.float64)
    if kind == "softmax":
        losses = -log_softmax(z, axis=1)[np.arange(N), y]
    else:
        losses = -np.where(y.reshape(N, -1) == 1, log_expit(z), log_expit(-z)).sum(axis=1)
    assert got["log_loss"] == pytest.approx(np.average(losses, weights=w), rel=1e-12)
    if c == 1:
        wanted = auc(y, z[:, 0], w)
    elif c == 2:
        wanted = auc(y, z[:, 1] - z[:, 0], w)
    elif kind == "labels":
        wanted = auc_of_columns(y, z, w)
    else:  # log-odds, one by one
        rest = [np.logaddexp.reduce(np.delete(z, k, axis=1), axis=1) for k in range(c)]
        wanted = auc_of_columns(members(y, c), z - np.transpose(rest), w)
    # Log-odds of more than two classes end at float64, if not at float32.
    ends = kind == "softmax" and c > 2 and scale < 1
    assert ends or got["roc_auc"] == pytest.approx(wanted, rel=1e-12)


def test_top_k_of_saturated_logits() -> None:
    z = np.array([[0, 100, 101, 102, 103, 104, 105], [-1e9, -2e9, -3e9, -4e9, -5e9, -6e9, 9e9]])
    model = of_logits("softmax", 7, metrics="top_k")
    assert model.evaluate(z, [1, 4])["top_k"] == 0
    assert model.evaluate(z, [2, 3])["top_k"] == 1
    assert model.evaluate(z, [2, 4])["top_k"] == 0.5


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize(("kind", "c"), SIZES)
def test_an_ensemble_of_one_scores_as_its_member(kind: str, c: int, smoothing: float) -> None:
    """Shares of classes and smoothed labels count in the loss of both."""
    z, y = logits_and_truths(kind, c, 3.0)
    y = softmax(z[::-1], axis=1) if kind == "softmax" else y
    options: dict[str, Any] = {"epochs": 1, "warm_start": True, "early_stopping": False}
    model = of_logits(kind, c, label_smoothing=smoothing, learning_rate=1e-9, **options)
    model.metrics = ["accuracy", "f1", "roc_auc", "log_loss", weighted_hits]
    ensemble = Ensemble(model, 1).fit(z, y)
    (one,) = ensemble.members
    for w in WEIGHTS.values():
        got, wanted = ensemble.evaluate(z, y, w), one.evaluate(z, y, w)
        assert list(got) == list(wanted)
        assert got == pytest.approx(wanted, rel=1e-5)
        assert ensemble.score(z, y, w) == pytest.approx(one.score(z, y, w), rel=1e-6)
        if kind == "softmax":
            losses = -(y * log_softmax(z.astype(np.float64), axis=1)).sum(axis=1)
            wanted_loss = np.average(losses, weights=w)
            assert got["log_loss"] == pytest.approx(wanted_loss, rel=1e-5)
            assert smoothing > 0 or got["loss"] == pytest.approx(wanted_loss, rel=1e-5)


def test_an_ensemble_averages_probabilities_in_float64() -> None:
    z, y = logits_and_truths("softmax", 3, 50.0)
    ensemble = Ensemble(of_logits("softmax", 3, metrics=["log_loss", "roc_auc"]), 2)
    ensemble.members[1].set_weights([np.eye(3) / 2, np.zeros(3)])
    z64 = z.astype(np.float64)
    log_p = np.logaddexp(log_softmax(z64, axis=1), log_softmax(z64 / 2, axis=1)) - np.log(2)
    rest = [np.logaddexp.reduce(np.delete(log_p, k, axis=1), axis=1) for k in range(3)]
    got = ensemble.evaluate(z, y)
    assert got["loss"] == got["log_loss"] == pytest.approx(-log_p[np.arange(N), y].mean())
    wanted = auc_of_columns(members(y, 3), log_p - np.transpose(rest), None)
    assert got["roc_auc"] == pytest.approx(wanted, rel=1e-12)


# -------------------------------------------------- classes that do not occur, constant columns


@pytest.mark.parametrize("names", [["a", "b", "c"], [3, 5, 9]])
def test_f1_goes_by_all_classes(names: list[Any]) -> None:
    classes = np.array(names)
    model = of_logits("softmax", 3, metrics="f1")
    model.set_weights([np.eye(3), np.zeros(3)], classes=classes)
    y = classes[[0, 0, 0, 1, 1, 1]]
    z = members(np.array([0, 0, 1, 1, 1, 1]), 3).astype(float)
    wanted = theirs.f1_score(y, model.predict(z), labels=classes, average="macro", zero_division=0)
    assert model.evaluate(z, y)["f1"] == pytest.approx(wanted, rel=1e-12)
    assert wanted == pytest.approx((4 / 5 + 6 / 7 + 0) / 3)


@pytest.mark.parametrize(("kind", "c"), [("softmax", 2), ("pair", 1)])
def test_f1_of_the_larger_class(kind: str, c: int) -> None:
    """Also of rows without it: none is found."""
    model = of_logits(kind, c, metrics="f1")
    model.set_weights([np.eye(c), np.zeros(c)], classes=["no", "yes"])
    z = np.array([[0.0, -9.0], [0.0, -9.0], [0.0, 9.0]])[:, 2 - c :]
    assert model.evaluate(z[:2], ["no", "no"])["f1"] == 0
    assert model.evaluate(z, ["no", "yes", "yes"])["f1"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("constant", [0.0, 0.1, 0.5, 1e6 + 0.1])
def test_r2_of_a_constant_column(constant: float) -> None:
    """0, however it is rounded and wherever it is computed: nothing varies that is explained."""
    y = np.column_stack([X[:, 0], np.full(60, constant)])
    model = Trainer((), loss="squared_error", metrics=["r2", "mse"], scaling=None)
    model.set_weights([np.eye(4)[:, [1, 2]], np.array([0.0, constant])])
    wanted = theirs.r2_score(X[:, 0], X[:, 1]) / 2
    if constant in (0, 0.5):  # of 0.1, scikit-learn's is -1.7e32
        assert theirs.r2_score(y, model.predict(X)) == pytest.approx(wanted)
    scores = [model.score(X, y), model.evaluate(X, y)["r2"]]
    scores += [Ensemble(model, 2).score(X, y), Ensemble(model, 2).evaluate(X, y)["r2"]]
    assert scores == pytest.approx([wanted] * 4, rel=1e-5)
    ensemble = Ensemble(trainer(metrics="r2"), 1).fit(X, y)
    (one,) = ensemble.members
    assert one.evaluate(X, y)["r2"] == one.score(X, y) < 0.6
    assert ensemble.evaluate(X, y)["r2"] == pytest.approx(one.score(X, y), abs=1e-4)


@pytest.mark.parametrize("value", [None, np.zeros(2), "good"])
def test_a_metric_that_gives_no_number_is_named(value: Any) -> None:
    def odd(y: Any, predicted: Any) -> Any:
        return value

    with pytest.raises(TypeError, match=r"metrics must return a number; got .* from odd"):
        trainer(metrics=odd).fit(X, np.arange(len(X)) % 3)
