"""Schedules: factors of the learning rate over the updates of a fit.

All but one are functions of the number of the update, without state, so that a continued fit has
the same rates as one without interruption. To add one: the class, with the source of its formula,
and a line in ``SCHEDULES``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .checks import COUNT, FRACTION, MONITOR, NOT_NEGATIVE, POSITIVE_RATIO, RATIO, WHOLE, Checked

Factors = npt.NDArray[np.float64]
Updates = npt.NDArray[np.int64]


def _fall(start: float, end: float, progress: npt.NDArray[np.floating]) -> Factors:
    """From ``start`` to ``end`` along half a cosine; ``progress`` is clipped to 0 and 1."""
    done = np.clip(progress, 0.0, 1.0)
    return np.asarray(end + (start - end) * 0.5 * (1.0 + np.cos(np.pi * done)), np.float64)


class Schedule(Checked):
    """Base of the schedules that give the factor of the learning rate at each update."""

    def factors(self, updates: Updates, per_epoch: int, total: int) -> Factors:
        """Return the factors of the learning rate at some updates.

        Parameters
        ----------
        updates : array of int
            Numbers of the updates, from 0 at the start of a fit. Updates beyond ``total`` have the
            final factor.
        per_epoch : int
            Updates in an epoch.
        total : int
            Planned number of updates.

        Returns
        -------
        array of float64
            A factor for each update.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Constant(Schedule):
    """A constant learning rate: the factor 1."""

    def factors(self, updates: Updates, per_epoch: int, total: int) -> Factors:
        """Ones; see :meth:`Schedule.factors`."""
        return np.ones(len(updates))


@dataclass(frozen=True)
class Step(Schedule):
    """``factor ** (epoch // every)``, epochs counting from 0: PyTorch's ``StepLR``.

    Parameters
    ----------
    every : int
        Epochs between steps.
    factor : float
        Factor of each step.
    """

    every: int = field(default=10, metadata=COUNT)
    factor: float = field(default=0.1, metadata=POSITIVE_RATIO)

    def factors(self, updates: Updates, per_epoch: int, total: int) -> Factors:
        """Factors that are constant within an epoch; see :meth:`Schedule.factors`."""
        steps = np.asarray(updates) // per_epoch // self.every
        return np.asarray(self.factor**steps, np.float64)


@dataclass(frozen=True)
class Exponential(Schedule):
    """``factor ** (update / per_epoch)``: Keras's ``ExponentialDecay`` with an epoch as
    ``decay_steps``.

    Parameters
    ----------
    factor : float
        Factor per epoch.
    """

    factor: float = field(default=0.95, metadata=POSITIVE_RATIO)

    def factors(self, updates: Updates, per_epoch: int, total: int) -> Factors:
        """Factors that fall at each update; see :meth:`Schedule.factors`."""
        return np.asarray(self.factor ** (np.asarray(updates) / per_epoch), np.float64)


@dataclass(frozen=True)
class Cosine(Schedule):
    """A linear rise to 1, then a fall to ``final`` along half a cosine.

    With w = ``warmup * total``, update u has the factor (u + 1) / (w + 1) as long as u < w, then
    ``final + (1 - final) * (1 + cos(pi (u - w) / (total - w))) / 2``, which is equation 5 of
    Loshchilov and Hutter, SGDR (ICLR 2017), without restarts.

    Parameters
    ----------
    warmup : float
        Fraction of the updates in the rise.
    final : float
        Factor after the last update.
    """

    warmup: float = field(default=0.0, metadata=FRACTION)
    final: float = field(default=0.0, metadata=RATIO)

    def factors(self, updates: Updates, per_epoch: int, total: int) -> Factors:
        """Factors of the rise and the fall; see :meth:`Schedule.factors`."""
        rise, updates = self.warmup * total, np.asarray(updates)
        falling = _fall(1.0, self.final, (updates - rise) / (total - rise))
        return np.where(updates < rise, (updates + 1) / (rise + 1), falling)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """A rise from ``start`` to 1, then a fall to ``final``, each along half a cosine.

    The policy of Smith and Topin, Super-convergence (2018), in the shape of PyTorch's
    ``OneCycleLR``, whose ``max_lr`` is the learning rate here, ``div_factor`` 25 and
    ``final_div_factor`` 1e4: the update ``warmup * total - 1`` has the factor 1, the last one
    ``final``. A training too short to rise starts at 1.

    Parameters
    ----------
    warmup : float
        Fraction of the updates in the rise.
    start : float
        Factor of the first update.
    final : float
        Factor of the last update.
    """

    warmup: float = field(default=0.3, metadata=FRACTION)
    start: float = field(default=0.04, metadata=RATIO)
    final: float = field(default=4e-6, metadata=RATIO)

    def factors(self, updates: Updates, per_epoch: int, total: int) -> Factors:
        """Factors of the rise and the fall; see :meth:`Schedule.factors`."""
        peak, updates = max(self.warmup * total - 1, 0.0), np.asarray(updates)
        # A rise or fall of length 0 contains no update but the peak itself.
        rising = _fall(self.start, 1.0, updates / (peak or 1.0))
        falling = _fall(1.0, self.final, (updates - peak) / (total - 1 - peak or 1.0))
        return np.where(updates < peak, rising, falling)


@dataclass(frozen=True)
class Coslog4(Schedule):
    """``(1 - cos(2 pi log2(1 + 15 t))) / 2`` after the fraction t of the updates: four waves, each
    twice as long as the one before.

    The schedule of RealMLP (Holzmüller, Grinsztajn and Steinwart, Better by default,
    arXiv:2407.04491). It starts at 0: the first update changes nothing.
    """

    def factors(self, updates: Updates, per_epoch: int, total: int) -> Factors:
        """Four waves; see :meth:`Schedule.factors`."""
        done = np.minimum(np.asarray(updates) / total, 1.0)
        return np.asarray(0.5 * (1.0 - np.cos(2.0 * np.pi * np.log2(1.0 + 15.0 * done))))


@dataclass(frozen=True)
class InverseScaling(Schedule):
    """``1 / (1 + update) ** power``.

    The formula of scikit-learn's ``learning_rate="invscaling"``, which counts samples in place of
    updates: there the rate falls ``batch_size ** power`` times as far.

    Parameters
    ----------
    power : float
        Exponent; 0 is a constant rate.
    """

    power: float = field(default=0.5, metadata=NOT_NEGATIVE)

    def factors(self, updates: Updates, per_epoch: int, total: int) -> Factors:
        """Factors that fall at each update; see :meth:`Schedule.factors`."""
        return np.asarray((1.0 + np.asarray(updates)) ** -self.power)


@dataclass(frozen=True)
class ReduceOnPlateau(Checked):
    """Multiply the learning rate by ``factor`` when a recorded value has stopped improving.

    As Keras's ``ReduceLROnPlateau``. The factor is computed from all values recorded so far, so it
    is the same for a continued fit.

    Parameters
    ----------
    monitor : str
        Name of a recorded value; "auto" is ``val_loss``, without validation data ``loss``.
    factor : float
        Factor of each reduction.
    patience : int
        Epochs without improvement before a reduction.
    min_delta : float
        Smallest change of the best value that is an improvement.
    cooldown : int
        Epochs after a reduction that do not count as without improvement.
    floor : float
        Smallest product of the factors.
    """

    monitor: str = field(default="auto", metadata=MONITOR)
    factor: float = field(default=0.1, metadata=FRACTION)
    patience: int = field(default=10, metadata=WHOLE)
    min_delta: float = field(default=1e-4, metadata=NOT_NEGATIVE)
    cooldown: int = field(default=0, metadata=WHOLE)
    floor: float = field(default=0.0, metadata=RATIO)

    def factor_after(self, values: Sequence[float]) -> float:
        """Return the factor of the learning rate in the next epoch.

        Parameters
        ----------
        values : sequence of float
            The monitored value of each epoch so far, signed so that less is better.
        """
        best, result, waited, cooling = np.inf, 1.0, 0, 0
        for value in values:
            if cooling > 0:
                cooling, waited = cooling - 1, 0
            if value < best - self.min_delta:
                best, waited = value, 0
            elif cooling == 0:
                waited += 1
                if waited >= self.patience and result > self.floor:
                    result, waited = max(result * self.factor, self.floor), 0
                    cooling = self.cooldown
        return result


AnySchedule = Schedule | ReduceOnPlateau | Callable[[int], float]

SCHEDULES: dict[str, type[Checked]] = {
    "constant": Constant,
    "step": Step,
    "exponential": Exponential,
    "cosine": Cosine,
    "one_cycle": OneCycle,
    "coslog4": Coslog4,
    "inverse_scaling": InverseScaling,
    "reduce_on_plateau": ReduceOnPlateau,
}
