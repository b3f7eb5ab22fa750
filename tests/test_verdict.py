"""What a fit says of itself, and how one that diverges starts again."""

import warnings
from typing import Any

import numpy as np
import pytest

from fastmlp import FitWarning, Trainer
from fastmlp.optimizers import Adam
from tests.models import X, Y, needs_compiler, same_weights, trainer

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
        *rest, b = model.get_weights()
        model.set_weights([*(0 * w + 1 for w in rest), np.array([0, 1e3])])

    with pytest.warns(FitWarning, match="worse than the most frequent class"):
        trainer(epochs=5, callbacks=spoil).fit(X, few, validation_data=(X, few))
