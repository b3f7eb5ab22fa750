"""Missed updates that are made up for, against an update rule that gets a gradient of zero."""

from typing import Any

import numpy as np
import pytest

from fastmlp.kernels.plugins import regularisation
from fastmlp.kernels.plugins.replay import REPLAYS
from fastmlp.kernels.plugins.update_rules import RULES
from tests.helpers.basics import NAN, Array, needs_compiler
from tests.helpers.kernels import Flat, a_run, assert_untouched, block_of, call, lanes_of

pytestmark = needs_compiler

UNITS, UPDATES = 7, 40
SETTINGS = {"momentum": 0.7, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-8}
FACTORS = {"l2s": 0.1, "l1s": 0.01, "decays": 0.02}


class Case:
    """Units of weights with their state, in memory, and the lists of an epoch."""

    def __init__(self, rule: str, vectors: int, dtype: Any, *, penalised: bool) -> None:
        rng, self.name, self.rule = np.random.default_rng(vectors), rule, RULES[rule]
        self.count = vectors * lanes_of(dtype)
        self.shape = 1 + self.rule.state_vectors, UNITS, self.count
        values = rng.uniform(0.1, 1, self.shape)
        signed = values[: 1 + bool(self.rule.missed.mover)]  # others are sums of squares
        signed *= rng.choice([-1, 1], signed.shape)
        values[1:, 3] = 0  # a unit without state
        self.distance, flat = UNITS * self.count + 5, Flat(dtype, NAN)
        rows = np.full((self.shape[0], self.distance), NAN)
        rows[:, : UNITS * self.count] = values.reshape(self.shape[0], -1)
        self.start, self.tile, self.slope = flat.put(rows), flat.put([0]), flat.put(values[0, 0])
        self.memory = flat.array()
        self.lists = {"rates": rng.uniform(0.01, 0.1, UPDATES)}
        for name, most in FACTORS.items():
            self.lists[name] = rng.uniform(0, most, UPDATES) * penalised
        self.lists["penalty_factors"] = rng.uniform(0, 1, UPDATES)
        exponents, fades = np.arange(UPDATES + 1.0), self.rule.missed.fades.values()
        self.lists["powers"] = np.array([SETTINGS[name] ** exponents for name in fades])
        self.fields = {
            "tile": self.tile, "weight_count": self.distance, "penalise": penalised,
            "shrink": penalised, "power_count": UPDATES + 1, **SETTINGS,
        }  # fmt: skip

    def vectors_of(self, memory: Array) -> Array:
        """Weights and state, (vectors, units, count)."""
        return block_of(
            memory, self.start, (self.shape[0], UNITS * self.count), self.distance
        ).reshape(self.shape)

    def replayed(
        self, present: Array, units: Array, until: int, settled: int, opens: int
    ) -> tuple[Array, float]:
        """Weights and state, and the penalty, after the kernel."""
        run = a_run(**self.fields, **self.lists, settled=settled, squares=-1)
        after = self.memory.copy()
        call(
            REPLAYS[self.name], after, run,
            (self.start, self.count), self.count, (units, len(units)), present, until, opens,
        )  # fmt: skip
        assert_untouched(
            after, self.memory, (self.start, (self.shape[0], UNITS * self.count), self.distance),
            (self.tile, (1, 1), 1),
        )  # fmt: skip
        return self.vectors_of(after).copy(), float(run["squares"][0])

    def updated(self, present: Array, units: Array, until: int, opens: int) -> tuple[Array, float]:
        """The same by the kernel of the rule, one update at a time."""
        after, penalty = self.memory.copy(), 0.0
        vectors = self.vectors_of(after)
        for unit in units:
            w = self.start + int(unit) * self.count
            for i in range(present[unit], until + opens):
                penalty += self.lists["penalty_factors"][i] * np.sum(
                    vectors[0, unit].astype(np.float64) ** 2
                )
                if i == until:
                    break
                numbers = {"rate": "rates", "l2": "l2s", "l1": "l1s", "decay": "decays"}
                run = a_run(**self.fields, **{k: self.lists[v][i] for k, v in numbers.items()})
                after[self.slope : self.slope + self.count] = 0
                for kernel in (regularisation.penalise, regularisation.decay, self.rule.kernel):
                    call(kernel, after, run, w, self.slope, self.count, False)
                vectors = self.vectors_of(after)
        return vectors, penalty


@pytest.mark.parametrize(("penalised", "opens"), [(False, 0), (True, 0), (True, 1)])
@pytest.mark.parametrize("vectors", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("rule", RULES)
def test_replay(rule: str, vectors: int, penalised: bool, opens: int, dtype: Any) -> None:
    case = Case(rule, vectors, dtype, penalised=penalised)
    units = np.array([5, 3, 0, 6, 2])
    # At the end of an epoch that is cut, units of the batch that is not complete are ahead.
    present = np.array([0, 0, 30, 7, 0, 29, 4 if opens else 31])
    ours, penalty = case.replayed(present, units, 30, UPDATES, opens)
    wanted, exact = case.updated(present, units, 30, opens)
    # Without penalties the state fades by powers where weights do not move.
    tolerance = UPDATES * np.finfo(dtype).eps
    assert np.allclose(ours, wanted, rtol=tolerance, atol=0)
    if penalised:
        assert penalty == pytest.approx(exact, rel=1e-4 if dtype == np.float32 else 1e-12)
        assert np.array_equal(ours, wanted)
    untouched = np.setdiff1d(np.arange(UNITS), units)
    before = case.vectors_of(case.memory)
    assert np.array_equal(ours[:, untouched], before[:, untouched])
    assert opens or np.array_equal(ours[:, 6], before[:, 6])
    assert not np.array_equal(ours[:, 5], before[:, 5]) or not (case.rule.missed.fades or penalised)


@pytest.mark.parametrize("rule", ["momentum", "nesterov", "adam", "amsgrad"])
def test_weights_settle(rule: str, dtype: Any) -> None:
    case = Case(rule, 4, dtype, penalised=False)
    present, units = np.zeros(UNITS, np.int64), np.arange(UNITS)
    cut, _ = case.replayed(present, units, UPDATES, 3, 0)
    three, _ = case.updated(present, units, 3, 0)
    all_of_them, _ = case.updated(present, units, UPDATES, 0)
    assert np.array_equal(cut[0], three[0])
    assert not np.allclose(cut[0], all_of_them[0], rtol=1e-5, atol=0)
    assert np.allclose(cut[1:], all_of_them[1:], rtol=UPDATES * np.finfo(dtype).eps, atol=0)
