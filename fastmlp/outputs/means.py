"""Means of losses, scores and targets, which add up over parts of an epoch."""

from typing import NamedTuple

import numpy as np

from ..data import Numbers


class Means(NamedTuple):
    """Weighted means over rows, for each output; of classes and labels for all outputs together."""

    losses: Numbers  # of the scaled targets
    scores: Numbers  # of correct rows; for numbers of squared errors
    targets: Numbers  # of the targets themselves, for numbers
    variances: Numbers
    loss_weight: float  # the sum of the weights of the losses, in the unit in which they were given
    score_weight: float  # of the scores and the targets

    def with_part(self, other: "Means") -> "Means":
        """The means over the rows of both."""
        loss_weight = self.loss_weight + other.loss_weight
        score_weight = self.score_weight + other.score_weight
        of_loss, of_score = other.loss_weight / loss_weight, other.score_weight / score_weight
        apart = other.targets - self.targets
        return Means(
            losses=self.losses + of_loss * (other.losses - self.losses),
            scores=self.scores + of_score * (other.scores - self.scores),
            targets=self.targets + of_score * apart,
            variances=self.variances
            + of_score * (other.variances - self.variances + (1 - of_score) * apart**2),
            loss_weight=loss_weight,
            score_weight=score_weight,
        )


class Scores(NamedTuple):
    """Loss and metric of rows."""

    loss: float  # in the unit of the targets
    metric: float
    scaled_loss: float  # of the scaled targets, which is trained on


def mean_of(sums: Numbers, total: float) -> Numbers:
    """Sums divided by the total weight, NaN if that is 0."""
    return sums / total if total > 0 else np.full_like(sums, np.nan)
