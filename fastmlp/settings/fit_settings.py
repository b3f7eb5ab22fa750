"""Settings with concrete types: checked choices, and what one fit goes by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ..callbacks import EarlyStopping
from ..losses import Loss
from ..metrics import AnyMetric
from ..optimizers import Optimizer
from ..schedules import AnySchedule

Auto = Literal["auto"]


@dataclass(frozen=True)
class LearningRate:
    """The learning rate of a fit, before the schedule, and its source.

    Parameters
    ----------
    value : float
    source : {"given", "chosen", "scheduled"}
        By the user, by default, or by a function as schedule, which makes ``value`` irrelevant.
    slowdown : float
        Factor that is reduced when a fit diverges.
    """

    value: float
    source: Literal["given", "chosen", "scheduled"]
    slowdown: float = 1.0

    @property
    def slowed(self) -> float:
        """The rate times ``slowdown``, which ``auto_`` reports and a refit uses."""
        # A tenth of the rate before: 0.1 / 10 is 0.01, 0.1 * 0.1 is not.
        return self.value if self.slowdown == 1 else self.value * (10 * self.slowdown) / 10

    def slower(self) -> LearningRate:
        """The same rate with a tenth of the slowdown factor."""
        return replace(self, slowdown=self.slowdown / 10)


@dataclass(frozen=True, kw_only=True)
class _Common:
    """Settings that do not depend on the number of rows. ``loss`` None and ``scaling`` "auto" are
    learned from the rows."""

    hidden: tuple[int, ...]
    activation: str | tuple[str, ...]
    initializer: str
    dropout: float | tuple[float, ...]
    loss: Loss | None
    class_weight: str | Mapping[Any, float] | None
    label_smoothing: float
    optimizer: Optimizer
    l2: float
    l1: float
    clip_norm: float | None
    shuffle: bool
    scaling: str | float | tuple[float, ...] | None
    missing: str
    validation_split: str
    refit: bool
    metrics: tuple[AnyMetric, ...] | None
    time_budget: float | None
    dtype: np.dtype[Any]
    threads: int | None
    seed: int | None
    warm_start: bool
    verbose: int
    callbacks: tuple[Any, ...]

    def activations(self, count: int) -> tuple[str, ...]:
        """The activation of each of ``count`` hidden layers."""
        return for_each_layer(self.activation, count)

    def dropouts(self, count: int) -> tuple[float, ...]:
        """Fractions dropped of the input and of each of ``count`` hidden layers; () for none."""
        given = self.dropout if isinstance(self.dropout, tuple) else (0.0, *[self.dropout] * count)
        return given if any(given) else ()


@dataclass(frozen=True, kw_only=True)
class Choices(_Common):
    """Checked values of ``Settings``; "auto" may remain."""

    learning_rate: float | None
    schedule: AnySchedule | Auto | None
    epochs: int | Auto
    batch_size: int | Auto
    weight_averaging: float | Auto
    validation_fraction: float | Auto
    early_stopping: EarlyStopping | Auto | None


@dataclass(frozen=True, kw_only=True)
class FitSettings(_Common):
    """Settings of one fit, with "auto" resolved for its number of rows.

    ``open_ended`` says whether more rows may follow. ``by_batch`` and ``random_state`` are those of
    the estimators: a batch is divided as in scikit-learn, see ``fitting.batches``, and orders of
    rows are drawn as there.
    """

    learning_rate: LearningRate
    schedule: AnySchedule | None
    epochs: int
    batch_size: int
    weight_averaging: float
    validation_fraction: float
    early_stopping: EarlyStopping | None
    open_ended: bool
    by_batch: bool = False
    random_state: np.random.RandomState | None = None


def for_each_layer(activation: str | tuple[str, ...], count: int) -> tuple[str, ...]:
    """The activations of ``count`` hidden layers, from one name or a name for each."""
    return activation if isinstance(activation, tuple) else (activation,) * count
