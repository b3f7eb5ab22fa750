"""What scikit-learn records after each epoch, and its rules for the rate and for the end."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..callbacks import Logs
from ..network.packed_network import Network
from .parameters import Parameters

# A score of the validation rows after an epoch, from the trainer and the recorded values.
Score = Callable[[Any, Logs], float]

# "adaptive" divides the rate by 5 until it is as small as this, then stops.
_SMALLEST_RATE = 1e-6


@dataclass
class Judge:
    """How early stopping judges the epochs of a fit.

    Parameters
    ----------
    score : callable
    best : Network, optional
        That of the best score. None stands for the last one: in a warm start scikit-learn's copies
        of the best weights are the very weights that it trains.
    """

    score: Score
    best: Network | None


class Epochs(Parameters):
    """The part of an estimator that follows the epochs of its trainer."""

    loss_: float
    loss_curve_: list[float]
    best_loss_: Any  # None with early stopping, the next two without it
    validation_scores_: Any
    best_validation_score_: Any
    n_iter_: int
    t_: int
    _no_improvement_count: int

    def _begin(self, *, is_first: bool) -> None:
        """Begin a fit; values of earlier fits stay, unless it is the first."""
        self.n_iter_ = 0
        if is_first:
            self.loss_curve_, self._no_improvement_count = [], 0
        if is_first or (self.best_loss_ is None) != self.early_stopping:
            stops = self.early_stopping
            self.best_loss_ = None if stops else math.inf
            self.validation_scores_ = [] if stops else None
            self.best_validation_score_ = -math.inf if stops else None

    def _end_diverged(self) -> None:
        """Record an epoch whose loss is not finite, with early stopping."""
        self.n_iter_ += 1
        self.loss_ = math.nan
        self.loss_curve_.append(math.nan)
        self.validation_scores_.append(math.nan)

    def _end_epoch(
        self, n_rows: int, judge: Judge | None, trainer: Any, epoch: int, logs: Logs
    ) -> None:
        """Record an epoch on ``n_rows`` rows; called by the trainer, first of its callbacks."""
        self.n_iter_ += 1
        self.t_ += n_rows
        self.loss_ = logs["loss"]
        self.loss_curve_.append(self.loss_)
        if self.verbose:
            print(f"Iteration {self.n_iter_}, loss = {self.loss_:.8f}")
        if judge is None:
            self._judge_loss(self.loss_)
        else:
            self._judge_score(judge, trainer, logs)
        if self.solver == "sgd" and self.learning_rate == "invscaling":
            trainer.learning_rate = self.learning_rate_init / (self.t_ + 1) ** self.power_t
        if self._no_improvement_count > self.n_iter_no_change:
            self._end_of_improvement(trainer)

    def _judge_loss(self, loss: float) -> None:
        has_improved = not loss > self.best_loss_ - self.tol
        self._no_improvement_count = 0 if has_improved else self._no_improvement_count + 1
        if loss < self.best_loss_:
            self.best_loss_ = loss

    def _judge_score(self, judge: Judge, trainer: Any, logs: Logs) -> None:
        score = judge.score(trainer, logs)
        self.validation_scores_.append(score)
        if self.verbose:
            print(f"Validation score: {score:f}")
        has_improved = not score < self.best_validation_score_ + self.tol
        self._no_improvement_count = 0 if has_improved else self._no_improvement_count + 1
        if score > self.best_validation_score_:
            self.best_validation_score_ = score
            judge.best = trainer.model_.network

    def _end_of_improvement(self, trainer: Any) -> None:
        """Stop, or lower an adaptive rate."""
        is_scored = self.validation_scores_ is not None
        what = "Validation score" if is_scored else "Training loss"
        message = (
            f"{what} did not improve more than tol={self.tol:f} for {self.n_iter_no_change} "
            "consecutive epochs."
        )
        rate = trainer.learning_rate or self.learning_rate_init
        if self.solver != "sgd" or self.learning_rate != "adaptive":
            trainer.stop_training, then = True, "Stopping."
        elif rate <= _SMALLEST_RATE:
            trainer.stop_training, then = True, "Learning rate too small. Stopping."
        else:
            trainer.learning_rate, self._no_improvement_count = rate / 5, 0
            then = f"Setting learning rate to {rate / 5:f}"
        if self.verbose:
            print(message, then)
