"""Learning rates of the updates of an epoch."""

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..metrics import monitored_value
from ..schedules import AnySchedule, Constant, ReduceOnPlateau, Schedule
from ..settings import LearningRate
from ..settings.combinations import check_rate_has_effect

Rates = npt.NDArray[np.float64]


def learning_rates(
    rate: LearningRate,
    schedule: AnySchedule | None,
    updates: range,
    total: int,
    monitored: tuple[float, ...],
) -> Rates:
    """Return the learning rates of the updates of an epoch.

    Parameters
    ----------
    rate : LearningRate
    schedule : schedule, callable or None
    updates : range
        Numbers of the updates, from 0 at the first update of the network.
    total : int
        Planned number of updates.
    monitored : tuple of float
        Results of :func:`monitored_by` for each epoch so far.

    Raises
    ------
    ValueError
        For a rate set by a callback beside a function as schedule, or if that function returns a
        rate that is negative or not finite.
    """
    if schedule is None or isinstance(schedule, Constant):
        rates = _constant(rate.slowed, len(updates))
    elif isinstance(schedule, Schedule):
        rates = rate.slowed * schedule.factors(np.array(updates), len(updates), total)
    elif isinstance(schedule, ReduceOnPlateau):
        factor = schedule.factor_after(monitored)
        rates = np.full(len(updates), rate.slowed * factor)
    else:
        if rate.source != "scheduled":
            check_rate_has_effect(schedule, rate.value)
        rates = _called(schedule, updates)
    return rates


@lru_cache(maxsize=8)
def _constant(rate: float, count: int) -> Rates:
    return np.broadcast_to(rate, count)


def _called(schedule: Callable[[int], float], updates: range) -> Rates:
    rates = np.array([float(schedule(update)) for update in updates])
    wrong = ~(np.isfinite(rates) & (rates >= 0))
    if wrong.any():
        update = updates[int(wrong.argmax())]
        raise ValueError(
            f"schedule must give finite numbers >= 0; got {schedule(update)!r} for {update}"
        )
    return rates


def monitored_by(schedule: AnySchedule | None, logs: Mapping[str, float]) -> tuple[float, ...]:
    """The value of an epoch that a schedule monitors, signed so that less is better; or nothing.

    Raises
    ------
    ValueError
        If it is not recorded.
    """
    if not isinstance(schedule, ReduceOnPlateau):
        return ()
    return (monitored_value(schedule.monitor, logs),)
