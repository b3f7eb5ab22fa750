"""Penalties, decay and clipping: their kernels, and whole runs against the reference."""

import sys
from typing import Any

import numba
import numpy as np
import pytest

from fastmlp.data import RawTargets
from fastmlp.fitting import memory
from fastmlp.fitting.dataset import FitData
from fastmlp.fitting.epoch import TrainingRun
from fastmlp.inputs import Columns, Inputs
from fastmlp.kernels.language.jit import kernel_of
from fastmlp.kernels.plugins import regularisation
from fastmlp.losses import SoftmaxCrossEntropy
from fastmlp.network.encoding import Encoding
from fastmlp.network.packed_network import Network
from fastmlp.outputs import given_outputs
from tests.helpers import reference
from tests.helpers.basics import INF, NAN, Array, needs_compiler
from tests.helpers.fences import fences
from tests.helpers.kernels import COUNTS, Flat, a_run, assert_untouched, call, spread
from tests.helpers.models import fit_settings
from tests.helpers.networks import TOLERANCE, assert_close, problem
from tests.helpers.rules import RULES, decaying

pytestmark = needs_compiler

L2, L1, DECAY, FACTOR = 0.3, 0.02, 0.1, 0.7

OPTIONS: list[dict[str, float]] = [
    {"l2": 0.1},
    {"l1": 0.01},
    {"weight_decay": 0.5},
    {"clip_norm": 0.2},
    {"clip_norm": 1e9},
    {"l2": 0.1, "l1": 0.01, "weight_decay": 0.5, "clip_norm": 0.3},
]
# Layer sizes, rows, batch size, rows of a chunk.
RUNS = [
    ((9, 5), 31, 8, 1024),
    ((33, 130, 3), 50, 16, 1024),
    ((31, 130, 33, 127, 10), 66, 31, 1024),
    ((9, 5), 70, 31, 9),
    ((13, 300, 4), 70, 31, 9),
    ((13, 300, 290, 9, 4), 70, 31, 9),
]


def after(
    kernel: Any, w: Array, g: Array, *, is_bias: bool = False, **fields: Any
) -> tuple[Array, Array]:
    """Weights and gradient after a kernel, nothing beside them touched."""
    memory = Flat(w.dtype, NAN)
    start, slope, tile = memory.put(w), memory.put(g), memory.put([NAN])
    before = memory.array()
    result = before.copy()
    run = a_run(tile=tile, **fields)
    call(kernel, result, run, start, slope, len(w), is_bias)
    shape = (1, len(w))
    blocks = (start, shape, len(w)), (slope, shape, len(w)), (tile, (1, 1), 1)
    assert_untouched(result, before, *blocks)
    _check_squares(kernel, run, w, result[slope : slope + len(w)], is_bias=is_bias)
    return result[start : start + len(w)], result[slope : slope + len(w)]


def _check_squares(kernel: Any, run: Array, w: Array, g: Array, *, is_bias: bool) -> None:
    """What a kernel that sums squares has added to those of the run."""
    summed = {
        regularisation.measured: g, regularisation.weighed: w[:0] if is_bias else w,
    }.get(kernel, w[:0])  # fmt: skip
    exact = (summed.astype(float) ** 2).sum()
    assert abs(run["squares"][0] - exact) <= 8 * np.finfo(w.dtype).eps * exact


@pytest.mark.parametrize("count", COUNTS)
def test_penalties_are_for_weights_alone(count: int, dtype: Any) -> None:
    rng = np.random.default_rng(count)
    w, g = spread(rng, (count,), dtype), spread(rng, (count,), dtype)
    w[::5] = 0
    exact = g.astype(float) + L2 * w.astype(float) + L1 * np.sign(w)
    scale = np.abs(g) + L2 * np.abs(w) + L1
    penalise, rule = (
        kernel_of(kernel).address(numba.from_dtype(w.dtype))
        for kernel in (regularisation.penalise, regularisation.scale_gradient)
    )
    for kernel in (regularisation.measured, regularisation.regularised):
        fields = {"l2": L2, "l1": L1, "penalise": penalise, "rule": rule, "factor": 1.0}
        new_w, new_g = after(kernel, w, g, **fields)
        assert np.array_equal(new_w, w)
        assert (np.abs(new_g - exact) <= 4 * np.finfo(dtype).eps * scale).all()
        same = after(kernel, w, g, is_bias=True, **fields)
        assert np.array_equal(same[0], w)
        assert np.array_equal(same[1], g)


@pytest.mark.parametrize("is_bias", [False, True])
@pytest.mark.parametrize("count", COUNTS)
def test_weighing_changes_nothing(count: int, is_bias: bool, dtype: Any) -> None:
    rng = np.random.default_rng(count)
    w, g = spread(rng, (count,), dtype), spread(rng, (count,), dtype)
    new_w, new_g = after(regularisation.weighed, w, g, is_bias=is_bias)
    assert np.array_equal(new_w, w)
    assert np.array_equal(new_g, g)


@pytest.mark.parametrize("count", COUNTS)
def test_decay_and_scale(count: int, dtype: Any) -> None:
    rng = np.random.default_rng(count)
    w, g = spread(rng, (count,), dtype), spread(rng, (count,), dtype)
    for is_bias in (False, True):
        new_w, new_g = after(regularisation.decay, w, g, decay=DECAY, is_bias=is_bias)
        np.testing.assert_allclose(new_w, (1 - DECAY) * w.astype(float), rtol=4e-7)
        assert np.array_equal(new_g, g)
        new_w, new_g = after(regularisation.scale_gradient, w, g, factor=FACTOR, is_bias=is_bias)
        np.testing.assert_allclose(new_g, FACTOR * g.astype(float), rtol=4e-7)
        assert np.array_equal(new_w, w)


def trained(
    weights: list[Array], X: Array, labels: Array, rule: str, batch_size: int, dtype: Any,
    threads: int, options: dict[str, float],
) -> list[Array]:  # fmt: skip
    """Weights after two epochs."""
    penalties = dict(options)
    optimizer, rate = RULES[rule].options.values()
    if "weight_decay" in penalties:
        optimizer = decaying(optimizer, penalties.pop("weight_decay"))
    settings = fit_settings(
        hidden=[len(b) for b in weights[1:-1:2]], dtype=dtype, batch_size=batch_size,
        threads=threads, optimizer=optimizer, learning_rate=rate, **penalties,
    )  # fmt: skip
    network = Network(
        weights, np.dtype(dtype), settings.activations(len(weights) // 2 - 1)
    ).restarted(settings.optimizer.rule)
    outputs = given_outputs(SoftmaxCrossEntropy(), len(weights[-1]))
    targets = outputs.encode(RawTargets(labels), np.dtype(dtype))
    data = FitData(
        X.astype(dtype), targets, Encoding(Inputs(Columns(X.shape[1])), outputs), settings
    )
    run = TrainingRun(network, data)
    rates = np.full(run.updates_per_epoch, settings.learning_rate.value)
    for _ in range(2):
        network, _ = run.epoch(network, np.arange(len(X)), rates)
    return network.get_weights()


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("rule", ["sgd", "nesterov", "adam"])
@pytest.mark.parametrize(("sizes", "n", "batch_size", "chunk"), RUNS)
def test_run(
    sizes: Any, n: int, batch_size: int, chunk: int, rule: str, options: dict[str, float],
    dtype: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(memory, "MAX_CHUNK", chunk)
    weights, X, labels = problem(sizes, n)
    _, step, step_options, _ = RULES[rule]
    wanted, _ = reference.train(
        weights, X, labels, epochs=2, batch_size=batch_size, step=step, **step_options, **options
    )
    ours = [
        trained(weights, X, labels, rule, batch_size, dtype, threads, options)
        for threads in (1, 2, 4)
    ]
    for index, (w, exact) in enumerate(zip(ours[0], wanted, strict=True)):
        assert_close(w, exact, TOLERANCE[dtype.name], f"{'Wb'[index % 2]}{index // 2 + 1}")
    for others in ours[1:]:
        assert all(map(np.array_equal, ours[0], others))


@pytest.mark.parametrize("value", [NAN, INF])
def test_a_norm_that_is_not_finite_shows(value: float) -> None:
    weights, X, labels = problem((9, 33, 3), 20)
    X[3, 2] = value
    with pytest.raises(FloatingPointError):
        trained(weights, X, labels, "sgd", 8, "float32", 1, {"clip_norm": 1.0})


@pytest.mark.skipif(sys.platform == "win32", reason="pages are protected by mprotect")
@pytest.mark.parametrize("place", ["start", "end"])
@pytest.mark.parametrize("sizes", [(9, 5), (13, 130, 4), (13, 130, 33, 4)])
def test_nothing_beside_the_operands_is_touched(sizes: Any, place: str) -> None:
    weights, X, labels = problem(sizes, 31)
    arguments = weights, X, labels, "adam", 9, "float32", 2, OPTIONS[-1]
    with fences(place):
        ours = trained(*arguments)
    assert all(map(np.array_equal, ours, trained(*arguments)))
