"""Losses, and what they make of outputs, against NumPy: values, scores, deltas; hard outputs too.

A test goes over the whole table: a new loss fails until it has its kind, and with that its inputs
and its bounds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from fastmlp.kernels.plugins.losses import LOSSES, OUTPUTS
from tests.helpers import reference
from tests.helpers.basics import INF, NAN, Array, needs_compiler
from tests.helpers.kernels import (
    COUNTS,
    GAP,
    Flat,
    a_layer,
    a_run,
    assert_untouched,
    block_of,
    call,
    lanes_of,
    with_gaps,
)
from tests.helpers.losses import KINDS, PLAIN, SOFTMAX

pytestmark = needs_compiler

# Samples whose losses a kernel may sum one after another.
BLOCK = 16
# The first row of a chunk among the targets of a run, and what lies there behind its samples: more
# than a vector.
ROW, PADDING = 3, 64

SHAPES = [(m, c) for m in COUNTS for c in (1, 2, 3, 9, 127)] + [(9, 1000)]


def test_no_loss_is_forgotten() -> None:
    assert set(LOSSES) == set(KINDS)
    assert set(OUTPUTS) == {*KINDS, "identity"}


@dataclass(frozen=True)
class Problem:
    """What a loss is given."""

    name: str
    logits: Array  # (m, c)
    targets: Array  # labels (m,), or (m, c)
    weights: Array  # (m,)
    score_weights: Array  # (m,)
    table: Array  # (3, c): factor of the sum of losses, parameter, factor of the sum of scores
    smoothing: float = 0.0

    @property
    def parameters(self) -> dict[str, Any]:
        """Those of the reference."""
        parameter = self.table[1].astype(np.longdouble)
        if self.name in SOFTMAX:
            return {"smoothing": self.smoothing}
        return {"huber": {"delta": parameter}, "quantile": {"q": parameter}}.get(self.name, {})

    @property
    def exact(self) -> Array:
        return self.logits.astype(np.longdouble)


def run_on_logits(kernel: Any, logits: Array, *, beyond: float = NAN, **fields: Any) -> Any:
    """Run a kernel of :class:`Loss`; returns what it left of ``logits``, and the record of the run.

    Logits lie class by class, in whole vectors, with three rows of work behind them; ``beyond`` is
    what fills the vectors up.
    """
    m, c = logits.shape
    memory, width = Flat(logits.dtype, NAN), m + -m % lanes_of(logits.dtype)
    rows = np.pad(logits.T, ((0, 3), (0, width - m)), constant_values=beyond)
    z0 = memory.put(with_gaps(rows))
    run = a_run(logits=z0, samples=width + GAP, m=m, **fields)
    before = memory.array()
    after = before.copy()
    call(kernel, after, run, a_layer(n_out=c))
    assert_untouched(after, before, (z0, (c + 3, width), width + GAP))
    return block_of(after, z0, (c, m), width + GAP).T, run


def outputs(name: str, logits: Array, **options: Any) -> Array:
    return run_on_logits(OUTPUTS[name], logits, **options)[0]


def padded(array: Array, beyond: Any, extra: int = 0) -> Array:
    """Along the last axis, what lies before and behind the samples of the chunk."""
    pads = [(0, 0)] * (array.ndim - 1) + [(ROW, PADDING + extra)]
    return np.pad(np.ascontiguousarray(array), pads, constant_values=beyond)


def run_loss(
    problem: Problem,
    scale: float = 1.0,
    *,
    beyond: float = NAN,
    extra: int = 0,
    start: tuple[float, float] = (0.0, 0.0),
) -> tuple[float, float, Array]:
    """(sum of losses, sum of scores, delta), sums over the outputs by their factors."""
    arrays = {"parameters": problem.table[1].copy()}
    if problem.name != PLAIN:
        arrays["weights"] = padded(problem.weights, beyond)
        arrays["score_weights"] = padded(problem.score_weights, beyond)
    stride = 0
    if problem.targets.ndim == 1:
        arrays["labels"] = padded(problem.targets.astype(np.int32), problem.logits.shape[1] - 1)
    else:
        arrays["targets"] = padded(problem.targets.T, beyond, extra)
        stride = arrays["targets"].shape[1]
    before = {name: array.copy() for name, array in arrays.items()}
    by_output = reference.metric(problem.name) == "r2"
    averaged = problem.logits.shape[1] if by_output else 1
    lanes = lanes_of(problem.logits.dtype)
    sums = np.zeros((averaged, 2, lanes))
    sums[0, :, 0] = start
    delta, _ = run_on_logits(
        LOSSES[problem.name].loss, problem.logits, beyond=beyond, row=ROW, sample_scale=scale,
        smoothing=problem.smoothing, target_stride=stride, lanes=lanes, sums=sums, **arrays,
    )  # fmt: skip
    for name, array in arrays.items():
        assert np.array_equal(array, before[name], equal_nan=True), name
    factors = problem.table[[0, 2]].astype(np.float64) if by_output else np.ones((2, 1))
    loss, score = (sums.sum(axis=2).T * factors).sum(axis=1).tolist()
    return loss, score, delta


def loss_and_delta(logits: Array, labels: Array) -> tuple[float, float, Array]:
    """Those of the plain softmax."""
    return run_loss(a_problem(PLAIN, logits, targets=labels))


def a_problem(name: str, logits: Array, targets: Array | None = None, seed: int = 0) -> Problem:
    """Targets, weights (some 0) and parameters at random, in the type of the outputs."""
    rng, dtype, (m, c) = np.random.default_rng(seed), logits.dtype, logits.shape
    weights = rng.uniform(0.25, 3, m) * (rng.uniform(size=m) > 0.1)
    table = rng.uniform(0.2, 2, (3, c))
    if name == "quantile":
        table[1] = rng.uniform(0.05, 0.95, c)
    if targets is None:
        targets = {
            "labels": lambda: rng.integers(c, size=m),
            "probabilities": lambda: rng.dirichlet(np.ones(c), m),
            "ones": lambda: rng.integers(2, size=(m, c)),
            "numbers": lambda: np.where(
                rng.uniform(size=(m, c)) < 0.2, logits, rng.normal(0, 2, (m, c))
            ),
            "counts": lambda: rng.poisson(3, (m, c)),
        }[KINDS[name]]()
    targets = targets if targets.ndim == 1 else targets.astype(dtype)
    score_weights = rng.uniform(0.25, 3, m)
    if name == PLAIN:
        weights = score_weights = np.ones(m)
    weights, score_weights, table = (a.astype(dtype) for a in (weights, score_weights, table))
    return Problem(name, logits, targets, weights, score_weights, table)


def ones(m: int, dtype: Any) -> dict[str, Array]:
    """Weights of 1."""
    return {name: np.ones(m, dtype) for name in ("weights", "score_weights")}


def hard_logits(m: int, c: int, dtype: Any, name: str = PLAIN) -> Iterator[Array]:
    rng = np.random.default_rng(m * c)
    # Counts grow with the exponential, scores with its square: float32 must hold them.
    far = 40.0 if name == "poisson" else 1e4
    ahead = rng.normal(size=(m, c))
    ahead[np.arange(m), rng.integers(c, size=m)] = min(far, 300)
    for logits in (
        rng.normal(size=(m, c)),
        rng.uniform(-far, far, (m, c)),
        rng.choice([-far, far], (m, c)),
        np.full((m, c), far),  # all tied
        rng.integers(-1, 2, size=(m, c)),  # some tied, or none
        ahead,
        -ahead,
    ):
        yield logits.astype(dtype)


def problems(name: str, m: int, c: int, dtype: Any) -> Iterator[Problem]:
    for seed, logits in enumerate(hard_logits(m, c, dtype, name)):
        problem = a_problem(name, logits, seed=seed)
        yield problem
        if name in SOFTMAX and name != PLAIN:
            yield replace(problem, smoothing=0.125)
        if name == "binary_cross_entropy":  # smoothed labels
            yield replace(problem, targets=problem.targets * dtype.type(0.75) + dtype.type(0.125))


# ------------------------------------------------------------------------------------- the table


def terms_and_sizes(problem: Problem) -> tuple[Array, Array]:
    """Exact losses of samples and outputs, and what their roundings are relative to."""
    name, Z = problem.name, problem.exact
    terms = reference.loss_terms(name, Z, problem.targets, **problem.parameters)
    if name in SOFTMAX:
        c = Z.shape[1]
        y = reference.target_rows(name, Z, problem.targets, problem.smoothing)
        margin = (y * (Z.max(axis=1, keepdims=True) - Z)).sum(axis=1, keepdims=True)
        # Exponentials are good to 4 u; the rounding of a difference x of logits moves exp(x) by
        # u abs(x) of itself, over all classes by log(c) at the most; sums have c terms.
        many = 0 if name == PLAIN else c
        return terms, (3 + np.log(c) + c) / 8 + (6 + many) / 8 * margin
    if name == "binary_cross_entropy":
        return terms, np.maximum(Z, 0) + np.abs(problem.targets * Z) + 1
    if name == "poisson":
        return terms, np.exp(Z) + np.abs(problem.targets * Z)
    return terms, terms


def slope_sizes(problem: Problem, slopes: Array) -> Array:
    """What the roundings of slopes are relative to."""
    name, Z = problem.name, problem.exact
    if name in SOFTMAX:
        return np.ones_like(slopes)
    if name == "binary_cross_entropy":
        return reference.logistic(Z) + problem.targets
    return np.exp(Z) + problem.targets if name == "poisson" else np.abs(slopes)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("m", "c"), SHAPES)
def test_loss(name: str, m: int, c: int, dtype: Any) -> None:
    u, u_of_sums = np.finfo(dtype).eps / 2, np.finfo(np.float64).eps / 2
    # Samples are summed in blocks, and then the blocks.
    longest = BLOCK + -(-m // BLOCK) + 3
    for problem in problems(name, m, c, dtype):
        weights = problem.weights.astype(np.longdouble)
        terms, sizes = terms_and_sizes(problem)
        factors = np.ones(terms.shape[1])
        if reference.metric(name) == "r2":
            factors = problem.table[0].astype(np.longdouble)
        loss, _, _ = run_loss(problem)
        bound = (u * (8 + len(factors)) + u_of_sums * longest) * (weights @ sizes @ factors)
        assert abs(loss - weights @ terms @ factors) <= bound


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("m", "c"), SHAPES)
def test_delta(name: str, m: int, c: int, dtype: Any) -> None:
    u = np.finfo(dtype).eps / 2
    for problem in problems(name, m, c, dtype):
        slopes = reference.loss_slopes(name, problem.exact, problem.targets, **problem.parameters)
        parts = problem.weights.astype(np.longdouble)[:, np.newaxis] / 3
        delta = run_loss(problem, scale=1 / 3)[2]
        bound = 16 * u * parts * slope_sizes(problem, slopes) + np.finfo(dtype).tiny
        assert (np.abs(delta - parts * slopes) <= bound).all()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("m", "c"), SHAPES)
def test_correct_predictions_and_scores(name: str, m: int, c: int, dtype: Any) -> None:
    """Weights of samples that are right, or weighted squares of errors of predictions."""
    u = np.finfo(dtype).eps / 2
    for problem in problems(name, m, c, dtype):
        weights, Z, y = problem.score_weights.astype(np.longdouble), problem.exact, problem.targets
        score = run_loss(problem)[1]
        if reference.metric(name) == "accuracy":
            if name in SOFTMAX:
                labels = y if y.ndim == 1 else y.argmax(axis=1)
                right = Z.argmax(axis=1) == labels
            else:
                right = ((Z > 0) == (y > 0.5)).all(axis=1)
            assert score == pytest.approx(float(weights @ right), rel=1e-13, abs=0)
            continue
        predictions, factors = reference.outputs(name, Z), problem.table[2].astype(np.longdouble)
        errors = np.abs(predictions - y)
        off = 4 * u * (predictions + y) if name == "poisson" else u * errors
        bound = off * (2 * errors + off) + u * (c + 4) * errors**2
        assert abs(score - weights @ errors**2 @ factors) <= 1.01 * (weights @ bound @ factors)


@pytest.mark.parametrize("name", LOSSES)
def test_targets_may_lie_further_apart(name: str, dtype: Any) -> None:
    for problem in problems(name, 33, 9, dtype):
        near, far = run_loss(problem), run_loss(problem, extra=17)
        assert near[:2] == far[:2]
        assert np.array_equal(near[2], far[2])


@pytest.mark.parametrize("beyond", [NAN, INF, -INF, 1e30])
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("m", COUNTS)
def test_what_lies_beyond_the_samples_does_not_count(
    name: str, m: int, beyond: float, dtype: Any
) -> None:
    problem = a_problem(name, np.random.default_rng(m).normal(size=(m, 9)).astype(dtype))
    wanted, found = run_loss(problem, beyond=0.5), run_loss(problem, beyond=beyond)
    assert found[:2] == wanted[:2]
    assert np.array_equal(found[2], wanted[2])
    made = outputs(name, problem.logits, beyond=beyond)
    assert np.array_equal(made, outputs(name, problem.logits, beyond=0.5))


@pytest.mark.parametrize("name", LOSSES)
def test_sums_go_on_from_chunk_to_chunk(name: str, dtype: Any) -> None:
    problem = a_problem(name, np.eye(9, dtype=dtype))
    problem.table[[0, 2]] = 1
    loss, correct, _ = run_loss(problem)
    more = run_loss(problem, start=(8.0, 5.0))
    assert more[0] == pytest.approx(8 + loss, rel=1e-15)
    assert more[1] == pytest.approx(5 + correct, rel=1e-15)


@pytest.mark.parametrize("name", LOSSES)
def test_share_is_a_factor_of_deltas_alone(name: str, dtype: Any) -> None:
    for problem in problems(name, 33, 9, dtype):
        whole, part = run_loss(problem), run_loss(problem, scale=1 / 32)
        assert part[:2] == whole[:2]
        # The plain softmax takes it into its exponentials, which may become subnormal.
        np.testing.assert_allclose(
            32 * part[2], whole[2], rtol=0, atol=4 * float(np.finfo(dtype).eps)
        )


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("name", LOSSES)
def test_what_is_not_finite_shows_in_the_loss_and_in_no_other_sample(
    name: str, position: int, value: float, dtype: Any
) -> None:
    clean = a_problem(name, np.random.default_rng(0).normal(size=(33, 3)).astype(dtype))
    clean = replace(clean, **ones(33, dtype))
    clean.targets[17] = position if clean.targets.ndim == 1 else 0.25
    logits = clean.logits.copy()
    logits[17, position] = value
    loss, _, delta = run_loss(replace(clean, logits=logits))
    made, others = outputs(name, logits), np.arange(33) != 17
    assert not np.isfinite(loss)
    assert np.array_equal(delta[others], run_loss(clean)[2][others])
    assert np.array_equal(made[others], outputs(name, clean.logits)[others])
    if np.isnan(value):
        assert np.isnan(delta[17, position])
        assert np.isnan(made[17, position])


# ---------------------------------------------------------------------------------------- softmax


@pytest.mark.parametrize(("m", "c"), SHAPES)
def test_softmax(dtype: Any, m: int, c: int) -> None:
    eps = np.finfo(dtype).eps
    for logits in hard_logits(m, c, dtype):
        p = outputs(PLAIN, logits)
        assert np.abs(p - reference.softmax(logits.astype(np.float64))).max(initial=0) <= 8 * eps
        assert np.abs(p.sum(axis=1, dtype=np.float64) - 1).max(initial=0) <= 4 * eps * c
        assert ((p >= 0) & (p <= 1 + 4 * eps)).all()


@pytest.mark.parametrize(("m", "c"), SHAPES)
def test_delta_is_what_a_prediction_says_less_the_label(dtype: Any, m: int, c: int) -> None:
    labels = np.random.default_rng(5).integers(c, size=m)
    for logits in hard_logits(m, c, dtype):
        delta = loss_and_delta(logits, labels)[2]
        wanted = outputs(PLAIN, logits) - np.eye(c)[labels]
        assert np.abs(delta - wanted).max(initial=0) <= 2 * np.finfo(dtype).eps


@pytest.mark.parametrize("name", SOFTMAX)
@pytest.mark.parametrize("m", [127, 200, 300])
def test_loss_of_flat_logits_among_many_classes(name: str, dtype: Any, m: int) -> None:
    """The sums of exponentials are as large as can be: multiplied all, they overflow."""
    logits, labels = np.full((m, 1000), 3.0, dtype), np.arange(m)
    targets = np.eye(1000)[labels] if KINDS[name] == "probabilities" else labels
    problem = replace(a_problem(name, logits, targets), **ones(m, dtype))
    loss, correct, _ = run_loss(problem)
    assert loss == pytest.approx(m * np.log(1000), rel=4 * float(np.finfo(dtype).eps))
    assert correct == 1


@pytest.mark.parametrize("gap", [50.0, 300.0, 2e4])
def test_loss_is_exact_where_the_probability_underflows(dtype: Any, gap: float) -> None:
    logits = np.array([[gap, 0, -1], [0, gap, 0], [0, 0, gap]], dtype)
    loss, correct, _ = loss_and_delta(logits, np.array([1, 0, 2]))
    assert loss == pytest.approx(2 * gap, rel=4 * float(np.finfo(dtype).eps))
    assert correct == 1


@pytest.mark.parametrize("gap", [200.0, 2e4])
def test_saturated_delta_is_p_minus_y(dtype: Any, gap: float) -> None:
    gap *= 1 if dtype == np.float32 else 5
    logits = np.array([[gap, 0, 0], [0, 0, gap], [-gap, 0, -gap]], dtype)
    _, _, delta = loss_and_delta(logits, np.array([0, 1, 2]))
    wanted = [[0, 0, 0], [0, -1, 1], [0, 1, -1]]
    assert np.abs(delta - wanted).max() <= 4 * np.finfo(dtype).tiny


@pytest.mark.parametrize("name", SOFTMAX)
def test_a_hit_is_the_first_of_ties(name: str, dtype: Any) -> None:
    """All patterns of ties among four classes, with every label."""
    logits = np.array(list(product([-2.0, 7.0], repeat=4)), dtype)
    for label in range(4):
        labels = np.full(len(logits), label)
        targets = np.eye(4)[labels] if KINDS[name] == "probabilities" else labels
        problem = replace(a_problem(name, logits, targets), **ones(16, dtype))
        assert run_loss(problem)[1] == (logits.argmax(axis=1) == label).sum()


def test_of_equal_probabilities_the_first_is_the_label(dtype: Any) -> None:
    rows = np.array(list(product([0.125, 0.375], repeat=4)), dtype)
    rows /= rows.sum(axis=1, keepdims=True)
    for top in range(4):
        logits = np.tile(np.eye(4, dtype=dtype)[top], (16, 1))
        problem = a_problem("softmax_cross_entropy_rows", logits, rows)
        correct = run_loss(replace(problem, **ones(16, dtype)))[1]
        assert correct == (rows.argmax(axis=1) == top).sum()


@pytest.mark.parametrize("name", SOFTMAX)
@pytest.mark.parametrize("kind", [-INF, NAN])
def test_a_row_without_a_finite_logit(name: str, dtype: Any, kind: float) -> None:
    targets = np.eye(3)[[0, 2]] if KINDS[name] == "probabilities" else np.array([0, 2])
    problem = a_problem(name, np.full((2, 3), kind, dtype), targets)
    loss, correct, _ = run_loss(replace(problem, **ones(2, dtype)))
    assert np.isnan(loss)
    assert correct == 0


# ---------------------------------------------------------------------------------------- outputs


@pytest.mark.parametrize("m", COUNTS)
def test_logistic(dtype: Any, m: int) -> None:
    """To a few units in the last place, down to the smallest normal number."""
    lowest, eps = np.log(np.finfo(dtype).tiny) + 1, np.finfo(dtype).eps
    logits = np.random.default_rng(m).uniform(lowest, -lowest, (m, 33)).astype(dtype)
    for z in (logits, logits / 30):
        wanted = reference.logistic(z.astype(np.longdouble))
        assert (np.abs(outputs("binary_cross_entropy", z) - wanted) <= 4 * eps * wanted).all()
    ends = outputs("binary_cross_entropy", np.array([[-1e4, 0, 1e4, -INF, INF]], dtype))
    assert ends.tolist() == [[0, 0.5, 1, 0, 1]]


@pytest.mark.parametrize("m", COUNTS)
def test_exponential(dtype: Any, m: int) -> None:
    lowest, eps = np.log(np.finfo(dtype).tiny) + 1, np.finfo(dtype).eps
    z = np.random.default_rng(m).uniform(lowest, -lowest, (m, 33)).astype(dtype)
    wanted = np.exp(z.astype(np.longdouble))
    assert (np.abs(outputs("poisson", z) - wanted) <= 2 * eps * wanted).all()
    ends = outputs("poisson", np.array([[-1e4, 0, 1e4, -INF, INF]], dtype))
    assert ends.tolist() == [[0, 1, INF, 0, INF]]


@pytest.mark.parametrize(
    "name", ["identity", *(name for name, kind in KINDS.items() if kind == "numbers")]
)
@pytest.mark.parametrize("m", COUNTS)
def test_numbers_are_predicted_as_they_are(name: str, dtype: Any, m: int) -> None:
    for logits in hard_logits(m, 9, dtype):
        assert np.array_equal(outputs(name, logits), logits)
