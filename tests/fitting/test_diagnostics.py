"""What a fit says of itself, and how one that diverges starts again."""

import warnings
from typing import Any

import numpy as np
import pytest

from fastmlp import FitWarning, Trainer
from fastmlp.optimizers import SGD
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, Y, same_weights, trainer

pytestmark = needs_compiler


def test_a_good_fit_says_nothing() -> None:
    trainer(epochs=60).fit(X, Y)


def test_a_loss_that_still_falls() -> None:
    with pytest.warns(FitWarning, match="loss still fell by .* more epochs may help") as told:
        trainer(epochs=12, learning_rate=0.001).fit(X, Y)
    assert len(told) == 1


def test_a_fit_that_goes_on_does_not_know_the_whole_fall() -> None:
    model = trainer(epochs=3, learning_rate=0.001, warm_start=True).fit(X, Y)
    model.epochs = 12
    model.fit(X, Y)


def test_dead_units() -> None:
    def kill(model: Trainer, epoch: int, logs: Any) -> None:
        W, b, *rest = model.get_weights()
        model.set_weights([0 * W, b - 1, *rest])

    with pytest.warns(FitWarning, match="8 of 8 units of hidden layer 1 are 0 for all rows"):
        trainer(epochs=5, callbacks=kill).fit(X, Y)


def test_worse_than_the_mean() -> None:
    targets = X[:, 0].astype(float)

    def spoil(model: Trainer, epoch: int, logs: Any) -> None:
        model.set_weights([3 * np.ones_like(w) for w in model.get_weights()])

    with pytest.warns(FitWarning, match="worse than the mean of Y"):
        trainer(epochs=5, callbacks=spoil).fit(X, targets, validation_data=(X, targets))


def test_worse_than_the_most_frequent_class() -> None:
    few = np.arange(60) % 10 == 0

    def spoil(model: Trainer, epoch: int, logs: Any) -> None:
        *rest, _ = model.get_weights()
        model.set_weights([*(0 * w + 1 for w in rest), np.array([0, 1e3])])

    with pytest.warns(FitWarning, match="worse than the most frequent class"):
        trainer(epochs=5, callbacks=spoil).fit(X, few, validation_data=(X, few))


# ---------------------------------------------------------------------------------------- restarts


def diverging(**options: Any) -> Trainer:
    settings: dict[str, Any] = {
        "optimizer": "sgd", "learning_rate": None, "loss": "squared_error", "epochs": 4,
    }  # fmt: skip
    return trainer(**settings | options)


def test_a_restart_is_reported_and_ends_well() -> None:
    seen: list[int] = []
    model = diverging(callbacks=lambda model, epoch, logs: seen.append(epoch))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model.fit(30 * X, X[:, 0].astype(float))
    texts = [str(warning.message) for warning in told if warning.category is FitWarning]
    assert "diverged with learning_rate=0.1, which was not given" in texts[0]
    assert model.auto_["learning_rate"] < 0.1
    assert model.history["learning_rate"] == pytest.approx([model.auto_["learning_rate"]] * 4)
    assert (model.n_iter_, len(model.history["loss"])) == (4, 4)
    assert seen[-4:] == [0, 1, 2, 3]


def test_a_rate_set_after_a_restart_is_used_as_it_is() -> None:
    def set_rate(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        model.learning_rate = 1e-5

    model = diverging(callbacks=set_rate)
    with pytest.warns(FitWarning, match="diverged with learning_rate"):
        model.fit(30 * X, X[:, 0].astype(float))
    assert model.history["learning_rate"][1:] == [1e-5] * 3


@pytest.mark.parametrize("where", ["trainer", "optimizer"])
def test_a_rate_that_was_given_is_kept(where: str) -> None:
    own = {"learning_rate": 0.1} if where == "trainer" else {"optimizer": SGD(learning_rate=0.1)}
    with pytest.raises(FloatingPointError, match=r"learning_rate=0\.1"):
        diverging(**own).fit(30 * X, X[:, 0].astype(float))


def test_it_is_given_up_and_the_trainer_keeps_its_state() -> None:
    targets = X[:, 0].astype(float)
    model = diverging().fit(X, targets)
    weights, history = model.get_weights(), dict(model.history)
    with (
        pytest.warns(FitWarning, match="starts again") as told,
        pytest.raises(FloatingPointError),
    ):
        model.fit(1e15 * X, targets)
    assert len(told) == 3
    assert same_weights(model.get_weights(), weights)
    assert dict(model.history) == history
