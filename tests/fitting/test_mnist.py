"""Early stopping, going on and time on digits of MNIST."""

import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fastmlp import EarlyStopping, Trainer
from fastmlp.callbacks import Checkpoint
from fastmlp.optimizers import SGD
from tests.helpers.basics import needs_compiler
from tests.helpers.models import same_weights

pytestmark = needs_compiler

DATA = Path(__file__).parents[2] / "examples" / "mnist.npz"

Rows = tuple[npt.NDArray[Any], npt.NDArray[Any]]


@pytest.fixture(scope="module")
def digits() -> Rows:
    """8,000 images, in [0, 1]."""
    with np.load(DATA) as data:
        images, labels = data["train_images"][:8_000], data["train_labels"][:8_000]
    return images.reshape(len(images), -1) / np.float32(255), labels


def test_early_stopping_keeps_the_best_epoch(digits: Rows) -> None:
    X, Y = digits
    train, rest = (X[:2_000], Y[:2_000]), (X[2_000:], Y[2_000:])
    stopping = EarlyStopping(patience=3)
    model = Trainer(128, optimizer="adam", epochs=60, early_stopping=stopping, seed=0)
    losses = model.fit(*train, validation_data=rest).history["val_loss"]
    assert model.stop_reason_ == "early_stopping"
    assert model.n_iter_ < 60
    assert model.best_epoch_ == np.argmin(losses) == model.n_iter_ - 1 - 3
    assert model.evaluate(*rest)["loss"] == min(losses) < losses[-1]
    best = Trainer(128, optimizer="adam", epochs=model.best_epoch_ + 1, seed=0).fit(*train)
    assert same_weights(model.get_weights(), best.get_weights())


class Interrupt:
    """In the callbacks of an epoch, before its checkpoint is written."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def __call__(self, trainer: Trainer, epoch: int, logs: Any) -> None:
        if epoch == self.epoch:
            raise KeyboardInterrupt


RESUMED: list[dict[str, Any]] = [
    {"optimizer": "adam", "schedule": "cosine", "dropout": 0.3},
    {"optimizer": "amsgrad", "schedule": "one_cycle", "dropout": (0.1, 0.2)},
    {
        "optimizer": SGD(momentum=0.9, nesterov=True),
        "schedule": "reduce_on_plateau",
        "clip_norm": 1.0,
    },
]


@pytest.mark.parametrize("options", RESUMED, ids=lambda options: options["schedule"])
def test_resumed_is_as_never_interrupted(
    options: dict[str, Any], digits: Rows, tmp_path: Path
) -> None:
    X, Y = digits
    whole = Trainer(64, epochs=6, seed=3, **options).fit(X, Y)

    file = tmp_path / "checkpoint.pickle"
    callbacks = [Interrupt(3), Checkpoint(file, best_only=False)]
    stopped = Trainer(64, epochs=6, seed=3, **options, callbacks=callbacks)
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(X, Y)
    from_file = pickle.loads(file.read_bytes())
    assert from_file.n_iter_ == 3
    from_state = Trainer(64, seed=3, **options)
    from_state.set_state(from_file.get_state())
    for model in (from_file, from_state):
        model.warm_start, model.epochs, model.callbacks = True, 3, ()
        model.fit(X, Y)
        assert same_weights(model.get_weights(), whole.get_weights())
        for name in ("loss", "learning_rate"):
            assert model.history[name] == whole.history[name]
    # The interrupted one has its last finished epoch, the fourth.
    stopped.warm_start, stopped.epochs, stopped.callbacks = True, 2, ()
    assert same_weights(stopped.fit(X, Y).get_weights(), whole.get_weights())


@pytest.mark.full
def test_a_budget_within_an_epoch(digits: Rows) -> None:
    X, Y = (np.tile(part, (25,) + (1,) * (part.ndim - 1)) for part in digits)
    model = Trainer((512, 512), batch_size=8, time_budget=1e-3, epochs=50, seed=0, threads=1)
    model.fit(X[:500], Y[:500], validation_data=(X[:500], Y[:500]))  # compiled
    model.time_budget = 1.0
    start = time.perf_counter()
    model.fit(X, Y, validation_data=digits)
    # The 0.3 s beyond are those of a machine that does nothing else, see asv_benchmarks.search.
    assert time.perf_counter() - start < 6
    assert (model.stop_reason_, model.n_iter_) == ("time_budget", 1)
    assert model.history["val_loss"][0] == model.evaluate(*digits)["loss"]
    assert model.history["val_loss"][0] < 2.3  # it has learned from the rows that it saw
