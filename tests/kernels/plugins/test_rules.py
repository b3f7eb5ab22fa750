"""Update rules against the steps of the reference, element by element."""

from typing import Any

import numpy as np
import pytest

from fastmlp.kernels.plugins.rules import RULES
from tests.helpers import reference
from tests.helpers import rules as references
from tests.helpers.basics import NAN, Array, needs_compiler
from tests.helpers.kernels import (
    COUNTS,
    Flat,
    a_run,
    assert_untouched,
    block_of,
    call,
    lanes_of,
    spread,
)

pytestmark = needs_compiler

LEARNING_RATE = 0.05
STEPS = 3

SQUARES = {"second_moment", "largest_moment", "accumulator"}
SETTINGS = {"beta1": 0.9, "beta2": 0.999}  # what steps of the reference take by themselves


def updated(rule: str, w: Array, gradients: list[Array]) -> Array:
    """Weights, and behind them the state, after a step for each gradient."""
    count, vectors = len(w), 1 + RULES[rule].state_vectors
    # Far enough apart for whole vectors, so that one too many shows.
    distance = count + lanes_of(w.dtype) + 1
    # Between them lies what an update would change: NaN it would not.
    memory = Flat(w.dtype, 3)
    rows = np.full((vectors, distance), 3.0)
    rows[:, :count] = RULES[rule].first_state
    rows[0, :count] = w
    start, slope = memory.put(rows), memory.put(np.zeros(count))
    before = memory.array()
    after = before.copy()
    blocks = (start, (vectors, count), distance), (slope, (1, count), count)
    settings = SETTINGS | references.RULES[rule].step_options
    for name in ("nesterov", "learning_rate"):
        settings.pop(name, None)
    steps = np.arange(1.0, len(gradients) + 1)
    rates = RULES[rule].step_sizes(np.full(len(steps), LEARNING_RATE), steps, settings)
    for rate, gradient in zip(rates, gradients, strict=True):
        after[slope : slope + count] = gradient
        run = a_run(rate=rate, weight_count=distance, **settings)
        call(RULES[rule].kernel, after, run, start, slope, count, False)
        assert np.array_equal(after[slope : slope + count], gradient, equal_nan=True)
    assert_untouched(after, before, *blocks)
    return block_of(after, *blocks[0])


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("rule", RULES)
def test_rule(rule: str, count: int, dtype: Any) -> None:
    _, step, options, names = references.RULES[rule]
    rng = np.random.default_rng(count)
    w, *gradients = (spread(rng, (count,), dtype) for _ in range(1 + STEPS))
    ours = updated(rule, w, gradients)

    weights = [w.astype(np.float64)]
    state, scale = reference.new_state(weights), np.abs(weights[0])
    for gradient in gradients:
        before = weights[0].copy()
        exact = [gradient.astype(np.float64)]
        step(weights, exact, state, **{**options, "learning_rate": LEARNING_RATE})
        scale += np.abs(weights[0] - before) + LEARNING_RATE
    wanted = [weights[0], *(state[name][0] for name in names)]
    largest = np.abs(gradients).max(axis=0).astype(np.float64)
    scales = [scale, *(STEPS * largest**2 + 0.1 if name in SQUARES else largest for name in names)]
    for result, exact, size in zip(ours, wanted, scales, strict=True):
        assert (np.abs(result - exact) <= 4 * np.finfo(dtype).eps * size).all()


@pytest.mark.parametrize("rule", RULES)
def test_blocks_make_the_whole(rule: str, dtype: Any) -> None:
    """Rows of weights are updated in blocks of whole vectors: it must not matter which."""
    rng = np.random.default_rng(0)
    count, cut = 9 * lanes_of(dtype), 2 * lanes_of(dtype)
    w, *gradients = (spread(rng, (count,), dtype) for _ in range(1 + STEPS))
    left = updated(rule, w[:cut], [g[:cut] for g in gradients])
    right = updated(rule, w[cut:], [g[cut:] for g in gradients])
    assert np.array_equal(np.hstack([left, right]), updated(rule, w, gradients))


@pytest.mark.parametrize("rule", RULES)
def test_a_gradient_of_zero_leaves_new_weights_alone(rule: str, dtype: Any) -> None:
    """Padding is zero and stays so."""
    w = np.array([0.0, 1.0, -3.0], dtype)
    ours = updated(rule, w, [np.zeros(3, dtype)] * STEPS)
    assert np.array_equal(ours[0], w)
    assert (ours[1:] == np.array(RULES[rule].first_state, dtype)).all()


@pytest.mark.parametrize("rule", RULES)
def test_what_is_not_finite_is_passed_on(rule: str, dtype: Any) -> None:
    count = 2 * lanes_of(dtype) + 1
    for position in (0, count - 1):
        gradient = np.ones(count, dtype)
        gradient[position] = NAN
        ours = updated(rule, np.ones(count, dtype), [gradient])
        assert np.array_equal(np.isnan(ours).any(axis=0), np.isnan(gradient))


@pytest.mark.parametrize("rule", RULES)
def test_a_plain_rule_adds_multiples_of_the_gradient(rule: str, dtype: Any) -> None:
    """Only those may go straight to the weights, batch by batch."""
    one, two, both = (
        updated(rule, np.zeros(1, dtype), [np.array([g], dtype)])[0, 0] for g in (1.0, 2.0, 3.0)
    )
    adds = abs(one + two - both) <= 1e-6 and RULES[rule].state_vectors == 0
    assert RULES[rule].plain <= adds
