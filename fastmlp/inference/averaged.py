"""Scores of predictions averaged over several networks."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..data import Array, Numbers, Rows, check_row_order, take_rows
from ..data.targets import Samples
from ..metrics import METRICS
from ..outputs import Outputs, Targets
from .predicted import Predicted
from .predictor import Predictor
from .scores import Metrics, check_metrics, metric_values, shares_and_log_odds

# Losses of a prediction p, its target y, and the parameter of the loss in the unit of the targets.
_LOSSES: dict[str, Callable[[Array, Array, Numbers], Array]] = {
    "squared_error": lambda p, y, _: (p - y) ** 2 / 2,
    "absolute_error": lambda p, y, _: np.abs(p - y),
    "huber": lambda p, y, d: np.where(
        np.abs(p - y) <= d, (p - y) ** 2 / 2, d * (np.abs(p - y) - d / 2)
    ),
    "quantile": lambda p, y, q: np.maximum(q * (y - p), (q - 1) * (y - p)),
    "poisson": lambda p, y, _: p - y * np.log(p),
}


class _Averaged(NamedTuple):
    """Predictions whose probabilities, or numbers, are means over several networks."""

    decoded: Array
    log_odds: Numbers

    @property
    def logits(self) -> Numbers:
        """Log-odds do as well: they have the order of the probabilities."""
        return self.log_odds


def averaged_scores(
    members: Sequence[Predictor], parts: Iterable[Samples], metrics: Metrics
) -> dict[str, float]:
    """Mean ``loss`` and ``metrics`` of the averaged predictions, as ``evaluate`` of one network.

    Rows may come in parts (X, Y, weights), of which one at a time is in memory.
    """
    first = members[0].model_
    outputs, dtype = first.encoding.outputs, first.network.dtype
    check_metrics(metrics, outputs)
    average = _labels if outputs.metric == "accuracy" else _numbers
    averaged, targets = [], []
    for X, Y, sample_weight in parts:
        n_rows = len(first.encoding.rows(X, dtype))
        own, kept = first.encoding.targets(Y, n_rows, sample_weight, dtype)
        check_row_order(X, Y, sample_weight)
        predictions = (  # one after the other, as rows may be copies
            _predicted(member, X, kept) for member in members
        )
        averaged.append(average(outputs, predictions))
        targets.append(own)
    together = _Averaged(*map(np.concatenate, zip(*averaged, strict=True)))
    of_all = Targets.joined(targets)
    loss, score = _loss_and_score(outputs, of_all, together)
    return {"loss": loss} | metric_values(metrics, score, together, outputs, of_all)


def _predicted(member: Predictor, X: Any, kept: Rows) -> Predicted:
    network, encoding = member.model_.network, member.model_.encoding
    rows = take_rows(encoding.rows(X, network.dtype), kept)
    return Predicted(network, encoding, rows, member.threads)


def _numbers(outputs: Outputs, predictions: Iterable[Predicted]) -> _Averaged:
    return _Averaged(np.mean([one.decoded for one in predictions], axis=0), np.empty(0))


def _labels(outputs: Outputs, predictions: Iterable[Predicted]) -> _Averaged:
    members = [(outputs.probabilities(one.activated), one.log_odds) for one in predictions]
    probabilities, odds = zip(*members, strict=True)
    p, rest = (np.logaddexp.reduce([-np.logaddexp(0, s * o) for o in odds]) for s in (-1, 1))
    return _Averaged(outputs.labels_of(np.mean(probabilities, axis=0)), p - rest)


def _loss_and_score(outputs: Outputs, targets: Targets, averaged: _Averaged) -> tuple[float, float]:
    weights, score = targets.weights_or_ones, METRICS[outputs.metric].function
    if outputs.metric == "accuracy":
        shares, log_odds = shares_and_log_odds(
            outputs, targets, averaged.log_odds, outputs.label_smoothing
        )
        loss = METRICS["log_loss"].function(shares, log_odds, weights)
        return loss, score(outputs.truths(targets), averaged.decoded, weights)
    p, y = (a.reshape(len(a), -1) for a in (averaged.decoded, outputs.truths(targets)))
    parameters = outputs.loss.parameters(np.ones(outputs.count))
    losses = _LOSSES[outputs.loss.name](p, y, parameters).mean(axis=1)
    # Scaled, as which columns are constant is decided there.
    p, y = ((numbers - outputs.centre) / outputs.spread for numbers in (p, y))
    return float(np.average(losses, weights=weights)), score(y, p, weights)
