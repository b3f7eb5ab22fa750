"""Averaged weights: their numbers, and that training and copies go on as if nobody looked."""

import pickle
from typing import Any

import numpy as np
import pytest

from fastmlp import EarlyStopping, Trainer
from tests.helpers.basics import Array, needs_compiler
from tests.helpers.models import numbers, same_weights

RNG = np.random.default_rng(1)
X = RNG.standard_normal((200, 5))
Y = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * RNG.standard_normal(200)
VALID = X[:40] + 0.1, Y[:40]

pytestmark = needs_compiler


def trainer(**settings: Any) -> Trainer:
    return Trainer(
        9, **{"epochs": 8, "seed": 0, "batch_size": 16, "weight_averaging": 0.6, **settings}
    )


def trajectory(**settings: Any) -> list[list[Array]]:
    """Weights after each epoch of the training itself."""
    weights: list[list[Array]] = []
    settings["callbacks"] = lambda model, epoch, logs: weights.append(model.get_weights())
    trainer(weight_averaging=0, **settings).fit(X, Y)
    return weights


def averages(weights: list[list[Array]], share: float) -> list[list[Array]]:
    """By the words of the docs: of the first epochs the mean."""
    found = [weights[0]]
    for count, new in enumerate(weights[1:], 2):
        kept = min(share, 1 - 1 / count)
        found.append([kept * a + (1 - kept) * b for a, b in zip(found[-1], new, strict=True)])
    return found


@pytest.mark.parametrize("rule", ["sgd", "adam", "lion"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_they_are_what_the_docs_say(rule: str, share: float) -> None:
    settings: dict[str, Any] = {"optimizer": rule, "learning_rate": 0.01, "dtype": "float64"}
    wanted = averages(trajectory(**settings), share)[-1]
    got = trainer(weight_averaging=share, **settings).fit(X, Y).get_weights()
    for a, b in zip(got, wanted, strict=True):
        assert np.allclose(a, b, rtol=0, atol=1e-12)


def test_validation_and_callbacks_see_the_averages() -> None:
    seen: list[list[Array]] = []
    model = trainer(callbacks=lambda model, *_: seen.append(model.get_weights()))
    model.fit(X, Y, validation_data=VALID)
    for got, wanted in zip(seen, averages(trajectory(), 0.6), strict=True):
        for a, b in zip(got, wanted, strict=True):
            assert np.allclose(a, b, rtol=0, atol=1e-5)
    assert model.history["val_loss"][-1] == model.evaluate(*VALID)["loss"]
    # What is recorded of the training rows is of the training itself.
    assert model.history["loss"] == trainer(weight_averaging=0).fit(X, Y).history["loss"]


@pytest.mark.parametrize("rule", ["sgd", "adam", "rmsprop"])
def test_resumed_is_uninterrupted(rule: str) -> None:
    settings: dict[str, Any] = {"optimizer": rule, "learning_rate": 0.01}
    whole = trainer(**settings).fit(X, Y)
    half = trainer(**settings, epochs=4, warm_start=True).fit(X, Y)
    resumed = pickle.loads(pickle.dumps(half)).fit(X, Y)
    other = trainer(**settings, epochs=4, warm_start=True)
    other.set_state(half.get_state())
    other.fit(X, Y)
    for model in (resumed, other):
        assert same_weights(model.get_weights(), whole.get_weights())


def test_parts_are_averaged_too() -> None:
    parts = trainer()
    for _ in range(8):
        parts.partial_fit(X, Y)
    stream = trainer(schedule=None).fit_stream(lambda: [(X, Y)])
    wanted = trainer().fit(X, Y)
    for model in (parts, stream):
        assert same_weights(model.get_weights(), wanted.get_weights())


def test_early_stopping_restores_an_average() -> None:
    seen: list[list[Array]] = []
    model = trainer(
        epochs=300, early_stopping=EarlyStopping(patience=5), learning_rate=0.03,
        callbacks=lambda model, *_: seen.append(model.get_weights()),
    ).fit(X, Y, validation_data=VALID)  # fmt: skip
    assert model.stop_reason_ == "early_stopping"
    assert same_weights(model.get_weights(), seen[model.best_epoch_])
    assert model.evaluate(*VALID)["loss"] == min(model.history["val_loss"])


def test_weights_that_are_set_replace_the_average() -> None:
    given = [array * 0 + 0.1 for array in trainer().fit(X, Y).get_weights()]

    def give(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        if epoch == 3:
            model.set_weights(given)

    def after_each_epoch(share: float) -> list[list[Array]]:
        seen: list[list[Array]] = []
        look = [give, lambda model, *_: seen.append(model.get_weights())]
        trainer(weight_averaging=share, callbacks=look, epochs=5).fit(X, Y)
        return seen

    averaged, plain = after_each_epoch(0.6), after_each_epoch(0.0)
    for set_, wanted in zip(averaged[3], given, strict=True):
        assert np.allclose(set_, wanted, rtol=0, atol=1e-7)
    # Training goes on from them, and the average too.
    for average, old, new in zip(averaged[4], given, plain[4], strict=True):
        assert np.allclose(average, 0.6 * old + 0.4 * new, rtol=0, atol=1e-6)


def test_without_it_training_goes_on_from_what_predicts() -> None:
    model = trainer(warm_start=True).fit(X, Y)
    same_start = trainer(warm_start=True, weight_averaging=0)
    same_start.set_state(model.get_state())
    average = model.get_weights()
    assert same_weights(same_start.get_weights(), average)
    first: list[list[Array]] = []
    model.weight_averaging, model.epochs, model.learning_rate = 0, 1, 1e-12
    model.callbacks = lambda model, *_: first.append(model.get_weights())
    model.fit(X, Y)
    for a, b in zip(first[0], average, strict=True):
        assert np.allclose(a, b, rtol=0, atol=1e-6)


@pytest.mark.threading
def test_a_time_budget_and_threads() -> None:
    budget = trainer(epochs=10**6, time_budget=0.2).fit(X, Y)
    assert budget.stop_reason_ == "time_budget"
    assert np.isfinite(budget.predict(X)).all()
    one, two = (trainer(threads=k).fit(X, Y, validation_data=VALID) for k in (1, 2))
    assert same_weights(one.get_weights(), two.get_weights())
    assert numbers(one.history) == numbers(two.history)


def test_damaged_states() -> None:
    model = trainer().fit(X, Y)
    for name, value in (("averaged", "many"), ("latest", {"weights": []})):
        state = model.get_state()
        state["model"][name] = value
        with pytest.raises(ValueError, match="the saved state of this trainer is damaged"):
            trainer().set_state(state)
    other = Trainer(7, epochs=2, seed=0, weight_averaging=0.5).fit(X, Y)
    state = model.get_state()
    state["model"]["latest"] = other.get_state()["model"]["latest"]
    with pytest.raises(ValueError, match="damaged"):
        trainer().set_state(state)
