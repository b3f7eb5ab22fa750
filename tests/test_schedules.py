"""Schedules against their published formulas, written out update by update."""

import math
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from typing import Any

import numpy as np
import pytest

from fastmlp.schedules import (
    SCHEDULES,
    Cosine,
    Coslog4,
    Exponential,
    InverseScaling,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
    Step,
)

# ----------------------------------------------------------------------------------- the references


def between(start: float, end: float, progress: float) -> float:
    """PyTorch's annealing along a cosine."""
    return end + (start - end) / 2.0 * (math.cos(math.pi * progress) + 1)


def step(u: int, per_epoch: int, total: int, every: int = 10, factor: float = 0.1) -> float:
    """PyTorch's StepLR, stepped after each epoch."""
    rate = 1.0
    for epoch in range(1, u // per_epoch + 1):
        if epoch % every == 0:
            rate *= factor
    return rate


def exponential(u: int, per_epoch: int, total: int, factor: float = 0.95) -> float:
    """Keras's ExponentialDecay: initial * decay_rate ^ (step / decay_steps)."""
    return math.pow(factor, u / per_epoch)


def cosine(u: int, per_epoch: int, total: int, warmup: float = 0.0, final: float = 0.0) -> float:
    """Equation 5 of SGDR after a rise."""
    rise = warmup * total
    if u < rise:
        return (u + 1) / (rise + 1)
    return final + 0.5 * (1 - final) * (1 + math.cos((u - rise) / (total - rise) * math.pi))


def one_cycle(
    u: int, per_epoch: int, total: int, warmup: float = 0.3, start: float = 1 / 25,
    final: float = 1 / 25 / 1e4,
) -> float:  # fmt: skip
    """PyTorch's OneCycleLR, with its pct_start, 1 / div_factor and that / final_div_factor."""
    if warmup * total <= 1:  # PyTorch divides by zero, or starts in the midst of the fall
        return between(1.0, final, u / max(total - 1, 1))
    end_of_rise, last = float(warmup * total) - 1, total - 1
    if u <= end_of_rise:
        return between(start, 1.0, u / end_of_rise)
    return between(1.0, final, (u - end_of_rise) / (last - end_of_rise))


def coslog4(u: int, per_epoch: int, total: int) -> float:
    return 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * u / total)))


def inverse_scaling(u: int, per_epoch: int, total: int, power: float = 0.5) -> float:
    """scikit-learn's learning_rate_init / (t + 1) ** power_t, t counting updates."""
    return 1.0 / (u + 1) ** power


REFERENCES: dict[str, Callable[..., float]] = {
    "constant": lambda u, per_epoch, total: 1.0,
    "step": step,
    "exponential": exponential,
    "cosine": cosine,
    "one_cycle": one_cycle,
    "coslog4": coslog4,
    "inverse_scaling": inverse_scaling,
}

# Settings beside the defaults.
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "constant": [],
    "step": [{"every": 1}, {"every": 3, "factor": 0.5}, {"factor": 1.0}],
    "exponential": [{"factor": 0.5}, {"factor": 1}],
    "cosine": [{"warmup": 0.1}, {"warmup": 0.33, "final": 0.25}, {"final": 1}],
    "one_cycle": [
        {"warmup": 0.0},
        {"warmup": 0.05, "final": 0.0},
        {"warmup": 0.99},
        {"start": 0.5, "final": 0.1},
    ],
    "coslog4": [],
    "inverse_scaling": [{"power": 0}, {"power": 1.5}],
}
CASES = [(name, s) for name, rest in SETTINGS.items() for s in [{}, *rest]]
# Updates in an epoch, and in all.
SIZES = [(1, 1), (1, 2), (1, 100), (7, 7), (7, 21), (3, 3 * 41), (40, 1000)]


def test_every_schedule_has_a_reference() -> None:
    assert {*REFERENCES, "reduce_on_plateau"} == set(SCHEDULES)
    assert set(SETTINGS) == set(REFERENCES)
    for name, schedule in SCHEDULES.items():
        assert issubclass(schedule, Schedule) == (name in REFERENCES)


def factors(schedule: Any, per_epoch: int, total: int) -> Any:
    return schedule.factors(np.arange(total), per_epoch, total)


@pytest.mark.parametrize(("per_epoch", "total"), SIZES)
@pytest.mark.parametrize(("name", "settings"), CASES, ids=str)
def test_factors(name: str, settings: dict[str, Any], per_epoch: int, total: int) -> None:
    schedule = SCHEDULES[name](**settings)
    ours = factors(schedule, per_epoch, total)
    assert ours.dtype == np.float64
    wanted = [REFERENCES[name](u, per_epoch, total, **settings) for u in range(total)]
    np.testing.assert_allclose(ours, wanted, rtol=1e-12, atol=1e-14)
    assert ((ours >= 0) & (ours <= 1)).all()
    # An epoch's updates are asked for by themselves.
    for start in range(0, total, per_epoch):
        part = schedule.factors(np.arange(start, start + per_epoch), per_epoch, total)
        assert np.array_equal(part, ours[start : start + per_epoch])


@pytest.mark.parametrize(("name", "settings"), CASES, ids=str)
def test_beyond_the_last_update_planned(name: str, settings: dict[str, Any]) -> None:
    """A training that goes on keeps a finite rate, and one that falls does not rise again."""
    end, *beyond = SCHEDULES[name](**settings).factors(np.array([60, 61, 100, 10**9]), 7, 60)
    assert all(0 <= factor <= end for factor in beyond)


# -------------------------------------------------------------------------------- points worked out


def test_step_by_hand() -> None:
    ours = factors(Step(every=2, factor=0.5), 3, 15)
    assert ours.tolist() == [1.0] * 6 + [0.5] * 6 + [0.25] * 3


def test_exponential_by_hand() -> None:
    ours = factors(Exponential(factor=0.25), 2, 5)
    np.testing.assert_allclose(ours, [1, 0.5, 0.25, 0.125, 0.0625], rtol=1e-15)


def test_cosine_by_hand() -> None:
    half = 0.5 + math.sqrt(0.5) / 2
    np.testing.assert_allclose(factors(Cosine(), 1, 4), [1, half, 0.5, 1 - half], rtol=1e-15)
    # Two updates of rise, four of fall to a fifth.
    ours = Cosine(warmup=1 / 3, final=0.2).factors(np.arange(7), 1, 6)
    wanted = [1 / 3, 2 / 3, 1, 0.2 + 0.8 * half, 0.6, 0.2 + 0.8 * (1 - half), 0.2]
    np.testing.assert_allclose(ours, wanted, rtol=1e-14)
    assert Cosine(warmup=0.9).factors(np.array([0]), 1, 10**6)[0] > 0


def test_one_cycle_by_hand() -> None:
    # The peak is update 2, the last one 6; half of the way is half of the difference.
    ours = factors(OneCycle(warmup=3 / 7, start=0.2, final=0.1), 1, 7)
    assert ours[[0, 1, 2, 4, 6]] == pytest.approx([0.2, 0.6, 1.0, 0.55, 0.1], rel=1e-14)
    assert factors(OneCycle(), 1, 1).tolist() == [1.0]


def test_coslog4_by_hand() -> None:
    """At 1/15, 3/15 and 7/15 a wave ends, so there it is 0, and 1 where it is half done."""
    ends = Coslog4().factors(np.array([0, 10, 30, 70, 150]), 1, 150)
    assert np.abs(ends).max() <= 1e-14
    done = (np.sqrt([2, 8, 32, 128]) - 1) / 15
    assert Coslog4().factors(done * 10**9, 1, 10**9) == pytest.approx(np.ones(4), rel=1e-14)


def test_inverse_scaling_by_hand() -> None:
    ours = InverseScaling().factors(np.array([0, 3, 8]), 1, 9)
    np.testing.assert_allclose(ours, [1, 1 / 2, 1 / 3], rtol=1e-15)


# --------------------------------------------------------------------------------------- on plateau


class KerasPlateau:
    """What Keras's ReduceLROnPlateau does at the end of each epoch, with its counters."""

    def __init__(self, settings: ReduceOnPlateau) -> None:
        self.settings = settings
        self.rate, self.best, self.wait, self.cooldown_counter = 1.0, math.inf, 0, 0

    def on_epoch_end(self, current: float) -> None:
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if current < self.best - self.settings.min_delta:
            self.best = current
            self.wait = 0
        elif not self.cooldown_counter > 0:
            self.wait += 1
            if self.wait >= self.settings.patience and self.rate > self.settings.floor:
                self.rate = max(self.rate * self.settings.factor, self.settings.floor)
                self.cooldown_counter = self.settings.cooldown
                self.wait = 0


@pytest.mark.parametrize("cooldown", [0, 1, 3])
@pytest.mark.parametrize("patience", [0, 1, 2, 5])
def test_plateaus(patience: int, cooldown: int) -> None:
    schedule = ReduceOnPlateau(
        factor=0.5, patience=patience, min_delta=0.1, cooldown=cooldown, floor=0.01
    )
    for seed in range(5):
        values = np.random.default_rng(seed).normal(size=40).cumsum().tolist()
        theirs = KerasPlateau(schedule)
        for epoch in range(len(values) + 1):
            ours = schedule.factor_after(values[:epoch])
            assert ours == theirs.rate
            theirs.on_epoch_end([*values, 0.0][epoch])


def test_plateaus_by_hand() -> None:
    schedule = ReduceOnPlateau(factor=0.5, patience=2, min_delta=0.1, cooldown=1, floor=0.2)
    # The best is 1.0, as 0.95 is not better by 0.1: two epochs wait, one cools down, two wait.
    values = [1.0, 0.95, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    after = [schedule.factor_after(values[:n]) for n in range(10)]
    assert after == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2]
    falling = [float(-n) for n in range(30)]
    assert schedule.factor_after(falling) == 1


def test_a_value_that_is_not_a_number_is_no_better() -> None:
    schedule = ReduceOnPlateau(factor=0.5, patience=2)
    assert schedule.factor_after([math.nan] * 4) == 0.25


# ---------------------------------------------------------------------------------- made and shown

WRONG: dict[str, dict[str, list[Any]]] = {
    "constant": {},
    "step": {"every": [0, 1.5, None, True], "factor": [0, 1.1, "1", math.nan]},
    "exponential": {"factor": [0, -0.5, 2, None]},
    "cosine": {"warmup": [1, -0.1, None, math.nan], "final": [-0.1, 1.1, "0"]},
    "one_cycle": {"warmup": [1, "0"], "start": [-1, 2, None], "final": [-1, 2, [0]]},
    "coslog4": {},
    "inverse_scaling": {"power": [-1, math.inf, None]},
    "reduce_on_plateau": {
        "monitor": ["", None, 1],
        "factor": [1, -0.1, None],
        "patience": [-1, 2.0, None],
        "min_delta": [-1e-9, math.nan, math.inf],
        "cooldown": [-1, 0.5],
        "floor": [-1, 1.5, None],
    },
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_wrong_values(name: str) -> None:
    schedule = SCHEDULES[name]
    assert list(WRONG[name]) == [item.name for item in fields(schedule)]  # type: ignore[arg-type]
    for argument, values in WRONG[name].items():
        for value in values:
            message = rf"^{argument} of {schedule.__name__} must be .*; got "
            with pytest.raises((TypeError, ValueError), match=message):
                schedule(**{argument: value})


@pytest.mark.parametrize("name", SCHEDULES)
def test_are_values(name: str) -> None:
    schedule = SCHEDULES[name]
    made = schedule()
    assert made == schedule() == pickle.loads(pickle.dumps(made))
    assert hash(made) == hash(schedule())
    assert eval(repr(made), {schedule.__name__: schedule}) == made
    assert all(made != other() for key, other in SCHEDULES.items() if key != name)
    with pytest.raises(FrozenInstanceError):
        made.factor = 0.5  # type: ignore[attr-defined]
