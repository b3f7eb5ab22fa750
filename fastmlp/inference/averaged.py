"""Scores of predictions averaged over several networks."""

from collections.abc import Callable

import numpy as np

from ..data import Array, Numbers
from ..metrics import METRICS
from ..outputs import Outputs, Targets

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


def score_predictions(outputs: Outputs, predicted: Array, targets: Targets) -> dict[str, float]:
    """Mean loss, without label smoothing, and metric of probabilities or predicted numbers."""
    weights = targets.weights_or_ones
    if outputs.metric == "accuracy":
        truths, labels = outputs.truths(targets), outputs.labels_of(predicted)
        loss = METRICS["log_loss"].function(outputs.indices(targets), predicted, weights)
        return {"loss": loss, "accuracy": METRICS["accuracy"].function(truths, labels, weights)}
    p, y = (a.reshape(len(a), -1) for a in (predicted, outputs.truths(targets)))
    parameters = outputs.loss.parameters(np.ones(outputs.count))
    losses = _LOSSES[outputs.loss.name](p, y, parameters).mean(axis=1)
    loss = float(np.average(losses, weights=weights))
    return {"loss": loss, "r2": METRICS["r2"].function(y, p, weights)}
