"""Fifty updates against JAX and Optax: every optimiser, activation and loss, from the same weights
and batches in float64. What Optax calls by the same name but defines otherwise stands in
``jax_reference`` by its formula."""

import pickle
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp import Trainer, losses, optimizers, schedules
from fastmlp.kernels.plugins.activations import ACTIVATIONS
from fastmlp.losses import LOSSES
from fastmlp.optimizers import OPTIMIZERS
from tests.helpers.basics import needs_compiler
from tests.helpers.processes import run

pytestmark = [
    needs_compiler,
    pytest.mark.skipif(not (find_spec("jax") and find_spec("optax")), reason="needs JAX, Optax"),
]

ROWS, BATCH, EPOCHS = 37, 8, 10  # batches of 8, 8, 8, 8 and 5: fifty updates
UPDATES = 50
HIDDEN = (7, 5)
# Small epsilons would make no difference; so small a one makes none wherever it stands.
LARGE, SMALL = 1e-3, 1e-20

# For programs that run for a moment.
JAX = {"JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "true"}

# Optimizers here and there.
RULES: dict[str, tuple[optimizers.Optimizer, str, dict[str, Any]]] = {
    "sgd": (optimizers.SGD(0.1), "sgd", {"learning_rate": 0.1}),
    "momentum": (
        optimizers.SGD(0.05, momentum=0.9), "sgd", {"learning_rate": 0.05, "momentum": 0.9},
    ),
    "nesterov": (
        optimizers.SGD(0.05, momentum=0.8, nesterov=True),
        "sgd", {"learning_rate": 0.05, "momentum": 0.8, "nesterov": True},
    ),
    "adam": (optimizers.Adam(0.01, epsilon=SMALL), "adam", {"learning_rate": 0.01, "eps": SMALL}),
    "adam_epsilon": (
        optimizers.Adam(0.01, beta1=0.8, beta2=0.99, epsilon=LARGE),
        "keras_adam", {"learning_rate": 0.01, "b1": 0.8, "b2": 0.99, "eps": LARGE},
    ),
    "adamw": (
        optimizers.AdamW(0.01, epsilon=SMALL, weight_decay=0.1),
        "adamw", {"learning_rate": 0.01, "eps": SMALL, "weight_decay": 0.1},
    ),
    "amsgrad": (
        optimizers.AMSGrad(0.01, beta2=0.9, epsilon=LARGE),
        "keras_adam",
        {"learning_rate": 0.01, "b1": 0.9, "b2": 0.9, "eps": LARGE, "largest": True},
    ),
    "rmsprop": (
        optimizers.RMSprop(0.01, rho=0.8, epsilon=LARGE),
        "rmsprop", {"learning_rate": 0.01, "decay": 0.8, "eps": LARGE},
    ),
    "adagrad": (
        optimizers.Adagrad(0.1, epsilon=LARGE), "adagrad", {"learning_rate": 0.1, "eps": LARGE},
    ),
    "lion": (
        optimizers.Lion(0.01, weight_decay=0.1),
        "lion", {"learning_rate": 0.01, "weight_decay": 0.1},
    ),
}  # fmt: skip

# Losses here and there, and the number of outputs.
OUTPUTS: dict[str, tuple[losses.Loss, dict[str, Any], int]] = {
    "softmax_cross_entropy": (losses.SoftmaxCrossEntropy(), {}, 4),
    "shares": (losses.SoftmaxCrossEntropy(), {}, 4),
    "binary_cross_entropy": (losses.BinaryCrossEntropy(), {}, 3),
    "pair": (losses.BinaryCrossEntropy(), {}, 1),
    "squared_error": (losses.SquaredError(), {}, 3),
    "absolute_error": (losses.AbsoluteError(), {}, 2),
    "huber": (losses.Huber(0.3), {"delta": 0.3}, 2),
    "quantile": (losses.Quantile((0.1, 0.5, 0.8)), {"q": (0.1, 0.5, 0.8)}, 3),
    "poisson": (losses.Poisson(), {}, 2),
}

# Schedules here and there, for a learning rate of 0.01.
RATES: dict[str, tuple[schedules.Schedule, dict[str, Any]]] = {
    "cosine": (
        schedules.Cosine(final=0.1), {"init_value": 0.01, "decay_steps": UPDATES, "alpha": 0.1},
    ),
    "exponential": (
        schedules.Exponential(0.5),
        {"init_value": 0.01, "transition_steps": UPDATES // EPOCHS, "decay_rate": 0.5},
    ),
}  # fmt: skip


def case(
    loss: str = "softmax_cross_entropy", rule: str = "sgd", activation: str = "tanh",
    hidden: tuple[int, ...] = HIDDEN, weighted: bool = False, smoothing: float = 0.0,
    schedule: str | None = None, **regularisation: Any,
) -> tuple[Trainer, dict[str, Any], Any]:  # fmt: skip
    """A trainer before its fit, the same for JAX, and targets as the trainer takes them."""
    rng = np.random.default_rng(0)
    ours, settings, outputs = OUTPUTS[loss]
    optimizer, name, options = RULES[rule]
    weights = []
    for n_in, n_out in pairwise((6, *hidden, outputs)):
        weights += [rng.normal(0, n_in**-0.5, (n_in, n_out)), rng.normal(0, 0.3, n_out)]
    targets = targets_of(loss, outputs, rng)
    trainer = Trainer(
        hidden, activation=activation if hidden else "relu", loss=ours, optimizer=optimizer,
        label_smoothing=smoothing, epochs=EPOCHS, batch_size=BATCH, shuffle=False, dtype="float64",
        warm_start=True, schedule=schedule and RATES[schedule][0], **regularisation,
    )  # fmt: skip
    trainer.set_weights(weights)
    if schedule is not None:
        options = options | {"learning_rate": (schedule, RATES[schedule][1])}
    theirs = {
        "weights": weights, "X": rng.normal(size=(ROWS, 6)),
        "targets": columns_of(loss, targets, outputs),
        "sample_weight": rng.uniform(0.2, 3, ROWS) if weighted else np.ones(ROWS),
        "loss": (ours.name, settings | ({"smoothing": smoothing} if smoothing else {})),
        "optimizer": (name, options), "activation": activation, "batch_size": BATCH,
        "epochs": EPOCHS, "l2": 0.0, "l1": 0.0, "clip_norm": None,
    } | regularisation  # fmt: skip
    return trainer, theirs, targets


def targets_of(loss: str, outputs: int, rng: np.random.Generator) -> Any:
    if loss == "softmax_cross_entropy":
        return np.arange(ROWS) % outputs
    if loss == "shares":
        return rng.dirichlet(np.ones(outputs), ROWS)
    if loss == "binary_cross_entropy":
        return rng.integers(2, size=(ROWS, outputs))
    if loss == "pair":
        return np.arange(ROWS) % 2
    if loss == "poisson":
        return rng.poisson(2.0, (ROWS, outputs))
    return rng.normal(size=ROWS if loss == "quantile" else (ROWS, outputs))


def columns_of(loss: str, targets: Any, outputs: int) -> Any:
    """Targets output by output, or the indices of classes."""
    if loss == "softmax_cross_entropy":
        return targets
    columns = targets.reshape(ROWS, -1).astype(np.float64)
    return np.broadcast_to(columns, (ROWS, outputs))


CASES: dict[str, dict[str, Any]] = {
    **{f"activation {name}": {"activation": name} for name in ACTIVATIONS},
    **{f"optimizer {name}": {"rule": name} for name in RULES},
    **{f"loss {name}": {"loss": name, "weighted": True, "hidden": (7,)} for name in OUTPUTS},
    **{f"schedule {name}": {"rule": "adam", "schedule": name} for name in RATES},
    "linear": {"hidden": ()},
    "linear weighted": {"hidden": (), "loss": "huber", "weighted": True},
    "smoothed": {"smoothing": 0.2},
    "smoothed shares": {"smoothing": 0.2, "loss": "shares", "weighted": True},
    "smoothed labels": {"smoothing": 0.2, "loss": "binary_cross_entropy"},
    "l2": {"l2": 0.1},
    "l1": {"l1": 0.01, "loss": "squared_error"},
    "clipped": {"clip_norm": 0.3, "loss": "poisson", "rule": "momentum"},
    "all penalties, clipped": {"l2": 0.1, "l1": 0.02, "clip_norm": 0.2, "rule": "adam_epsilon"},
    "decay and penalties": {"l2": 0.1, "l1": 0.02, "clip_norm": 0.2, "rule": "adamw"},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What JAX makes of all cases, in one process of its own."""
    folder: Path = tmp_path_factory.mktemp("jax")
    given, result = folder / "given", folder / "result"
    given.write_bytes(pickle.dumps({name: case(**options)[1] for name, options in CASES.items()}))
    call = f"jax_reference.train_all({str(given)!r}, {str(result)!r})"
    run(f"from tests.helpers import jax_reference; {call}", timeout=300, **JAX)
    return dict(pickle.loads(result.read_bytes()))


def test_nothing_is_forgotten() -> None:
    assert {rule[0].rule for rule in RULES.values()} >= {
        kind().rule for kind in OPTIMIZERS.values()
    }
    assert {type(rule[0]) for rule in RULES.values()} == set(OPTIMIZERS.values())
    assert {type(loss[0]) for loss in OUTPUTS.values()} == set(LOSSES.values())


@pytest.mark.full
@pytest.mark.parametrize("name", CASES)
def test_same_as_jax(name: str, trained: dict[str, Any]) -> None:
    trainer, theirs, targets = case(**CASES[name])
    weights, losses = trained[name]
    is_weighted = CASES[name].get("weighted", False)
    trainer.fit(
        theirs["X"], targets, sample_weight=theirs["sample_weight"] if is_weighted else None
    )
    np.testing.assert_allclose(trainer.history["loss"], losses, rtol=1e-9)
    for ours, wanted, start in zip(trainer.get_weights(), weights, theirs["weights"], strict=True):
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(ours, wanted, rtol=1e-9, atol=1e-9 * scale)
        assert np.abs(ours - start).max() > 1e-3 * scale  # it has moved
