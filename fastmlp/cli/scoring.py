"""Scores of a model beside those of the best constant and of a linear model."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..data import Array
from ..data.targets import Samples
from ..ensemble import Ensemble
from ..inference.averaged import averaged_scores
from ..outputs import Outputs
from ..trainer import Trainer
from .say import table

# Metrics of classes and labels, and of numbers, that are shown besides those asked for.
_METRICS = {"accuracy": ("accuracy", "log_loss"), "r2": ("r2", "mae")}
# Losses that one of these metrics shows.
_SHOWN = "softmax_cross_entropy", "binary_cross_entropy", "squared_error"


def members(model: Any) -> list[Trainer]:
    """The trainers of a model from a file: one, several of an ensemble, that of an estimator."""
    if isinstance(model, Ensemble):
        return model.members
    return [model if isinstance(model, Trainer) else model.trainer_]


def score_table(
    models: Mapping[str, Sequence[Trainer]], parts: Iterable[Samples], metrics: Sequence[Any]
) -> tuple[str, dict[str, float]]:
    """A table with a line for each model, and the scores of the first one.

    Parameters
    ----------
    models : dict of str to trainers
        Models by name; the predictions of several trainers are averaged.
    parts : iterable that can be repeated, of (X, Y, weights)
    metrics : sequence of str
        Those asked for.
    """
    outputs = next(iter(models.values()))[0].model_.encoding.outputs
    own = _METRICS[outputs.metric] if outputs.loss.count == 1 else ()
    chosen = tuple(dict.fromkeys((*metrics, *own)))
    scores = {name: averaged_scores(one, parts, chosen) for name, one in models.items()}
    for values in scores.values():
        loss = values.pop("loss")
        if outputs.loss.name not in _SHOWN:
            values[outputs.loss.name] = loss
    first = next(iter(scores.values()))
    rows: list[list[Any]] = [
        ["", *first],
        *([name, *values.values()] for name, values in scores.items()),
    ]
    return table(rows), first


def constant(trainer: Trainer, y: Array, weights: Array | None) -> tuple[str, Trainer]:
    """A copy of a trainer that predicts the best constant for some targets, and how it is called.

    Probabilities are the shares of the classes, numbers the mean, or with the loss of a quantile
    or of absolute errors the quantile.
    """
    outputs, new = trainer.model_.encoding.outputs, copy.copy(trainer)
    network = new.get_weights()
    if outputs.kind in ("classes", "pair"):
        name, bias = "majority", _log_shares(outputs, y, weights)
    elif outputs.loss.name in ("quantile", "absolute_error"):
        levels = np.atleast_1d(getattr(outputs.loss, "q", 0.5))
        name = "quantile" if hasattr(outputs.loss, "q") else "median"
        bias = np.quantile(y, levels, weights=weights, method="inverted_cdf")
    else:
        mean = np.average(y, axis=0, weights=weights)
        name, bias = "mean", np.log(mean) if outputs.kind == "counts" else mean
    network[-2:] = [0 * network[-2], np.zeros_like(network[-1]) + bias]
    new.set_weights(network)
    return name, new


def _log_shares(outputs: Outputs, y: Array, weights: Array | None) -> Array:
    labels = outputs.labels
    counts = np.bincount(np.searchsorted(labels, y), weights, minlength=len(labels))
    logs: Array = np.log(np.maximum(counts / counts.sum(), 1e-12))
    return logs[1:] - logs[:1] if outputs.kind == "pair" else logs


def per_class(labels: Iterable[Any], y: Array, predicted: Array) -> str:
    """A table of the classes: rows, share found (recall), share right of those predicted."""
    rows: list[list[Any]] = [["class", "rows", "recall", "precision", "predicted"]]
    for label in labels:
        own, found = y == label, predicted == label
        right = float((own & found).sum())
        recall, precision = (right / n if (n := mask.sum()) else "-" for mask in (own, found))
        rows.append([str(label), int(own.sum()), recall, precision, int(found.sum())])
    return table(rows)
