"""Loss and metrics of a network on rows, by the names under which they are recorded."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..metrics import METRICS, AnyMetric
from ..network.encoding import Encoding
from ..network.packed_network import Network
from ..outputs import Outputs, Targets
from .forward import evaluate, predict

Metrics = tuple[AnyMetric, ...] | None
Samples = tuple[npt.NDArray[Any], Targets]


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
        of_numbers = METRICS[metric].takes == "numbers"
        if of_numbers != (outputs.metric == "r2") or (
            metric == "top_k" and outputs.kind != "classes"
        ):
            raise ValueError(f"metric {metric!r} does not fit loss={outputs.loss.name!r}")


def name_of(metric: AnyMetric) -> str:
    """The name under which a metric is recorded."""
    return getattr(metric, "__name__", type(metric).__name__) if callable(metric) else str(metric)


def scores(
    network: Network, encoding: Encoding, rows: Samples, metrics: Metrics, threads: int | None
) -> tuple[dict[str, float], float]:
    """Mean ``loss`` and ``metrics``, by default accuracy or r2, on rows and targets; and the loss
    of the scaled targets."""
    loss, metric, scaled_loss = evaluate(network, encoding, rows, threads)
    if metrics is None:
        return {"loss": loss, encoding.outputs.metric: metric}, scaled_loss
    further = further_scores(network, encoding, rows, metrics, threads)
    return {"loss": loss} | further, scaled_loss


def further_scores(
    network: Network,
    encoding: Encoding,
    rows: Samples,
    metrics: tuple[AnyMetric, ...],
    threads: int | None,
) -> dict[str, float]:
    """Values of the metrics alone, from one prediction."""
    if not metrics:
        return {}
    X, targets = rows
    outputs = encoding.outputs
    raw = predict(network, X, threads, encoding.inputs.scaling, outputs.loss.name)
    weights = targets.weights_or_ones
    return {name_of(m): _score(m, raw, targets, outputs, weights) for m in metrics}


def _score(
    metric: AnyMetric,
    raw: npt.NDArray[np.floating],
    targets: Targets,
    outputs: Outputs,
    weights: npt.NDArray[np.float64],
) -> float:
    if callable(metric):
        return float(metric(outputs.truths(targets), outputs.predictions(raw)))
    function, takes, _ = METRICS[metric]
    if takes == "probabilities":
        return function(outputs.indices(targets), outputs.probabilities(raw), weights)
    return function(outputs.truths(targets), outputs.predictions(raw), weights)
