"""Loss and metrics of predictions, by the names under which they are recorded."""

import numpy as np

from ..data import Array, EncodedRows, Numbers
from ..metrics import METRICS, TOP_K, AnyMetric, name_of, takes_weights
from ..network.encoding import Encoding
from ..network.packed_network import Network
from ..outputs import Outputs, Scores, Targets
from .forward import evaluate
from .predicted import Predicted, Predictions

Metrics = tuple[AnyMetric, ...] | None
Samples = tuple[EncodedRows, Targets]


def check_metrics(metrics: Metrics, outputs: Outputs) -> None:
    """Check that the metrics suit the outputs.

    Raises
    ------
    ValueError
        If one needs classes, probabilities or numbers that the outputs do not give.
    """
    for metric in metrics or ():
        if callable(metric):
            continue
        misfit = f"metric {metric!r} does not fit loss={outputs.loss.name!r}"
        if (METRICS[metric].takes == "numbers") != (outputs.metric == "r2"):
            raise ValueError(misfit)
        if outputs.kind == "labels" and metric in ("balanced_accuracy", "top_k"):
            raise ValueError(f"{misfit} of columns of labels: it needs one class for each row")
        if metric == "top_k" and len(outputs.labels) <= TOP_K:
            got = f"got {len(outputs.labels)}"
            raise ValueError(
                f"metric 'top_k' asks whether the class is among the {TOP_K} most probable ones, "
                f"so it needs more than {TOP_K} classes; {got}"
            )


def scores(
    network: Network, encoding: Encoding, rows: Samples, metrics: Metrics, threads: int | None,
    evaluated: Scores | None = None,
) -> tuple[dict[str, float], float]:  # fmt: skip
    """Mean ``loss`` and ``metrics``, by default accuracy or r2, on rows and targets; and the loss
    of the scaled targets. Loss and the outputs' own metric may be ``evaluated`` before."""
    loss, score, scaled_loss = evaluated or evaluate(network, encoding, rows, threads)
    X, targets = rows
    predictions = Predicted(network, encoding, X, threads)
    values = metric_values(metrics, score, predictions, encoding.outputs, targets)
    return {"loss": loss} | values, scaled_loss


def metric_values(
    metrics: Metrics, score: float, predictions: Predictions, outputs: Outputs, targets: Targets
) -> dict[str, float]:
    """Values of the metrics by name; ``score`` is that of the outputs' own metric, known before."""
    own = outputs.metric
    if metrics is None:
        return {own: score}
    return {
        name_of(metric): score if metric == own else _value(metric, predictions, outputs, targets)
        for metric in metrics
    }


def _value(
    metric: AnyMetric, predictions: Predictions, outputs: Outputs, targets: Targets
) -> float:
    if callable(metric):
        given = targets.weights and targets.weights.given
        weights = {"sample_weight": given} if takes_weights(metric) else {}
        value = metric(outputs.truths(targets), predictions.decoded, **weights)
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            got = f"got {value!r} from {name_of(metric)}"
            raise TypeError(f"metrics must return a number; {got}") from error
    function, takes, _ = METRICS[metric]
    arguments = _arguments(takes, predictions, outputs, targets)
    return function(*arguments, targets.weights_or_ones)


def _arguments(
    takes: str, predictions: Predictions, outputs: Outputs, targets: Targets
) -> tuple[Array, Array]:
    """Targets and predictions in one of the forms of ``Metric``."""
    if takes == "shares":
        return shares_and_log_odds(outputs, targets, predictions.log_odds)
    if takes == "logits":
        return outputs.indices(targets), predictions.logits
    truths = outputs.truths(targets)
    if takes in ("classes", "numbers"):
        return truths, predictions.decoded
    members = _members(truths, outputs)
    if takes == "members":
        return members, _members(predictions.decoded, outputs)
    return members, predictions.log_odds[:, -members.shape[1] :]


def _members(values: Array, outputs: Outputs) -> Array:
    """Whether rows belong to each class or label; of two classes to the larger one."""
    if outputs.kind == "labels":
        return np.asarray(values == 1)
    classes = outputs.labels
    return np.asarray(values[:, None] == (classes if len(classes) > 2 else classes[1:]))


def shares_and_log_odds(
    outputs: Outputs, targets: Targets, log_odds: Numbers, smoothing: float = 0.0
) -> tuple[Numbers, Numbers]:
    """Wanted probabilities of all classes, or of 1 and of 0 for each label, and their log-odds."""
    if outputs.kind != "classes":
        ones = outputs.indices(targets).reshape(len(targets), -1)
        shares, count = np.hstack([ones, 1 - ones]), 2
        log_odds = np.hstack([log_odds, -log_odds])
    elif targets.values is None:
        count = outputs.count
        shares = outputs.indices(targets)[:, None] == np.arange(count)
    else:
        shares, count = targets.values.T, outputs.count
    return shares * (1 - smoothing) + np.float64(smoothing / count), log_odds
