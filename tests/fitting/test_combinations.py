"""Runs of Trainer against the float64 reference, in combinations in which every two choices meet.

Weights are given and rows come in order, so that any other system can replay the runs.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, count, cycle, islice, pairwise, product
from typing import Any

import numpy as np
import pytest

from fastmlp import Trainer, losses, optimizers
from fastmlp.kernels.plugins.activations import ACTIVATIONS
from fastmlp.losses import LOSSES
from fastmlp.schedules import Cosine
from tests.helpers import reference, rules
from tests.helpers.basics import Array, needs_compiler
from tests.helpers.networks import TOLERANCE
from tests.helpers.rules import decaying

pytestmark = needs_compiler

EPOCHS, ROWS = 3, 47
SLOWER = 2  # than the rates of the rules, as some losses grow fast

# The loss, what the reference calls its parameters, the number of outputs, smoothing.
PROBLEMS: dict[str, tuple[losses.Loss, dict[str, Any], int]] = {
    "classes": (losses.SoftmaxCrossEntropy(), {}, 5),
    "smoothed classes": (losses.SoftmaxCrossEntropy(), {"smoothing": 0.2}, 3),
    "shares": (losses.SoftmaxCrossEntropy(), {}, 9),
    "smoothed shares": (losses.SoftmaxCrossEntropy(), {"smoothing": 0.2}, 2),
    "pair": (losses.BinaryCrossEntropy(), {}, 1),
    "labels": (losses.BinaryCrossEntropy(), {}, 4),
    "smoothed labels": (losses.BinaryCrossEntropy(), {"smoothing": 0.2}, 2),
    "squared error": (losses.SquaredError(), {}, 3),
    "absolute error": (losses.AbsoluteError(), {}, 1),
    "huber": (losses.Huber(0.4), {"delta": 0.4}, 2),
    "quantile": (losses.Quantile(0.3), {"q": 0.3}, 2),
    "quantiles": (losses.Quantile((0.1, 0.6, 0.9)), {"q": (0.1, 0.6, 0.9)}, 3),
    "poisson": (losses.Poisson(), {}, 2),
}
# With a short memory, so that the largest is often not the last one.
RULES = rules.RULES | {
    "amsgrad": rules.RULES["amsgrad"]._replace(
        options={"optimizer": optimizers.AMSGrad(beta2=0.9), "learning_rate": 0.01},
        step_options={"beta2": 0.9, "epsilon": 1e-8},
    )
}

CHOICES: dict[str, Sequence[Any]] = {
    "problem": tuple(PROBLEMS),
    "rule": tuple(RULES),
    "l2": (0.0, 0.1),
    "l1": (0.0, 0.01),
    "weight_decay": (0.0, 0.5),
    "clip_norm": (None, 0.3),
    "schedule": (None, "cosine", "function"),
    "sample_weight": ("none", "some", "some are zero"),
    "batch_size": (1, 7, 16, 1000),
    "features": (1, 9, 33),
    "dtype": ("float32", "float64"),
    "threads": (1, 2),
}
OF_HIDDEN_LAYERS: dict[str, Sequence[Any]] = {
    "activation": tuple(ACTIVATIONS),
    "hidden": ((9,), (31, 5), (7, 33, 2)),
}


def cover(choices: dict[str, Sequence[Any]], seed: int = 0) -> list[dict[str, Any]]:
    """Combinations in which every two choices of different kinds meet at least once.

    Each has a pair that has not met yet, and is filled up greedily, choice by choice.
    """
    rng, names = np.random.default_rng(seed), list(choices)
    left = {
        ((a, i), (b, j))
        for a, b in combinations(names, 2)
        for i, j in product(range(len(choices[a])), range(len(choices[b])))
    }
    found = []
    while left:
        taken = dict(min(left))
        for name in rng.permutation([name for name in names if name not in taken]).tolist():
            gains = [
                sum(
                    tuple(sorted(pair, key=_place(names))) in left
                    for pair in _pairs(name, i, taken)
                )
                for i in range(len(choices[name]))
            ]
            best = np.flatnonzero(np.array(gains) == max(gains))
            taken[name] = int(rng.choice(best))
        row = [(name, taken[name]) for name in names]
        left -= set(combinations(row, 2))
        found.append({name: choices[name][i] for name, i in row})
    return found


def _place(names: list[str]) -> Any:
    return lambda choice: names.index(choice[0])


def _pairs(name: str, i: int, taken: dict[str, int]) -> list[Any]:
    return [((name, i), other) for other in taken.items()]


LINEAR = [{"hidden": (), **choice} for choice in cover(CHOICES)]
DEEP = cover(OF_HIDDEN_LAYERS | CHOICES)


def test_every_two_choices_meet() -> None:
    choices = OF_HIDDEN_LAYERS | CHOICES
    for a, b in combinations(choices, 2):
        assert {(row[a], row[b]) for row in DEEP} == set(product(choices[a], choices[b]))
    assert len(DEEP) < 2 * len(PROBLEMS) * len(ACTIVATIONS)  # not the full product
    assert {type(problem[0]) for problem in PROBLEMS.values()} == set(LOSSES.values())
    chosen = {rule.options["optimizer"].rule for rule in RULES.values()}
    assert chosen == {kind().rule for kind in optimizers.OPTIMIZERS.values()} | {
        "momentum", "nesterov",
    }  # fmt: skip


def targets_of(problem: str, outputs: int, rng: np.random.Generator) -> Array:
    """Targets as a trainer takes them."""
    if problem.endswith("classes"):
        return np.arange(ROWS) % outputs
    if problem.endswith("shares"):
        return rng.dirichlet(np.ones(outputs), ROWS)
    if problem == "pair":
        return np.arange(ROWS) % 2
    if problem.endswith("labels"):
        return rng.integers(2, size=(ROWS, outputs))
    if problem == "poisson":
        return rng.poisson(2.0, (ROWS, outputs))
    return rng.normal(size=(ROWS, 1 if problem == "quantiles" else outputs))


def activations_of(first: str, layers: int) -> list[str]:
    """The one to be tested, then those that follow it."""
    names = list(ACTIVATIONS)
    return list(islice(cycle(names), names.index(first), names.index(first) + layers))


def step_of(choice: dict[str, Any], updates: int, per_epoch: int) -> tuple[Any, Any, Any]:
    """An optimizer, a schedule, and the step of the reference that does what both say."""
    options, step, step_options, _ = RULES[choice["rule"]]
    rate, decay = options["learning_rate"] / SLOWER, choice["weight_decay"]
    optimizer, schedule = decaying(options["optimizer"], decay), None
    if choice["schedule"] == "function":
        schedule, rates = (lambda update: rate / (1 + update)), rate / (1 + np.arange(updates))
    else:
        optimizer, rates = replace(optimizer, learning_rate=rate), np.full(updates, rate)
    if choice["schedule"] == "cosine":
        schedule = Cosine(warmup=0.3, final=0.1)
        rates = rate * schedule.factors(np.arange(updates), per_epoch, updates)
    number = count()

    def scheduled(weights: list[Array], grads: list[Array], state: dict[str, Any]) -> None:
        now = rates[next(number)]
        for w in weights:
            w *= 1 - now * decay
        step(weights, grads, state, **{**step_options, "learning_rate": now})

    return optimizer, schedule, scheduled


def assert_close(ours: Any, wanted: Any, tolerance: float, what: str) -> None:
    """Errors against the largest element, or 1 where all are smaller."""
    scale = max(1.0, np.abs(wanted).max())
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=tolerance * scale, err_msg=what)


@pytest.mark.parametrize("choice", DEEP + LINEAR, ids=lambda c: "-".join(map(str, c.values())))
def test_run(choice: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    loss, parameters, outputs = PROBLEMS[choice["problem"]]
    hidden, batch_size = choice["hidden"], choice["batch_size"]
    activations = activations_of(choice["activation"], len(hidden)) if hidden else []
    weights = [
        part.astype(np.float32).astype(np.float64)
        for n_in, n_out in pairwise((choice["features"], *hidden, outputs))
        for part in (rng.normal(0, n_in**-0.5, (n_in, n_out)), rng.normal(0, 0.3, n_out))
    ]
    X = rng.normal(size=(ROWS, choice["features"])).astype(np.float32)
    Y = targets_of(choice["problem"], outputs, rng)
    sample_weight, kept = None, np.full(ROWS, True)
    if choice["sample_weight"] != "none":
        sample_weight = rng.uniform(0.2, 3, ROWS).astype(np.float32)
    if choice["sample_weight"] == "some are zero":
        kept = np.arange(ROWS) % 5 != 2
        sample_weight[~kept] = 0

    per_epoch = -(-int(kept.sum()) // batch_size)
    optimizer, schedule, step = step_of(choice, EPOCHS * per_epoch, per_epoch)
    penalties = {name: choice[name] for name in ("l2", "l1", "clip_norm")}
    trainer = Trainer(
        hidden, activation=activations, loss=loss, optimizer=optimizer, schedule=schedule,
        label_smoothing=parameters.get("smoothing", 0.0), epochs=EPOCHS, batch_size=batch_size,
        shuffle=False, warm_start=True, dtype=choice["dtype"], threads=choice["threads"],
        **penalties,
    )  # fmt: skip
    trainer.set_weights(weights)
    trainer.fit(X, Y, sample_weight=sample_weight)

    w = None if sample_weight is None else sample_weight[kept]
    wanted, history = reference.train(
        weights, X[kept], Y[kept], epochs=EPOCHS, batch_size=batch_size, activations=activations,
        loss=loss.name, sample_weight=w, parameters=parameters, step=step, **penalties,
    )  # fmt: skip
    tolerance = TOLERANCE[choice["dtype"]]
    for index, (ours, theirs) in enumerate(zip(trainer.get_weights(), wanted, strict=True)):
        assert ours.dtype == choice["dtype"]
        assert_close(ours, theirs, tolerance, f"{'Wb'[index % 2]}{index // 2 + 1}")
    for name, values in history.items():
        assert_close(trainer.history[name], values, tolerance, name)

    # What the trained network says, of all rows, and what it is worth.
    Z = reference.forward(wanted, X, activations)[-1]
    decisions = np.sort(Z, axis=1) if choice["problem"] == "quantiles" else Z
    if loss.name == "softmax_cross_entropy" and Z.shape[1] == 2:
        decisions = np.diff(Z)
    got = trainer.decision_function(X).reshape(decisions.shape)
    assert_close(got, decisions, tolerance, "outputs")
    values = trainer.evaluate(X, Y, sample_weight)
    assert_close(values["loss"], reference.loss(loss.name, Z[kept], Y[kept], w, **parameters),
                 tolerance, "loss")  # fmt: skip
    score = reference.score(loss.name, Z[kept], Y[kept], w)
    assert_close(trainer.score(X, Y, sample_weight), score, tolerance, "score")
