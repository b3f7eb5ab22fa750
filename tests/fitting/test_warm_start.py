"""Warm starts: fits that go on, the seed, the order of rows."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from tests.helpers.basics import needs_compiler
from tests.helpers.models import OPTIMIZERS, X, Y, fitted, numbers, same_weights, trainer

pytestmark = needs_compiler


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden", [(), 8, (9, 5)])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_warm_start_continues(optimizer: str, hidden: Any, dtype: str) -> None:
    """Two fits are one of twice the epochs, the optimiser's state and its count of steps too."""
    options = {
        **OPTIMIZERS[optimizer], "dtype": dtype, "shuffle": False, "warm_start": True,
        "batch_size": 25,
    }  # fmt: skip
    twice = fitted(hidden, epochs=3, **options)
    twice.fit(X, Y)
    once = fitted(hidden, epochs=6, **options)
    assert same_weights(twice.get_weights(), once.get_weights())
    assert numbers(twice.history) == numbers(once.history)
    assert twice.n_iter_ == 6


def test_without_warm_start_a_fit_starts_afresh() -> None:
    model = fitted()
    weights, history = model.get_weights(), numbers(model.history)
    model.fit(X, Y)
    assert same_weights(model.get_weights(), weights)
    assert numbers(model.history) == history
    model.fit(X[:, :2], np.array(["a", "b"])[Y % 2])
    assert model.n_features_in_ == 2
    assert model.classes_.tolist() == ["a", "b"]


def test_seed() -> None:
    assert same_weights(fitted(seed=1).get_weights(), fitted(seed=1).get_weights())
    assert not same_weights(fitted(seed=1).get_weights(), fitted(seed=2).get_weights())
    assert not same_weights(fitted(seed=None).get_weights(), fitted(seed=None).get_weights())


def test_the_global_random_state_is_not_touched() -> None:
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    fitted(seed=None)
    assert np.array_equal(np.random.get_state()[1], before)


def test_shuffle() -> None:
    assert not same_weights(fitted(shuffle=True).get_weights(), fitted(shuffle=False).get_weights())
    # One batch of all rows: the order is of no account, up to rounding.
    options = {"batch_size": 1000, "dtype": "float64"}
    shuffled, ordered = (fitted(shuffle=flag, **options) for flag in (True, False))
    for w, v in zip(shuffled.get_weights(), ordered.get_weights(), strict=True):
        np.testing.assert_allclose(w, v, rtol=1e-9, atol=1e-12)


def test_a_warm_start_needs_not_every_class() -> None:
    model = fitted(warm_start=True)
    model.fit(X[:2], [2, 2])
    assert model.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("validation", [0.0, 0.2])
@pytest.mark.parametrize("hidden", [(), 8, (9, 5)])
@pytest.mark.parametrize("options", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_fits_of_one_epoch_are_one_fit(options: Any, hidden: Any, validation: float) -> None:
    """In the same orders of rows, also with a pickle in between."""
    options = {**options, "validation_fraction": validation, "seed": 7}
    whole = fitted(hidden, **options, epochs=5)
    plain, pickled = (trainer(hidden, **options, epochs=1, warm_start=True) for _ in range(2))
    for _ in range(5):
        plain.fit(X, Y)
        pickled = pickle.loads(pickle.dumps(pickled.fit(X, Y)))
    assert same_weights(plain.get_weights(), whole.get_weights())
    assert same_weights(pickled.get_weights(), whole.get_weights())
    assert numbers(plain.history) == numbers(pickled.history) == numbers(whole.history)


def test_each_epoch_has_an_order_of_its_own() -> None:
    model = trainer(epochs=1, warm_start=True, optimizer="sgd", learning_rate=1e-3)
    model.fit(X, Y)
    weights, changes = model.get_weights(), []
    for _ in range(4):
        copied = pickle.loads(pickle.dumps(model))  # before the orders that set_weights forgets
        copied.fit(X, Y)
        changes.append(copied.get_weights()[0].tobytes())
        model.fit(X, Y)
        model._model = copy.copy(model)._model
    assert len(set(changes)) == 4
    assert not same_weights(weights, model.get_weights())


def test_another_seed_starts_other_orders() -> None:
    """An assigned seed counts from the next fit on; one that stays goes on."""
    first, second = (fitted(warm_start=True) for _ in range(2))
    second.seed = 1
    assert not same_weights(first.fit(X, Y).get_weights(), second.fit(X, Y).get_weights())
    first, second = (fitted(warm_start=True) for _ in range(2))
    first.seed = second.seed = 1
    assert same_weights(first.fit(X, Y).get_weights(), second.fit(X, Y).get_weights())


def test_a_network_that_is_continued_keeps_its_shape_and_type() -> None:
    for name, value in (("hidden", 9), ("hidden", (8, 8)), ("dtype", "float64")):
        model = fitted(warm_start=True)
        setattr(model, name, value)
        with pytest.raises(
            ValueError, match=f"^warm_start continues a network as it is; got {name}"
        ):
            model.fit(X, Y)
        assert same_weights(model.get_weights(), fitted().get_weights())
        model.warm_start = False
        model.fit(X, Y)
    # Other ways to say the same.
    model = trainer((8, 8), warm_start=True, dropout=(0, 0, 0))
    model.set_weights(fitted().get_weights())
    model.fit(X, Y)
    model = fitted(warm_start=True)
    model.hidden, model.dtype = [8], np.float32
    assert same_weights(model.fit(X, Y).get_weights(), fitted(epochs=6).get_weights())
