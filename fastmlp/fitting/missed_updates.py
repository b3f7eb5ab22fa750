"""Updates that sparse weights miss in an epoch, and that are made up for."""

import math
import time
from collections.abc import Mapping

import numpy as np

from ..inference.forward import SLICE_SECONDS
from ..kernels.plugins.update_rules import RULES
from ..kernels.runs.jobs import settling_job
from ..member import check_interrupt
from ..network.packed_network import Floats
from .memory import Workspace

# Work of the first call, as multiply-adds of all updates of an epoch.
_FIRST_SLICE_WORK = 1e8


class MissedUpdates:
    """What kernels need to know of the updates of an epoch, and the end of the epoch.

    Parameters
    ----------
    space : Workspace
        Of the fit; without sparse weights that miss something, nothing happens.
    updates : int
        Of an epoch.
    numbers : dict
        Settings of the optimizer.
    """

    def __init__(self, space: Workspace, updates: int, numbers: Mapping[str, float]) -> None:
        self._space, self._updates = space, updates
        self._shape, self._plan = space.shape, space.plan
        if not self._shape.replays:
            return
        missed = RULES[self._shape.rule].missed
        self._ratio = missed.shrinks_by(numbers)
        self._job = settling_job(space.plan, space.memory)
        exponents, fades = np.arange(updates + 1.0), missed.fades.values()
        self._powers = np.array([np.power(numbers[name], exponents) for name in fades])
        self._penalty_factors = np.zeros(updates)
        space.job.point(powers=self._powers, penalty_factors=self._penalty_factors)
        space.job.set(power_count=updates + 1)

    def begin(self, factors: Mapping[str, Floats]) -> None:
        """Begin an epoch with these factors of its updates."""
        self._plan.present.fill(0)
        if self._shape.replays:
            self._space.job.set(settled=self._settled(factors["rates"]))
            if self._shape.weighs:
                self._penalty_factors[:] = 0.5 * factors["l2s"] / factors["sample_scales"]

    def _settled(self, rates: Floats) -> int:
        """After how many updates all others move weights by less than rounding: a geometric series,
        times the ratio of the largest to the smallest rate."""
        least, most = float(rates.min()), float(rates.max())
        rounding = float(np.finfo(self._shape.dtype).eps) / 8
        tail = rounding * (1 - self._ratio) * (least / most) if most > 0 else 0.0
        if tail <= 0:
            return self._updates
        return 1 if self._ratio == 0 else math.ceil(math.log(tail) / math.log(self._ratio))

    def settle(self, done: int) -> None:
        """Bring all weights up to date after ``done`` updates, in short kernel calls."""
        if not self._shape.replays:
            return
        layers, job, members = self._plan.layers, self._job, np.arange(len(self._plan.runs) + 1)
        bounds = layers["panels"][0, 1] * members // members[-1]
        layers["first"][:, 1], layers["last"][:, 1] = bounds[:-1], bounds[1:]
        job.set(step=done)
        units, unit = int(layers["units"][0, 1]), 0
        count = max(1, int(_FIRST_SLICE_WORK / (done * self._shape.layer_sizes[1])))
        while unit < units:
            check_interrupt()
            count = min(count, units - unit)
            job.set(first=unit, last=unit + count)
            start = time.perf_counter()
            job.run()
            unit += count
            speed = count / max(time.perf_counter() - start, 1e-6)
            count = max(1, min(int(speed * SLICE_SECONDS), 4 * count))
