"""Batches divided by their own weights: against the reference, batch by batch."""

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fastmlp.data import RawTargets
from fastmlp.fitting import memory
from fastmlp.fitting.dataset import FitData
from fastmlp.fitting.epoch import TrainingRun
from fastmlp.inference.forward import evaluate
from fastmlp.inputs import Columns, Inputs
from fastmlp.losses import LOSSES
from fastmlp.network.encoding import Encoding
from fastmlp.network.packed_network import Network
from fastmlp.outputs import Targets, given_outputs
from fastmlp.outputs.weights import Weights
from fastmlp.settings import choices, resolved
from tests.helpers import models, reference
from tests.helpers.basics import Array, needs_compiler
from tests.helpers.fences import fences
from tests.helpers.models import fit_settings
from tests.helpers.networks import TOLERANCE, assert_close, problem
from tests.helpers.rules import RULES

pytestmark = needs_compiler

L2, EPOCHS, RATE = 0.7, 3, 0.002
# Layer sizes, rows, batch size, rows of a chunk.
RUNS = [((9, 3), 31, 8, 1024), ((33, 130, 4), 50, 16, 1024), ((5, 127, 31, 2), 70, 33, 9)]
NAMES = "softmax_cross_entropy", "binary_cross_entropy", "squared_error", "poisson"


def targets_of(loss: str, n: int, count: int) -> Array:
    rng = np.random.default_rng(n)
    if loss == "softmax_cross_entropy":
        return rng.integers(count, size=n)
    if loss == "squared_error":
        return rng.normal(size=(n, count))
    rows: Array = rng.poisson(2, (n, count)) if loss == "poisson" else rng.integers(2, size=(n, 1))
    return np.broadcast_to(rows, (n, count)).copy()


def sample_weights(n: int, batch_size: int) -> Array:
    """With zeros, of which one batch has no others."""
    weights = np.random.default_rng(2).integers(0, 3, n) * 0.3
    weights[batch_size : 2 * batch_size] = 0
    return weights


def expected(
    weights: list[Array], X: Array, Y: Array, w: Array | None, loss: str, batch_size: int,
    rule: str,
) -> tuple[list[Array], list[float]]:  # fmt: skip
    """Weights and losses as scikit-learn defines them; a batch of weight 0 adds nothing."""
    weights, X = [v.astype(float) for v in weights], X.astype(float)
    _, step, options, _ = RULES[rule]
    state, losses, n = reference.new_state(weights), [], len(X)
    for _ in range(EPOCHS):
        total = 0.0
        for start in range(0, n, batch_size):
            rows = slice(start, start + batch_size)
            own = np.ones(len(X[rows])) if w is None else w[rows]
            grads = [np.zeros_like(v) for v in weights]
            if own.any():
                Z = reference.forward(weights, X[rows])[-1]
                terms = reference.loss_terms(loss, Z, Y[rows])
                if loss == "poisson":
                    terms = terms + np.where(Y[rows] > 0, Y[rows] * np.log(Y[rows] + 1e-300), 0)
                    terms = terms - Y[rows]
                of_rows = terms.mean(axis=1) if loss == "squared_error" else terms.sum(axis=1)
                squares = sum((W**2).sum() for W in weights[::2])
                mean = np.average(of_rows, weights=own) + L2 / 2 * squares / own.sum()
                total += mean * len(own)
                grads = reference.gradients(
                    weights, X[rows], Y[rows], loss=loss, sample_weight=own / own.mean()
                )
                count = reference.outputs_averaged(loss, Z)
                grads = [g * count for g in grads]
                for dW, W in zip(grads[::2], weights[::2], strict=True):
                    dW += L2 * W / own.sum()
            step(weights, grads, state, **{**options, "learning_rate": RATE})
        losses.append(total / n)
    return weights, losses


def trained(
    weights: list[Array], X: Array, Y: Array, w: Array | None, loss: str, batch_size: int,
    rule: str, dtype: np.dtype[Any], threads: int,
) -> tuple[list[Array], list[float]]:  # fmt: skip
    """Weights, and the loss of each epoch."""
    sizes = [len(weights[0]), *map(len, weights[1::2])]
    settings = fit_settings(
        hidden=sizes[1:-1], dtype=dtype, batch_size=batch_size, threads=threads, l2=L2,
        optimizer=RULES[rule].options["optimizer"],
    )  # fmt: skip
    network = Network(weights, dtype, settings.activations(len(sizes) - 2))
    network = network.under(settings.optimizer.rule)
    outputs = given_outputs(LOSSES[loss](), sizes[-1])
    encoding = Encoding(Inputs(Columns(sizes[0])), outputs)
    encoded = outputs.encode(RawTargets(Y), dtype)
    targets = Targets(encoded.labels, encoded.values, None if w is None else Weights(w))
    data = FitData(X.astype(dtype), targets, encoding, replace(settings, by_batch=True))
    run, losses = TrainingRun(network, data), []
    rates = np.full(run.updates_per_epoch, RATE)
    for _ in range(EPOCHS):
        network, statistics = run.epoch(network, np.arange(len(X)), rates)
        losses.append(outputs.summed_up(statistics.means).loss)
    return network.get_weights(), losses


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", NAMES)
@pytest.mark.parametrize("rule", ["sgd", "nesterov", "adam"])
@pytest.mark.parametrize(("sizes", "n", "batch_size", "chunk"), RUNS)
def test_run(
    sizes: Any, n: int, batch_size: int, chunk: int, rule: str, loss: str, weighted: bool,
    dtype: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(memory, "MAX_CHUNK", chunk)
    weights, X, _ = problem(sizes, n)
    Y = targets_of(loss, n, sizes[-1])
    w = sample_weights(n, batch_size) if weighted else None
    results = [
        trained(weights, X, Y, w, loss, batch_size, rule, dtype, threads) for threads in (1, 2, 3)
    ]
    wanted, wanted_losses = expected(weights, X, Y, w, loss, batch_size, rule)
    for ours, exact in zip(results[0][0], wanted, strict=True):
        assert_close(ours, exact, TOLERANCE[dtype.name], loss)
    np.testing.assert_allclose(results[0][1], wanted_losses, rtol=TOLERANCE[dtype.name])
    for others in results[1:]:
        assert others[1] == results[0][1]
        assert all(map(np.array_equal, others[0], results[0][0]))


@pytest.mark.skipif(sys.platform == "win32", reason="pages are protected by mprotect")
@pytest.mark.parametrize("place", ["start", "end"])
@pytest.mark.parametrize("sizes", [(9, 5), (13, 130, 4), (13, 130, 33, 4)])
def test_nothing_beside_the_operands_is_touched(sizes: Any, place: str) -> None:
    weights, X, _ = problem(sizes, 31)
    Y, w = targets_of("squared_error", 31, sizes[-1]), sample_weights(31, 9)
    arguments = weights, X, Y, w, "squared_error", 9, "adam", np.dtype("float32"), 2
    with fences(place):
        ours = trained(*arguments)
    wanted = trained(*arguments)
    assert ours[1] == wanted[1]
    assert all(map(np.array_equal, ours[0], wanted[0]))


def test_orders_are_those_of_scikit_learn() -> None:
    from sklearn.utils import shuffle

    _, X, labels = problem((4, 3), 50)
    settings = replace(
        fit_settings(hidden=(), batch_size=50, dropout=(0.5,)),
        random_state=np.random.RandomState(5),
    )
    outputs = given_outputs(LOSSES["softmax_cross_entropy"](), 3)
    targets = outputs.encode(RawTargets(labels), np.dtype("float32"))
    network = Network(problem((4, 3), 50)[0], np.dtype("float32"), ())
    run = TrainingRun(network, FitData(X, targets, Encoding(Inputs(Columns(4)), outputs), settings))
    theirs, order = np.random.RandomState(5), np.arange(50)
    for _ in range(3):
        order = shuffle(order, random_state=theirs)
        ours, key = run.draw(np.random.default_rng(0))
        assert np.array_equal(ours, order)
        assert key == theirs.randint(1 << 62)
        run.epoch(network, ours, np.zeros(1), key)


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "binary_cross_entropy"])
@pytest.mark.parametrize("count", [2, 3])
def test_losses_of_clipped_probabilities(loss: str, count: int, dtype: Any) -> None:
    """Of rows that are certain, rightly or wrongly, and of others."""
    logits = (
        np.random.default_rng(0).normal(size=(33, count)) * 10.0 ** np.linspace(-1, 3, 33)[:, None]
    )
    logits, Y = logits.astype(dtype), targets_of(loss, 33, count)
    eps = np.finfo(dtype).eps
    outputs = replace(given_outputs(LOSSES[loss](), count), least_probability=eps)
    network = Network([np.eye(count), np.zeros(count)], dtype, ())
    encoding = Encoding(Inputs(Columns(count)), outputs)
    rows = logits, outputs.encode(RawTargets(Y), dtype)
    terms = reference.loss_terms(loss, logits.astype(float), Y)
    clipped = np.clip(terms, -np.log1p(-eps), -np.log(eps))
    assert (clipped != terms).any()
    scores = evaluate(network, encoding, rows, 1)
    assert scores.loss == pytest.approx(clipped.sum() / 33, rel=TOLERANCE[dtype.name] / 10)
    free = replace(encoding, outputs=replace(outputs, least_probability=0.0))
    assert evaluate(network, free, rows, 1).loss == pytest.approx(terms.sum() / 33, rel=1e-5)


def test_a_trainer_fits_encoded_rows() -> None:
    """As it goes on with the same rows itself."""
    given, own = (models.fitted(warm_start=True) for _ in range(2))
    model = given.model_
    targets = model.encoding.outputs.encode(RawTargets(models.Y), model.network.dtype)
    settings = resolved(choices(given), len(models.X), validated=False)
    given.fit_encoded(FitData(models.X, targets, model.encoding, settings), model, given.history)
    own.fit(models.X, models.Y)
    assert given.n_iter_ == own.n_iter_ == 6
    assert models.same_weights(given.get_weights(), own.get_weights())
    assert models.numbers(given.history) == models.numbers(own.history)
