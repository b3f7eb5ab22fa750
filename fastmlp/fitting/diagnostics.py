"""Warnings about the result of a fit: poor scores, dead units, a loss that still falls."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ..data import sample_rows
from ..fit_warning import warn
from ..network.packed_network import Network
from ..outputs import Outputs, Targets
from .dataset import FitData

# Fits of fewer epochs and fewer updates are not diagnosed.
_EPOCHS, _UPDATES = 5, 500
# A loss still falls if each of the last epochs made so large a fraction of its whole fall.
_STILL_FALLING, _STEPS = 0.05, 3
# In fewer epochs any loss does.
_SHORT = 10
# R² of predicting the mean, less a margin for chance.
_NOTHING = -0.05
# A layer is reported if more than this fraction of its units are 0 on a whole sample of rows.
_DEAD, _SAMPLE_ROWS = 0.5, 256
# Rows per step: usually the first ones show that most units are active.
_BLOCK_ROWS = 32


def warn_of(
    network: Network, data: FitData, history: dict[str, list[float]], *, first: int, best: int,
    may_fall: bool,
) -> None:  # fmt: skip
    """Issue one warning of all problems found.

    Parameters
    ----------
    network : Network
        The result of the fit.
    history : History
        Its epoch ``first`` is the first of the fit, ``best`` that of the network.
    may_fall : bool
        Whether to warn of a loss that still falls: only if the number of epochs ended the fit, and
        it did not continue an earlier one, whose fall is unknown.
    """
    if len(history["loss"]) - first < _EPOCHS and network.updates < _UPDATES:
        return
    found = [
        *_worse_than_nothing(data, history, best),
        *_dead_units(network, data),
        *(_still_falling(history, first) if may_fall else ()),
    ]
    if found:
        warn("; ".join(found))


def _worse_than_nothing(data: FitData, history: dict[str, list[float]], best: int) -> Iterator[str]:
    outputs, targets, prefix = data.encoding.outputs, data.targets, ""
    if data.validation is not None:
        targets, prefix = data.validation[1], "val_"
    name = prefix + outputs.metric
    if name not in history or len(targets) == 0:
        return
    value = history[name][best]
    advice = "a smaller learning_rate, more epochs, scaling='auto' or other features may help"
    if outputs.metric == "r2":
        if outputs.loss.name == "squared_error" and value < _NOTHING:
            yield f"predictions are worse than the mean of Y ({name} {value:.3f}): {advice}"
        return
    if outputs.kind == "labels":
        return
    frequency = _majority(outputs, targets)
    if value < frequency - 3 * math.sqrt(frequency * (1 - frequency) / len(targets)):
        yield (
            f"predictions are worse than the most frequent class ({name} {value:.3f}, its "
            f"frequency {frequency:.3f}): {advice}"
        )


def _majority(outputs: Outputs, targets: Targets) -> float:
    """Frequency of the most frequent class, weighted by sample weights."""
    weights = targets.weights_or_ones
    return float(np.bincount(outputs.indices(targets), weights).max() / weights.sum())


def _dead_units(network: Network, data: FitData) -> Iterator[str]:
    """Texts on ReLU layers of which most units are 0 for all of a sample of training rows."""
    rows = data.X[sample_rows(len(data.X), _SAMPLE_ROWS)]
    if len(rows) == 0 or set(network.activations) != {"relu"}:
        return
    weights = network.get_weights()[:-2]
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    dead = [np.ones(b.size, bool) for _, b in layers]
    for first in range(0, len(rows), _BLOCK_ROWS):
        block = rows[first : first + _BLOCK_ROWS]
        values = data.encoding.inputs.scaling.as_read(block, network.dtype)
        for (W, b), units in zip(layers, dead, strict=True):
            values = np.maximum(np.einsum("ij,jk->ik", values, W) + b, 0)
            units &= values.max(axis=0) == 0
        if all(units.mean() <= _DEAD for units in dead):
            return
    for number, units in enumerate(dead, 1):
        if units.mean() > _DEAD:
            yield (
                f"{units.sum()} of {units.size} units of hidden layer {number} are 0 for all rows: "
                "a smaller learning_rate, activation='leaky_relu' or scaled features may help"
            )


def _still_falling(history: dict[str, list[float]], first: int) -> Iterator[str]:
    name = "val_loss" if "val_loss" in history else "loss"
    losses: Sequence[float] = history[name][first:]
    if len(losses) < _SHORT:
        return
    fall, all_of_it = losses[-2] - losses[-1], max(losses) - min(losses)
    # A single such step may be chance.
    if min(-np.diff(losses[-1 - _STEPS :])) > _STILL_FALLING * all_of_it:
        yield (
            f"{name} still fell by {fall:.3g} in the last epoch, {fall / all_of_it:.0%} of all: "
            "more epochs may help"
        )
