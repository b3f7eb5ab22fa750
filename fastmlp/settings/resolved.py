"""Settings as a fit goes by them: of concrete types, with nothing left to be chosen but what is
learned from the rows, the loss and the scaling."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from ..callbacks import EarlyStopping
    from ..losses import Loss
    from ..optimizers import Optimizer
    from ..schedules import ReduceOnPlateau, Schedule


@dataclass(frozen=True)
class LearningRate:
    """The learning rate of a fit, before the schedule, and where it comes from.

    Parameters
    ----------
    value : float
    source : {"given", "chosen", "scheduled"}
        By the user, by default, or by a function as schedule, beside which ``value`` has no effect.
    slowdown : float
        Factor after fits that diverged.
    """

    value: float
    source: Literal["given", "chosen", "scheduled"]
    slowdown: float = 1.0

    @property
    def slowed(self) -> float:
        """The rate after fits that diverged."""
        return self.value * self.slowdown

    def slower(self) -> LearningRate:
        """A tenth of it."""
        return replace(self, slowdown=self.slowdown / 10)


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """What a fit goes by. ``Settings`` has the same names; only those that are learned from the
    rows may still be open: ``loss`` None, ``scaling`` "auto"."""

    hidden: tuple[int, ...]
    activation: str | tuple[str, ...]
    initializer: str
    dropout: float | tuple[float, ...]
    loss: Loss | None
    class_weight: str | Mapping[Any, float] | None
    label_smoothing: float
    optimizer: Optimizer
    learning_rate: LearningRate
    schedule: Schedule | ReduceOnPlateau | Callable[[int], float] | None
    l2: float
    l1: float
    clip_norm: float | None
    epochs: int
    batch_size: int
    weight_averaging: float
    shuffle: bool
    scaling: str | float | tuple[float, ...] | None
    missing: str
    validation_fraction: float
    validation_split: str
    early_stopping: EarlyStopping | None
    refit: bool
    metrics: tuple[str | Callable[..., float], ...] | None
    time_budget: float | None
    dtype: np.dtype[Any]
    threads: int | None
    seed: int | None
    warm_start: bool
    verbose: int
    callbacks: tuple[Any, ...]

    def changed(self, **changes: Any) -> FitSettings:
        """The same with other values."""
        return replace(self, **changes)

    def activations(self, count: int) -> tuple[str, ...]:
        """The activation of each of ``count`` hidden layers."""
        return for_each_layer(self.activation, count)

    def dropouts(self, count: int) -> tuple[float, ...]:
        """The fraction dropped of the input and of each of ``count`` hidden layers; () for none."""
        given = self.dropout if isinstance(self.dropout, tuple) else (0.0, *[self.dropout] * count)
        return given if any(given) else ()


def for_each_layer(activation: str | tuple[str, ...], count: int) -> tuple[str, ...]:
    """A name for each of ``count`` hidden layers."""
    return activation if isinstance(activation, tuple) else (activation,) * count
