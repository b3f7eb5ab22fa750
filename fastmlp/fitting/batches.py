"""What the losses of a batch are divided by, and the loss of an epoch that is recorded.

By all rows, see ``docs/background/decisions.md``, or by each batch alone, as scikit-learn does.
"""

from typing import Protocol

import numpy as np

from ..data import Array, Numbers
from ..outputs import Means, MeanWeight, Outputs, Targets
from ..settings import FitSettings

# Arrays that kernels read, by their field of a run.
Arrays = dict[str, Array]


class Batches(Protocol):
    """Factors of the batches of an epoch, and means of its losses."""

    targets: Targets

    def begin(self, factors: Arrays, arrays: Arrays, before: MeanWeight) -> MeanWeight:
        """Set the ``factors`` of each batch, and the weights in ``arrays`` of the rows, for an
        epoch; return the mean weight of all rows so far."""

    def means(self, sums: Numbers, order: Array, arrays: Arrays) -> Means:
        """Means over the rows ``order`` of an epoch, from the sums of the kernels."""


class OverAllRows:
    """Losses of a batch divided by its rows times the mean weight of all rows trained on.

    ``mean_weight`` is that of all rows of which these are a part, if it is known.
    """

    def __init__(
        self, targets: Targets, outputs: Outputs, batch_rows: Array,
        mean_weight: float | None = None,
    ) -> None:  # fmt: skip
        self.targets, self._outputs = targets, outputs
        self._terms = batch_rows * outputs.averaged
        total, self._unit = targets.totals[0]
        mean = total / len(targets) * self._unit if mean_weight is None else mean_weight
        self._own = MeanWeight(len(targets), mean)
        self._mean = 0.0

    def begin(self, factors: Arrays, arrays: Arrays, before: MeanWeight) -> MeanWeight:
        """Set the sample scales, unless they are those of the epoch before."""
        mean_weight = before.after(*self._own) if before.rows else self._own
        mean = mean_weight.mean / self._unit
        if mean != self._mean:
            factors["sample_scales"][:] = 1 / (self._terms * mean)
            self._mean = mean
        return mean_weight

    def means(self, sums: Numbers, order: Array, arrays: Arrays) -> Means:
        """Means over the rows."""
        targets = self.targets
        seen = targets if len(order) == len(targets) else targets.part(order)
        return self._outputs.means(sums, seen)


class OverEachBatch:
    """Losses and penalty of a batch divided by the sum of its own weights, as in scikit-learn.

    Gradients are those of the sum over the outputs. The loss that is recorded has the penalty of
    the weights with which a batch began, and each batch counts by its rows: the ``loss_curve_`` of
    ``sklearn.neural_network``. A batch of weight 0 has neither loss nor penalty.
    """

    def __init__(
        self, targets: Targets, outputs: Outputs, batch_rows: Array, settings: FitSettings,
        panels: int,
    ) -> None:  # fmt: skip
        if targets.is_weighted:  # weights in the loss are changed, those of scores are not
            targets = Targets(targets.labels, targets.values, targets.weights, targets.of_loss)
        self.targets, self._outputs = targets, outputs
        self._rows, self._l2 = batch_rows, settings.l2
        self._starts = np.cumsum(batch_rows) - batch_rows
        self._is_set = False
        self.penalties = np.zeros(panels)

    def begin(self, factors: Arrays, arrays: Arrays, before: MeanWeight) -> MeanWeight:
        """Make 1 the mean weight of each batch, and divide the penalty by its weights."""
        self.penalties[:] = 0
        if self.targets.loss_weights is not None:
            weights = arrays["weights"][: len(self.targets)]
            totals = np.add.reduceat(weights, self._starts, dtype=np.float64)
            means, l2s = np.zeros((2, len(totals)))
            np.divide(self._rows, totals, out=means, where=totals != 0)
            weights *= np.repeat(means, self._rows)
            np.divide(self._l2, totals * self.targets.loss_weights.unit, out=l2s, where=totals != 0)
            factors["l2s"][:] = l2s
        elif not self._is_set:
            factors["l2s"][:] = self._l2 / self._rows
        if not self._is_set:
            factors["sample_scales"][:] = 1 / self._rows
            self._is_set = True
        return before

    def means(self, sums: Numbers, order: Array, arrays: Arrays) -> Means:
        """Means over the rows, with the penalties."""
        rows, outputs = len(order), self._outputs
        seen = self.targets if rows == len(self.targets) else self.targets.part(order)
        losses = sums[:, 0] / rows
        if outputs.kind == "counts":
            losses = (losses + _of_perfect_counts(arrays, rows)) * len(losses)
        if self._l2 > 0:
            losses = losses + np.add.reduce(self.penalties) / rows
        own = outputs.means(sums, seen)
        return Means(
            losses, own.scores, own.targets, own.variances, float(rows), own.score_weight
        )  # fmt: skip


def _of_perfect_counts(arrays: Arrays, rows: int) -> Numbers:
    """The mean of y log y - y, with which Poisson's loss becomes half the deviance."""
    y = arrays["targets"][:, :rows].astype(np.float64)
    terms = y * np.log(np.where(y > 0, y, 1.0)) - y
    if "weights" in arrays:
        terms *= arrays["weights"][:rows]
    mean: Numbers = terms.mean(axis=1)
    return mean
