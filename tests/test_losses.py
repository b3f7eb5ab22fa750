"""Softmax and losses against float64 NumPy: values, hits and deltas, of hard logits too."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

from fastmlp.kernels.plugins.losses import LOSSES
from tests import reference
from tests.kernels import (
    COUNTS,
    GAP,
    INF,
    NAN,
    Array,
    Flat,
    a_layer,
    a_run,
    assert_untouched,
    block_of,
    call,
    lanes_of,
    needs_compiler,
    with_gaps,
)

pytestmark = needs_compiler

# Samples whose losses a kernel may sum one after another.
BLOCK = 16


def test_no_loss_is_forgotten() -> None:
    assert set(LOSSES) == {"softmax_cross_entropy"}


def run_on_logits(kernel: Any, logits: Array, **fields: Any) -> tuple[Array, Array]:
    """Run a kernel of :class:`Loss`; returns what it left of ``logits``, and the record of the run.

    Logits lie class by class, in whole vectors, with three rows of work behind them.
    """
    m, c = logits.shape
    memory, width = Flat(logits.dtype, NAN), m + -m % lanes_of(logits.dtype)
    rows = np.pad(logits.T, ((0, 3), (0, width - m)), constant_values=NAN)
    z0 = memory.put(with_gaps(rows))
    run = a_run(logits=z0, samples=width + GAP, m=m, **fields)
    before = memory.array()
    after = before.copy()
    call(kernel, after, run, a_layer(n_out=c))
    assert_untouched(after, before, (z0, (c + 3, width), width + GAP))
    return block_of(after, z0, (c, m), width + GAP).T, run


def probabilities(logits: Array) -> Array:
    return run_on_logits(LOSSES["softmax_cross_entropy"].output, logits)[0]


def loss_and_delta(
    logits: Array, labels: Array, share: float = 1.0, **sums: float
) -> tuple[float, int, Array]:
    """(sum of losses, hits, delta); the labels of the rows are those from the third on."""
    m, c = logits.shape
    all_labels = np.full(m + 7, c - 1, np.int32)
    all_labels[3 : 3 + m] = labels
    delta, run = run_on_logits(
        LOSSES["softmax_cross_entropy"].loss, logits, labels=all_labels, row=3, share=share,
        **sums,
    )  # fmt: skip
    return float(run["total_loss"][0]), int(run["hits"][0]), delta


def hard_logits(m: int, c: int, dtype: Any) -> Iterator[Array]:
    rng = np.random.default_rng(m * c)
    yield rng.normal(size=(m, c)).astype(dtype)
    yield rng.uniform(-1e4, 1e4, (m, c)).astype(dtype)
    yield rng.choice([-1e4, 1e4], (m, c)).astype(dtype)
    yield np.full((m, c), 1e4, dtype)  # all tied
    yield rng.integers(3, size=(m, c)).astype(dtype)  # some tied
    ahead = rng.normal(size=(m, c)).astype(dtype)
    ahead[np.arange(m), rng.integers(c, size=m)] = 300
    yield ahead
    yield -ahead


SHAPES = [(m, c) for m in COUNTS for c in (2, 3, 9, 127)] + [(9, 1000)]


@pytest.mark.parametrize(("m", "c"), SHAPES)
def test_softmax(dtype: Any, m: int, c: int) -> None:
    eps = np.finfo(dtype).eps
    for logits in hard_logits(m, c, dtype):
        p = probabilities(logits)
        assert np.abs(p - reference.softmax(logits.astype(np.float64))).max(initial=0) <= 8 * eps
        assert np.abs(p.sum(axis=1, dtype=np.float64) - 1).max(initial=0) <= 4 * eps * c
        assert ((p >= 0) & (p <= 1 + 4 * eps)).all()


def loss_bound(logits: Array, labels: Array) -> float:
    """Of the error of a mean loss, by the roundings on the way to it."""
    m, c = logits.shape
    u, u_of_sums = np.finfo(logits.dtype).eps / 2, np.finfo(np.float64).eps / 2
    exact = logits.astype(np.float64)
    margin = (exact.max(axis=1) - exact[np.arange(m), labels]).mean()
    # Exponentials are good to 4 u. Where a difference x of logits is rounded, exp(x) is off by
    # u abs(x) of itself, which over all classes comes to log(c) at the most.
    of_logarithm = u * (4 + np.log(c) + (c - 1))
    # Samples are summed in blocks, and then the blocks. A product of sums of exponentials is
    # rounded as often as it has factors, its logarithm twice at the most.
    longest = BLOCK + -(-m // BLOCK)
    of_sums = u_of_sums * (longest * (margin + np.log(c)) + 3)
    return float(of_logarithm + u * margin + of_sums)


@pytest.mark.parametrize(("m", "c"), SHAPES)
def test_cross_entropy(dtype: Any, m: int, c: int) -> None:
    eps = np.finfo(dtype).eps
    labels = np.random.default_rng(5).integers(c, size=m)
    y = np.eye(c)[labels]
    for logits in hard_logits(m, c, dtype):
        exact = logits.astype(np.float64)
        loss, hits, delta = loss_and_delta(logits, labels)
        if m > 0:
            wanted = reference.cross_entropy(logits.astype(np.longdouble), labels)
            assert abs(loss / m - wanted) <= loss_bound(logits, labels)
        assert hits == (exact.argmax(axis=1) == labels).sum()
        assert np.abs(delta - (reference.softmax(exact) - y)).max(initial=0) <= 8 * eps
        assert np.abs(delta - (probabilities(logits) - y)).max(initial=0) <= 2 * eps
        _, _, scaled = loss_and_delta(logits, labels, share=1 / 32)
        assert np.abs(32 * scaled - delta).max(initial=0) <= 4 * eps


@pytest.mark.parametrize("m", [127, 300])
def test_loss_of_flat_logits_among_many_classes(dtype: Any, m: int) -> None:
    """The sums of exponentials are as large as can be: multiplied all, they overflow."""
    logits, labels = np.full((m, 1000), 3.0, dtype), np.arange(m)
    loss, hits, _ = loss_and_delta(logits, labels)
    assert abs(loss / m - np.log(1000)) <= loss_bound(logits, labels)
    assert hits == 1


def test_sums_go_on_from_chunk_to_chunk(dtype: Any) -> None:
    logits, labels = np.eye(9, dtype=dtype), np.arange(9)
    loss, hits, _ = loss_and_delta(logits, labels)
    more = loss_and_delta(logits, labels, total_loss=8.0, hits=5)
    assert more[0] == pytest.approx(8 + loss, rel=1e-15)
    assert more[1] == 5 + hits == 14


@pytest.mark.parametrize("gap", [50.0, 300.0, 2e4])
def test_loss_is_exact_where_the_probability_underflows(dtype: Any, gap: float) -> None:
    logits = np.array([[gap, 0, -1], [0, gap, 0], [0, 0, gap]], dtype)
    loss, hits, _ = loss_and_delta(logits, np.array([1, 0, 2]))
    assert loss == pytest.approx(2 * gap, rel=4 * float(np.finfo(dtype).eps))
    assert hits == 1


@pytest.mark.parametrize("gap", [200.0, 2e4])
def test_saturated_delta_is_p_minus_y(dtype: Any, gap: float) -> None:
    gap *= 1 if dtype == np.float32 else 5
    logits = np.array([[gap, 0, 0], [0, 0, gap], [-gap, 0, -gap]], dtype)
    _, _, delta = loss_and_delta(logits, np.array([0, 1, 2]))
    wanted = [[0, 0, 0], [0, -1, 1], [0, 1, -1]]
    assert np.abs(delta - wanted).max() <= 4 * np.finfo(dtype).tiny


def test_a_hit_is_the_first_of_ties(dtype: Any) -> None:
    """All patterns of ties among four classes, with every label."""
    logits = np.array(list(product([-2.0, 7.0], repeat=4)), dtype)
    for label in range(4):
        labels = np.full(len(logits), label)
        _, hits, _ = loss_and_delta(logits, labels)
        assert hits == (logits.argmax(axis=1) == label).sum()


@pytest.mark.parametrize("value", [NAN, INF])
@pytest.mark.parametrize("label", [0, 1, 2])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_logit_that_is_not_finite_shows_in_the_loss(
    dtype: Any, position: int, label: int, value: float
) -> None:
    logits = np.zeros((33, 3), dtype)
    logits[17, position] = value
    loss, _, delta = loss_and_delta(logits, np.full(33, label))
    assert not np.isfinite(loss)
    assert np.isnan(delta[17]).any()
    assert np.isfinite(np.delete(delta, 17, axis=0)).all()
    assert np.isnan(probabilities(logits)[17]).any()


@pytest.mark.parametrize("kind", [-INF, NAN])
def test_a_row_without_a_finite_logit(dtype: Any, kind: float) -> None:
    loss, hits, _ = loss_and_delta(np.full((2, 3), kind, dtype), np.array([0, 2]))
    assert np.isnan(loss)
    assert hits == 0
