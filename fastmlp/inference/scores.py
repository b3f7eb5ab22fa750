"""Loss and metrics of a network on rows, as they are recorded."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..inputs import Scaling
from ..metrics import METRICS
from ..network.network import Network
from ..outputs import Outputs, Targets
from .forward import evaluate, predict

Metrics = tuple[Any, ...] | None


def check_metrics(metrics: Metrics, outputs: Outputs) -> None:
    """Whether metrics can be had of such outputs.

    Raises
    ------
    ValueError
        If one needs classes, probabilities or numbers, where there are none.
    """
    for metric in metrics or ():
        if callable(metric):
            continue
        of_numbers = METRICS[metric].takes == "numbers"
        if of_numbers != (outputs.metric == "r2") or (
            metric == "top_k" and outputs.kind != "classes"
        ):
            raise ValueError(f"metric {metric!r} does not fit loss={outputs.loss.name!r}")


def name_of(metric: Any) -> str:
    """Under which a metric is recorded."""
    return getattr(metric, "__name__", type(metric).__name__) if callable(metric) else str(metric)


def scores(
    network: Network,
    rows: tuple[npt.NDArray[Any], Targets],
    outputs: Outputs,
    metrics: Metrics,
    threads: int | None,
    scaling: Scaling,
) -> dict[str, float]:
    """Mean ``loss`` and ``metrics``, by default accuracy or r2, on rows and targets."""
    X, targets = rows
    loss, score = evaluate(network, X, targets, outputs, threads, scaling)
    if metrics is None:
        return {"loss": loss, outputs.metric: score}
    return {"loss": loss} | further_scores(network, rows, outputs, metrics, threads, scaling)


def further_scores(
    network: Network,
    rows: tuple[npt.NDArray[Any], Targets],
    outputs: Outputs,
    metrics: tuple[Any, ...],
    threads: int | None,
    scaling: Scaling,
) -> dict[str, float]:
    """Those of metrics alone, from one prediction."""
    if not metrics:
        return {}
    X, targets = rows
    raw = predict(network, X, threads, scaling, outputs.loss.name)
    weights = targets.weights_of(np.arange(len(targets)))
    return {name_of(m): _score(m, raw, targets, outputs, weights) for m in metrics}


def _score(
    metric: str | Callable[..., float],
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
