"""Learning rates of the updates of an epoch."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..metrics import is_larger_better
from ..schedules import ReduceOnPlateau, Schedule
from ..settings import Settings

Rates = npt.NDArray[np.float64]


def learning_rates(
    settings: Settings,
    learning_rate: float | None,
    updates: range,
    total: int,
    monitored: tuple[float, ...],
) -> Rates:
    """Rates of the updates that make an epoch.

    Parameters
    ----------
    learning_rate : float, optional
        By default the optimizer's.
    updates : range
        Their numbers, counted from the first update of the training, which is 0.
    total : int
        Updates planned in all.
    monitored : tuple of float
        What :func:`monitored` gave for each epoch so far.

    Raises
    ------
    ValueError
        For a rate that is set beside a function as schedule, or a rate of the latter that is
        negative or not finite.
    """
    schedule = settings.schedule
    if settings.rates_are_scheduled:
        if learning_rate is not None:
            raise ValueError(
                "learning_rate has no effect beside a function as schedule, which gives it; "
                f"got learning_rate={learning_rate!r}"
            )
        rates = np.array([float(schedule(update)) for update in updates])
        if not (np.isfinite(rates).all() and (rates >= 0).all()):
            update = updates[int((~(rates >= 0) | ~np.isfinite(rates)).argmax())]
            raise ValueError(
                f"schedule must give finite numbers >= 0; got {schedule(update)!r} for {update}"
            )
        return rates
    rate = settings.resolved_rate(learning_rate)
    if isinstance(schedule, Schedule):
        return rate * schedule.factors(np.array(updates), len(updates), total)
    if isinstance(schedule, ReduceOnPlateau):
        rate *= schedule.factor_after(list(monitored), larger_is_better=False)
    return np.full(len(updates), rate)


def monitored(schedule: Any, logs: Mapping[str, float]) -> tuple[float, ...]:
    """What a schedule is to know of an epoch: a value of which less is better, or nothing.

    Raises
    ------
    ValueError
        If it is not recorded.
    """
    if not isinstance(schedule, ReduceOnPlateau):
        return ()
    name = schedule.monitor
    if name == "auto":
        name = "val_loss" if "val_loss" in logs else "loss"
    if name not in logs:
        known = ", ".join(map(repr, logs))
        raise ValueError(f"monitor of ReduceOnPlateau must be one of {known}; got {name!r}")
    return (-logs[name] if is_larger_better(name) else logs[name],)
