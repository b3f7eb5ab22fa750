"""Metrics of predictions, by name, equal to those of scikit-learn where it has them.

Those of probabilities go by log-odds in float64, log p - log(1 - p), in which probabilities near 0
and 1 keep their differences. To add one: a function ``(y_true, y_pred, weights)``, and a line in
``METRICS`` with the form of its arguments and whether larger is better.
"""

import inspect
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .did_you_mean import did_you_mean

Array = npt.NDArray[Any]
# A name, or a function (y_true, y_pred), perhaps with a parameter sample_weight.
AnyMetric = str | Callable[..., float]
Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# Classes that "top_k" counts as hits.
TOP_K = 5
# Names of other recorded values, and of a column in files.
_RESERVED = ("loss", "learning_rate", "seconds", "epoch")


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


def f1(y: Flags, predicted: Flags, weights: Numbers) -> float:
    """F1 score, the mean over the columns; 0 for a class that neither occurs nor is predicted."""
    both = np.einsum("i,ij->j", weights, y & predicted)
    found = np.einsum("i,ij->j", weights, y) + np.einsum("i,ij->j", weights, predicted)
    return float(np.divide(2 * both, found, out=np.zeros_like(both), where=found > 0).mean())


def top_k(y: Array, logits: Array, weights: Numbers, k: int = TOP_K) -> float:
    """Fraction of the rows whose class is among the k most probable ones."""
    own = np.take_along_axis(logits, y[:, None], axis=1)
    correct = (logits > own).sum(axis=1) < k
    return float(np.average(correct, weights=weights))


def log_loss(y: Numbers, log_odds: Numbers, weights: Numbers) -> float:
    """Mean of the sum of -y log p over the columns, y the probabilities wanted."""
    of_columns = np.logaddexp(0, -log_odds, out=np.zeros_like(log_odds), where=y > 0)
    return float(np.average(np.einsum("ij,ij->i", y, of_columns), weights=weights))


def roc_auc(y: Flags, log_odds: Numbers, weights: Numbers) -> float:
    """Area under the ROC curve, the mean over the columns; NaN if one lacks 0 or 1."""
    columns = zip(y.T, log_odds.T, strict=True)
    return float(np.mean([_auc(positive, scores, weights) for positive, scores in columns]))


def _auc(positive: Array, scores: Array, weights: Numbers) -> float:
    """Probability that a positive row scores higher than a negative one; ties count half."""
    _, groups = np.unique(scores, return_inverse=True)
    up = np.bincount(groups, weights * positive)
    down = np.bincount(groups, weights * ~positive)
    if not (up.any() and down.any()):
        return float("nan")
    up, down = up / up.sum(), down / down.sum()
    below = np.cumsum(down) - down
    return float((up * (below + down / 2)).sum())


def mean_squared_error(y: Array, predicted: Array, weights: Numbers) -> float:
    """Mean of the squared errors, over rows and columns."""
    return float(np.average(_by_row((y - predicted) ** 2), weights=weights))


def mean_absolute_error(y: Array, predicted: Array, weights: Numbers) -> float:
    """Mean of the absolute errors, over rows and columns."""
    return float(np.average(_by_row(np.abs(y - predicted)), weights=weights))


def _by_row(values: Array) -> Array:
    return values if values.ndim == 1 else values.mean(axis=1)


def r2(y: Array, predicted: Array, weights: Numbers) -> float:
    """R²: 1 - squared errors / squared deviations from the mean, averaged over the columns.

    That of a column that is constant, but for rounding to float32, is 0.
    """
    y, predicted = (a.reshape(len(a), -1) for a in (y, predicted))
    errors = np.einsum("i,ij->j", weights, (y - predicted) ** 2)
    means = np.average(y, axis=0, weights=weights)
    squares = np.einsum("i,ij->j", weights, (y - means) ** 2)
    varies = squares > (np.finfo(np.float32).eps * means) ** 2 * weights.sum()
    unexplained = np.divide(errors, squares, out=np.ones_like(errors), where=varies)
    return float(np.mean(1 - unexplained))


class Metric(NamedTuple):
    """A metric, the form of its arguments, and whether a larger value is better.

    Forms of y_true and y_pred: "classes" and "numbers", as ``predict`` returns them; "members", a
    column of booleans for each class or label, of two classes for the larger one; "log_odds",
    such columns, and log-odds; "shares", probabilities wanted, and log-odds, of each event;
    "logits", indices of classes, and logits.
    """

    function: Callable[..., float]
    takes: str
    larger_is_better: bool


METRICS = {
    "accuracy": Metric(accuracy, "classes", True),
    "balanced_accuracy": Metric(balanced_accuracy, "classes", True),
    "f1": Metric(f1, "members", True),
    "top_k": Metric(top_k, "logits", True),
    "roc_auc": Metric(roc_auc, "log_odds", True),
    "log_loss": Metric(log_loss, "shares", False),
    "mse": Metric(mean_squared_error, "numbers", False),
    "mae": Metric(mean_absolute_error, "numbers", False),
    "r2": Metric(r2, "numbers", True),
}


def name_of(metric: AnyMetric) -> str:
    """The name under which a metric is recorded."""
    return getattr(metric, "__name__", type(metric).__name__) if callable(metric) else str(metric)


def check_names(name: str, metrics: Iterable[AnyMetric]) -> None:
    """Check the names under which the metrics of the setting ``name`` are recorded.

    Raises
    ------
    ValueError
        If two have the same name, or a function has that of another recorded value.
    """
    names = Counter(map(name_of, metrics))
    for own, count in names.items():
        if count > 1:
            wanted = "have different names (that of a function is its __name__)"
            raise ValueError(f"{name} must {wanted}; got {count} called {own!r}")
        if own in _RESERVED or own.startswith("val_"):
            reserved = f"{', '.join(map(repr, _RESERVED))} or 'val_...'"
            raise ValueError(f"{name} must not be called {reserved}; got a function {own!r}")


def takes_weights(metric: Callable[..., float]) -> bool:
    """Whether a function has a parameter ``sample_weight``."""
    try:
        return "sample_weight" in inspect.signature(metric).parameters
    except ValueError:  # some builtins have no signature
        return False


def monitored_name(name: str, logs: Collection[str]) -> str:
    """The recorded value that a monitor stands for: "auto" is ``val_loss``, if any, or ``loss``."""
    if name != "auto":
        return name
    return "val_loss" if "val_loss" in logs else "loss"


def monitored_value(name: str, logs: Mapping[str, float], mode: str | None = None) -> float:
    """A recorded value, signed so that less is better; see :func:`monitored_name`.

    ``mode`` is "auto", "min" or "max"; None if there is no such setting.

    Raises
    ------
    ValueError
        If the value is not recorded, or a metric that is a user's function has no ``mode``.
    """
    name = monitored_name(name, logs)
    if name not in logs:
        hint = did_you_mean(name, logs)
        raise ValueError(f"monitor must be one of {', '.join(map(repr, logs))}; got {name!r}{hint}")
    larger_is_better = mode == "max" if mode in ("min", "max") else _is_larger_better(name, mode)
    return -logs[name] if larger_is_better else logs[name]


def _is_larger_better(name: str, mode: str | None) -> bool:
    plain = name.removeprefix("val_")
    if plain not in METRICS and plain != "loss":
        if mode is None:
            wanted = "a loss or a named metric, so that it is known whether smaller is better"
            raise ValueError(f"monitor must be {wanted}; got {name!r}")
        raise ValueError(f"mode must be 'min' or 'max' for monitor={name!r}; got {mode!r}")
    return plain != "loss" and METRICS[plain].larger_is_better
