"""Metrics of predictions, by name, equal to those of scikit-learn where it has them.

To add one: a function ``(y_true, y_pred, weights)``, and a line in ``METRICS`` with the kind of its
predictions and whether larger is better.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
# A name, or a function (y_true, y_pred).
AnyMetric = str | Callable[..., float]
Numbers = npt.NDArray[np.float64]


def accuracy(y: Array, predicted: Array, weights: Numbers) -> float:
    """Fraction of the rows that are correct, in every column."""
    correct = y == predicted
    correct = correct if correct.ndim == 1 else correct.all(axis=1)
    return float(np.average(correct, weights=weights))


def balanced_accuracy(y: Array, predicted: Array, weights: Numbers) -> float:
    """Mean over the classes of the fraction of their rows that are correct (recall)."""
    return float(np.mean([accuracy(y[r], predicted[r], weights[r]) for r in _rows_by_class(y)]))


def _rows_by_class(y: Array) -> list[Array]:
    return [np.flatnonzero(y == label) for label in np.unique(y)]


def f1(y: Array, predicted: Array, weights: Numbers) -> float:
    """F1 score of the larger of two classes; for more classes, or several labels, their mean."""
    if y.ndim == 2:
        columns = zip(y.T, predicted.T, strict=True)
        return float(np.mean([_f1(a == 1, b == 1, weights) for a, b in columns]))
    labels = np.unique(np.concatenate([y, predicted]))
    chosen = labels[-1:] if len(labels) <= 2 else labels
    return float(np.mean([_f1(y == label, predicted == label, weights) for label in chosen]))


def _f1(y: Array, predicted: Array, weights: Numbers) -> float:
    both = weights[y & predicted].sum()
    found = weights[y].sum() + weights[predicted].sum()
    return float(2 * both / found) if found > 0 else 0.0


def top_k(y: Array, probabilities: Array, weights: Numbers, k: int = 5) -> float:
    """Fraction of the rows whose class is among the k most probable ones."""
    own = np.take_along_axis(probabilities, y[:, None], axis=1)
    correct = (probabilities > own).sum(axis=1) < k
    return float(np.average(correct, weights=weights))


def log_loss(y: Array, probabilities: Array, weights: Numbers) -> float:
    """Mean of -log p of the true class; for several labels the sum over them."""
    tiny = np.finfo(probabilities.dtype).tiny
    p = np.clip(probabilities.astype(np.float64), tiny, None)
    if y.ndim == 2:
        rest = np.clip(1 - p, np.finfo(probabilities.dtype).eps / 2, None)
        losses = -np.where(y == 1, np.log(p), np.log(rest)).sum(axis=1)
    else:
        losses = -np.log(np.take_along_axis(p, y[:, None], axis=1)[:, 0])
    return float(np.average(losses, weights=weights))


def roc_auc(y: Array, probabilities: Array, weights: Numbers) -> float:
    """Area under the ROC curve of the larger of two classes; for more classes, one against the
    rest, or several labels, the mean over them."""
    if y.ndim == 2:
        columns = zip(y.T, probabilities.T, strict=True)
        return float(np.mean([_auc(a == 1, p, weights) for a, p in columns]))
    if probabilities.shape[1] == 2:
        return _auc(y == 1, probabilities[:, 1], weights)
    classes = range(probabilities.shape[1])
    return float(np.mean([_auc(y == k, probabilities[:, k], weights) for k in classes]))


def _auc(positive: Array, scores: Array, weights: Numbers) -> float:
    """Probability that a positive row scores higher than a negative one; ties count half."""
    _, groups = np.unique(scores, return_inverse=True)
    up = np.bincount(groups, weights * positive)
    down = np.bincount(groups, weights * ~positive)
    pairs = up.sum() * down.sum()
    if pairs == 0:
        return float("nan")
    below = np.cumsum(down) - down
    return float((up * (below + down / 2)).sum() / pairs)


def mean_squared_error(y: Array, predicted: Array, weights: Numbers) -> float:
    """Mean of the squared errors, over rows and columns."""
    return float(np.average(_by_row((y - predicted) ** 2), weights=weights))


def mean_absolute_error(y: Array, predicted: Array, weights: Numbers) -> float:
    """Mean of the absolute errors, over rows and columns."""
    return float(np.average(_by_row(np.abs(y - predicted)), weights=weights))


def _by_row(values: Array) -> Array:
    return values if values.ndim == 1 else values.mean(axis=1)


def r2(y: Array, predicted: Array, weights: Numbers) -> float:
    """R²: 1 - squared errors / squared deviations from the mean, averaged over the columns."""
    y, predicted = (a.reshape(len(a), -1) for a in (y, predicted))
    errors = np.einsum("i,ij->j", weights, (y - predicted) ** 2)
    about_mean = y - np.average(y, axis=0, weights=weights)
    squares = np.einsum("i,ij->j", weights, about_mean**2)
    unexplained = np.divide(errors, squares, out=np.ones_like(errors), where=squares > 0)
    return float(np.mean(1 - unexplained))


class Metric(NamedTuple):
    """A metric, the predictions that it needs ("classes", "probabilities" or "numbers"), and
    whether a larger value is better."""

    function: Callable[..., float]
    takes: str
    larger_is_better: bool


METRICS = {
    "accuracy": Metric(accuracy, "classes", True),
    "balanced_accuracy": Metric(balanced_accuracy, "classes", True),
    "f1": Metric(f1, "classes", True),
    "top_k": Metric(top_k, "probabilities", True),
    "roc_auc": Metric(roc_auc, "probabilities", True),
    "log_loss": Metric(log_loss, "probabilities", False),
    "mse": Metric(mean_squared_error, "numbers", False),
    "mae": Metric(mean_absolute_error, "numbers", False),
    "r2": Metric(r2, "numbers", True),
}


def monitored_value(name: str, logs: Mapping[str, float], mode: str = "auto") -> float:
    """A recorded value, signed so that less is better; "auto" is ``val_loss``, if any, or ``loss``.

    Raises
    ------
    ValueError
        If the value is not recorded, or ``mode`` is "auto" for a metric that is a user's function.
    """
    if name == "auto":
        name = "val_loss" if "val_loss" in logs else "loss"
    if name not in logs:
        raise ValueError(f"monitor must be one of {', '.join(map(repr, logs))}; got {name!r}")
    larger_is_better = _is_larger_better(name) if mode == "auto" else mode == "max"
    return -logs[name] if larger_is_better else logs[name]


def _is_larger_better(name: str) -> bool:
    plain = name.removeprefix("val_")
    if plain not in METRICS and plain != "loss":
        raise ValueError(f"mode must be 'min' or 'max' for monitor={name!r}; got 'auto'")
    return plain != "loss" and METRICS[plain].larger_is_better
