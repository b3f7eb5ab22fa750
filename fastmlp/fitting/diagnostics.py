"""Warnings about the result of a fit: poor scores, dead units, a loss that still falls."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ..data import Array, EncodedRows, Rows, SparseRows
from ..fit_warning import warn
from ..inference.predicted import Predicted
from ..metrics import balanced_accuracy
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
# No small number, with which the rows themselves may have been drawn.
_SEED = 9_214_077_531
# Rows per step: usually the first ones show that most units are active.
_BLOCK_ROWS = 32


class Seen:
    """Training rows, of which a stream leaves a random sample and the frequencies of classes."""

    def __init__(self) -> None:
        self.rows: EncodedRows | None = None
        self.classes = np.zeros(1)  # sums of weights
        self.n_rows = 0  # of the present epoch
        self._unit = 0.0  # of the weights
        self._rng, self._keys = np.random.default_rng(_SEED), np.empty(0)

    def added(self, data: FitData) -> FitData:
        """Add the rows of ``data``; return ``data``."""
        keys = self._rng.random(len(data.X))
        chosen = _smallest(keys)
        rows, keys = data.X[chosen].copy(), keys[chosen]  # a stream may use their memory again
        if self.rows is not None:
            rows, keys = _joined(self.rows, rows), np.concatenate([self._keys, keys])
        kept = _smallest(keys)
        self.rows, self._keys = rows[kept], keys[kept]
        self.add_classes(data.encoding.outputs, data.targets)
        return data

    def add_classes(self, outputs: Outputs, targets: Targets) -> None:
        """Add the weights of the classes of some rows."""
        if outputs.kind in ("classes", "pair"):
            weights, n_classes = targets.of_scores, len(outputs.labels)
            self._unit = self._unit or weights.unit
            values = weights.values * (weights.unit / self._unit)
            self.classes = self.classes + np.bincount(outputs.indices(targets), values, n_classes)
            self.n_rows += len(targets)


def _joined(one: EncodedRows, other: EncodedRows) -> EncodedRows:
    """Rows of both; a stream may have sparse and dense ones."""
    if isinstance(one, SparseRows) or isinstance(other, SparseRows):
        return SparseRows.joined([SparseRows.of(one), SparseRows.of(other)])
    return np.concatenate([one, other])


def _smallest(keys: Array) -> Rows:
    if len(keys) <= _SAMPLE_ROWS:
        return slice(None)
    return np.argpartition(keys, _SAMPLE_ROWS)[:_SAMPLE_ROWS]


def warn_of(
    network: Network, data: FitData, seen: Seen | None, history: dict[str, list[float]], *,
    first: int, best: int, may_fall: bool,
) -> None:  # fmt: skip
    """Issue one warning of all problems found.

    Parameters
    ----------
    network : Network
        The result of the fit.
    seen : Seen, optional
        The rows of a stream; None for those of ``data``.
    history : History
        Its epoch ``first`` is the first of the fit, ``best`` that of the network.
    may_fall : bool
        Whether to warn of a loss that still falls: only if the number of epochs ended the fit, and
        it did not continue an earlier one, whose fall is unknown.
    """
    if len(history["loss"]) - first < _EPOCHS and network.updates < _UPDATES:
        return
    if seen is None:
        seen = Seen()
        seen.added(data)
    found = [
        *_worse_than_nothing(network, data, seen, history, best),
        *_dead_units(network, data, seen),
        *(_still_falling(history, first) if may_fall else ()),
    ]
    if found:
        warn("; ".join(found))


def _worse_than_nothing(
    network: Network, data: FitData, seen: Seen, history: dict[str, list[float]], best: int
) -> Iterator[str]:
    outputs, rows, prefix = data.encoding.outputs, (data.X, data.targets), ""
    if data.validation is not None:
        rows, prefix, seen = data.validation, "val_", Seen()
        seen.add_classes(outputs, rows[1])
    name = prefix + outputs.metric
    if outputs.kind == "labels":
        return
    values = history.get(name, [])  # the user may have changed it
    value = values[best] if best < len(values) else math.nan
    advice = "a smaller learning_rate, more epochs, scaling='auto' or other features may help"
    if outputs.metric == "r2":
        if outputs.loss.name == "squared_error" and value < _NOTHING:
            yield f"predictions are worse than the mean of Y ({name} {value:.3f}): {advice}"
        return
    if data.settings.class_weight is None:
        frequency, n_rows = seen.classes.max() / seen.classes.sum(), seen.n_rows
        rule = f"the most frequent class ({name} {value:.3f}, its frequency {frequency:.3f})"
    elif len(rows[1]) == 0:  # nor does a stream keep rows to predict
        return
    else:
        # Accuracy is not what class weights are for.
        X, targets = rows
        truths, weights = outputs.truths(targets), targets.weights_or_ones
        predicted = Predicted(network, data.encoding, X, data.settings.threads).decoded
        value = balanced_accuracy(truths, predicted, weights)
        _, counts = np.unique(truths, return_counts=True)
        frequency, n_rows = 1 / len(counts), len(counts) ** 2 / (1 / counts).sum()
        rule = f"one class for all rows (balanced_accuracy {value:.3f}, of one {frequency:.3f})"
    if value < frequency - 3 * math.sqrt(frequency * (1 - frequency) / n_rows):
        yield f"predictions are worse than {rule}: {advice}"


def _dead_units(network: Network, data: FitData, seen: Seen) -> Iterator[str]:
    """Texts on ReLU layers of which most units are 0 for all of a sample of training rows."""
    rows = seen.rows
    if rows is None or set(network.activations) != {"relu"}:
        return
    weights = network.get_weights()[:-2]
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    if isinstance(rows, SparseRows):  # without the features that are 0 in all of them
        rows, used = rows.compact()
        layers[0] = layers[0][0][used], layers[0][1]
    dead = [np.ones(b.size, bool) for _, b in layers]
    for first in range(0, len(rows), _BLOCK_ROWS):
        block = rows[first : first + _BLOCK_ROWS]
        values = data.encoding.inputs.of_kernels.as_read(block, network.dtype)
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
