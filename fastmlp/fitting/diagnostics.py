"""What a fit that has ended says of itself, where something is wrong with it."""

import math
import warnings
from collections.abc import Iterator, Sequence

import numpy as np

from ..data import outside
from ..network.network import Network
from ..outputs import Outputs, Targets
from .dataset import FitData

# Fewer epochs, and updates, say little.
_EPOCHS, _UPDATES = 5, 500
# A fall that is a large part of all, in each of the last epochs.
_STILL_FALLING, _STEPS = 0.05, 3
# In fewer epochs any loss does.
_SHORT = 10
# What predictions of the mean reach but for chance, in R².
_NOTHING = -0.05
_DEAD, _SAMPLE_ROWS = 0.5, 256
# Rows that are tried at a time: where most units live, the first ones show it.
_BLOCK_ROWS = 32


class FitWarning(UserWarning):
    """A fit has ended, but something is wrong with it."""


def warn_of(
    network: Network, data: FitData, history: dict[str, list[float]], *, first: int, best: int,
    may_fall: bool,
) -> None:  # fmt: skip
    """Warn once of whatever is wrong.

    Parameters
    ----------
    network : Network
        As the fit leaves it.
    history : History
        Of which the fit began at ``first``; ``best`` is the epoch of the network.
    may_fall : bool
        Whether losses that still fall are worth a word: nothing but the number of epochs ended the
        training, and it did not go on from an earlier one, whose part of all is not known.
    """
    if len(history["loss"]) - first < _EPOCHS and network.updates < _UPDATES:
        return
    found = [
        *_worse_than_nothing(data, history, best),
        *_dead_units(network, data),
        *(_still_falling(history, first) if may_fall else ()),
    ]
    if found:
        warnings.warn("; ".join(found), FitWarning, stacklevel=outside())


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
    share = _majority(outputs, targets)
    if value < share - 3 * math.sqrt(share * (1 - share) / len(targets)):
        yield (
            f"predictions are worse than the most frequent class ({name} {value:.3f}, its share "
            f"{share:.3f}): {advice}"
        )


def _majority(outputs: Outputs, targets: Targets) -> float:
    """Share of the most frequent class."""
    weights = targets.weights_of(np.arange(len(targets)))
    return float(np.bincount(outputs.indices(targets), weights).max() / weights.sum())


def _dead_units(network: Network, data: FitData) -> Iterator[str]:
    """Layers of ReLU of which most units are 0 for all of some training rows."""
    step = max(1, len(data.X) // _SAMPLE_ROWS)
    rows = data.X[::step][:_SAMPLE_ROWS]
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
    # One such step may be chance.
    if min(-np.diff(losses[-1 - _STEPS :])) > _STILL_FALLING * all_of_it:
        yield (
            f"{name} still fell by {fall:.3g} in the last epoch, {fall / all_of_it:.0%} of all: "
            "more epochs may help"
        )
