"""Weights from outside: arrays that fit together, and the labels that go with them."""

from typing import Any

import numpy as np
import pytest

from fastmlp import Trainer
from fastmlp.losses import Quantile
from tests.helpers.basics import NAN, Array, needs_compiler
from tests.helpers.models import (
    OPTIMIZERS,
    X,
    Y,
    fitted,
    random_weights,
    same_weights,
    state,
    trainer,
)

pytestmark = needs_compiler


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov", "adam"])
def test_set_weights_forgets_the_state_of_the_optimizer(optimizer: str) -> None:
    options = {**OPTIMIZERS[optimizer], "shuffle": False, "warm_start": True}
    kept, reset, new = fitted(**options), fitted(**options), trainer(**options)
    for model in (reset, new):
        model.set_weights(kept.get_weights())
    for model in (kept, reset, new):
        model.fit(X, Y)
    assert same_weights(reset.get_weights(), new.get_weights())
    assert not same_weights(reset.get_weights(), kept.get_weights())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [(1, 2), (9, 1000), (2, 1, 2), (31, 33, 9), (127, 64, 130, 2, 3)])
def test_weights_round_trip(sizes: tuple[int, ...], dtype: str) -> None:
    weights = [w.astype(dtype) for w in random_weights(*sizes)]
    model = Trainer(dtype=dtype)
    model.set_weights(weights)
    assert same_weights(model.get_weights(), weights)
    assert model.n_features_in_ == sizes[0]
    assert model.classes_.tolist() == list(range(sizes[-1]))
    assert model.predict(np.zeros((5, sizes[0]))).shape == (5,)
    assert all(w.flags.c_contiguous and w.flags.writeable for w in model.get_weights())


def test_weights_are_copies() -> None:
    weights = random_weights(4, 8, 3)
    model = trainer()
    model.set_weights(weights)
    before = model.predict_proba(X)
    for w in (*weights, *model.get_weights()):
        w[...] = NAN
    assert np.array_equal(model.predict_proba(X), before)


def test_fit_from_given_weights() -> None:
    weights = random_weights(4, 5, 2, 3)
    model = trainer(warm_start=True, optimizer="sgd", learning_rate=1e-6)
    model.set_weights(weights)
    model.fit(X, Y)
    assert [w.shape for w in model.get_weights()] == [w.shape for w in weights]
    for w, given in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(w, given, atol=1e-4)


@pytest.mark.parametrize(
    ("sizes", "share", "shares"),
    [((4, 5, 2, 3), (0.1, 0.2), (0.1, 0.2, 0.3)), ((4, 3), (0.1, 0.2), (0.1,))],
)
def test_shares_of_dropout_are_of_the_layers_of_given_weights(
    sizes: tuple[int, ...], share: Any, shares: Any
) -> None:
    """Those that go with `hidden` do not fit; in its place it may name the network's layers."""
    model = trainer(warm_start=True, dropout=share)
    model.set_weights(random_weights(*sizes))
    with pytest.raises(ValueError, match=r"dropout=\(0.1, 0.2\), but the network has"):
        model.fit(X, Y)
    model.hidden, model.dropout = sizes[1:-1], shares
    assert model.fit(X, Y).layer_sizes_ == sizes


def test_given_weights_take_the_labels_of_the_fit() -> None:
    model = trainer(warm_start=True)
    model.set_weights(random_weights(4, 8, 3))
    model.fit(X, np.array(["b", "a", "c"])[Y])
    assert model.classes_.tolist() == ["a", "b", "c"]


@pytest.mark.parametrize("labels", [Y % 2, 0 * Y, 2 - 2 * (Y % 2)])
def test_given_weights_and_not_every_class(labels: Array) -> None:
    model = trainer(warm_start=True)
    model.set_weights(random_weights(4, 8, 3))
    model.fit(X, labels)
    assert model.classes_.tolist() == [0, 1, 2]


def test_predictions_follow_the_weights() -> None:
    """After every epoch and every change, what a new trainer with these weights predicts."""

    def check(model: Trainer, *_: Any) -> None:
        new = trainer()
        new.set_weights(model.get_weights())
        for rows in (X, X[:1]):
            assert np.array_equal(model.predict_proba(rows), new.predict_proba(rows))
        assert model.evaluate(X, Y) == new.evaluate(X, Y)

    model = trainer(callbacks=check, warm_start=True).fit(X, Y).fit(X, Y)
    model.set_weights([2 * w for w in model.get_weights()])
    check(model)


def test_given_weights_without_warm_start_are_replaced() -> None:
    model = trainer()
    model.set_weights(random_weights(4, 8, 3))
    assert same_weights(model.fit(X, Y).get_weights(), fitted().get_weights())


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (random_weights(4, 7, 3), r"W1 must have shape \(4, 8\); got \(4, 7\)"),
        (random_weights(4, 8, 2), r"W2 must have shape \(8, 3\); got \(8, 2\)"),
        (random_weights(4, 3), "weights must be W, b per layer"),
        ([NAN * w for w in random_weights(4, 8, 3)], r"W1\[0, 0\] is nan"),
        ([1e39 + w for w in random_weights(4, 8, 3)], r"W1\[0, 0\] is 1e\+39.* float32"),
        ([], "weights must be W, b per layer"),
    ],
)
def test_bad_weights(weights: list[Array], message: str) -> None:
    model = fitted()
    before = state(model)
    with pytest.raises(ValueError, match=message):
        model.set_weights(weights)
    assert state(model) == before


# ------------------------------------------------------------------------------- outputs and labels


@pytest.mark.parametrize("sizes", [(4, 8, 1), (4, 1), (1, 1, 1)])
def test_one_output_needs_a_loss(sizes: tuple[int, ...]) -> None:
    """It may be a number or a class; a softmax over one output is 1 for every row."""
    model = trainer()
    with pytest.raises(ValueError, match="loss must be named for weights with one output"):
        model.set_weights(random_weights(*sizes))
    model.loss = "softmax_cross_entropy"
    with pytest.raises(ValueError, match="needs an output for each class; got weights with 1"):
        model.set_weights(random_weights(*sizes))
    assert not hasattr(model, "layer_sizes_")
    with pytest.raises(ValueError, match="Y holds one class only, 0: at least 2 are needed"):
        model.fit(X, 0 * Y)
    for loss, kind in (("squared_error", "f"), ("binary_cross_entropy", "i")):
        model = trainer(loss=loss)
        model.set_weights(random_weights(*sizes))
        predicted = model.predict(X[:, : sizes[0]])
        assert predicted.shape == (60,)
        assert predicted.dtype.kind == kind


CLASSES: dict[str, Any] = {
    "integers": [-5, 0, 10**12],
    "unsigned": np.array([3, 7, 200], np.uint8),
    "strings": ["apple", "pear", "zebra"],
    "objects": np.array(["a", "bb", "ccc"], object),
    "whole floats": [-1.0, 0.0, 2.0],
    "big-endian": np.array([1, 2, 3], ">i4"),
    "tuple": ("x", "y", "z"),
}


@pytest.mark.parametrize("kind", CLASSES)
def test_classes_come_back_with_the_weights(kind: str) -> None:
    """What a network says, it says in another trainer that has its weights and classes."""
    classes = CLASSES[kind]
    labels = np.asarray(classes)[Y]
    model = trainer().fit(X, labels)
    other = trainer(warm_start=True)
    other.set_weights(model.get_weights(), classes=classes)
    for wanted in (model, other):
        assert wanted.classes_.tolist() == list(classes)
    assert other.predict(X).tolist() == model.predict(X).tolist()
    assert other.predict(X).dtype == model.predict(X).dtype.newbyteorder("=")
    assert other.evaluate(X, labels) == model.evaluate(X, labels)
    other.fit(X, labels)
    assert other.classes_.tolist() == list(classes)
    with pytest.raises(ValueError, match="unseen labels"):
        other.fit(X, ["unheard of"] * 60)


def test_boolean_classes() -> None:
    model = trainer()
    model.set_weights(random_weights(4, 8, 2), classes=[False, True])
    assert model.predict(X).dtype == bool
    assert model.classes_.tolist() == [False, True]


@pytest.mark.parametrize(
    ("classes", "error", "message"),
    [
        (["a", "b"], ValueError, r"classes must have shape \(3,\); got \(2,\)"),
        (["a", "b", "c", "d"], ValueError, r"classes must have shape \(3,\); got \(4,\)"),
        ([[0, 1, 2]], ValueError, r"classes must have shape \(3,\); got \(1, 3\)"),
        ([], ValueError, r"classes must have shape \(3,\); got \(0,\)"),
        ("abc", TypeError, "classes must be .* got str"),
        (3, ValueError, r"classes must have shape \(3,\); got \(\)"),
        ([2, 1, 0], ValueError, "classes must be sorted, without repetition.*; got 2, 1, 0"),
        (["a", "a", "b"], ValueError, "classes must be sorted, without repetition"),
        ([0.0, NAN, 1.0], ValueError, r"classes\[1\] is nan"),
        ([0.0, 1.0, np.inf], ValueError, r"classes\[2\] is inf"),
        (
            [0.25, 1.0, 2.0],
            ValueError,
            r"classes must hold class labels, which are whole numbers; got 0\.25",
        ),
        (["a", None, "c"], ValueError, r"classes\[1\] is missing"),
        (["a", 1, "c"], TypeError, "classes must be all numbers or all strings"),
        ([1j, 2, 3], TypeError, "classes must hold real numbers or strings"),
        (iter("abc"), TypeError, "classes must be"),
    ],
)
@pytest.mark.parametrize("known", [False, True])
def test_bad_classes(classes: Any, error: type[Exception], message: str, known: bool) -> None:
    """Neither the classes nor the weights are taken."""
    model = fitted() if known else trainer()
    before = state(model) if known else None
    with pytest.raises(error, match=f"^{message}"):
        model.set_weights(random_weights(4, 8, 3), classes=classes)
    if known:
        assert state(model) == before
    else:
        assert not hasattr(model, "classes_")


def test_without_classes_the_labels_stay() -> None:
    labels = np.array(["x", "y", "z"])[Y]
    model = trainer().fit(X, labels)
    model.set_weights(random_weights(4, 8, 3))
    assert model.classes_.tolist() == ["x", "y", "z"]
    model.set_weights(random_weights(4, 8, 3), classes=[1, 2, 3])
    assert model.classes_.tolist() == [1, 2, 3]
    assert set(model.predict(X).tolist()) <= {1, 2, 3}


def test_given_classes_are_copied() -> None:
    classes = np.array([1, 2, 3])
    model = trainer()
    model.set_weights(random_weights(4, 8, 3), classes=classes)
    classes[:] = 0
    assert model.classes_.tolist() == [1, 2, 3]


def test_settings_stay_when_weights_are_set() -> None:
    model = Trainer([5], dtype="float64", seed=1)
    settings = dict(vars(model))
    model.set_weights(random_weights(4, 8, 9, 3))
    assert model.layer_sizes_ == (4, 8, 9, 3)
    assert model.hidden is settings["hidden"]
    assert {w.dtype for w in model.get_weights()} == {np.dtype("float64")}
    # Without warm_start a fit makes the network that the settings say.
    assert model.fit(X, Y).layer_sizes_ == (4, 5, 3)


def test_weights_in_another_dtype_than_the_setting() -> None:
    """One that was assigned after the fit counts from the next fit on."""
    model = fitted()
    model.dtype = "float64"
    model.set_weights([w.astype(np.float64) for w in model.get_weights()])
    assert {w.dtype for w in model.get_weights()} == {np.dtype("float32")}
    assert model.predict_proba(X).dtype == np.float32


# ---------------------------------------------------------------------------- units of the targets

FIRST, SECOND = X[:, :2].astype(np.float64).T
UNITS: dict[str, tuple[Any, Array]] = {
    "seconds since 1970": ("squared_error", 1_700_000_123 + FIRST),
    "two columns": ("huber", np.stack([1e-9 * FIRST, 1e9 + SECOND], axis=1)),
    "a band": (Quantile((0.1, 0.9)), -1_700_000_123 + FIRST),
    "many": ("poisson", 1e9 * np.exp(FIRST)),
    "rare": ("poisson", 1e-9 * np.exp(FIRST)),
}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_in_the_unit_of_the_targets(unit: str, dtype: str) -> None:
    """They keep their meaning, in the same trainer, in a callback, and in another trainer."""
    loss, targets = UNITS[unit]
    options = {"loss": loss, "dtype": dtype, "scaling": "standard", "epochs": 40}

    def give_back(model: Trainer, epoch: int, logs: Any) -> None:
        model.set_weights(model.get_weights())

    plain, model = (
        trainer(**options, callbacks=each).fit(X, targets) for each in ((), give_back)
    )  # fmt: skip
    wanted, spread = plain.predict(X), targets.std(axis=0)
    assert {w.dtype for w in plain.get_weights()[:2]} == {np.dtype(dtype)}
    assert plain.get_weights()[-1].dtype == np.float64
    assert plain.score(X, targets) > 0.8 or loss == UNITS["a band"][0]
    assert np.abs((model.predict(X) - wanted) / spread).max() < 1e-4
    plain.set_weights(plain.get_weights())
    assert np.abs((plain.predict(X) - wanted) / spread).max() < 1e-6
    other = trainer(**options, warm_start=True)
    for _ in range(2):
        other.set_weights(plain.get_weights(), scaling=plain.scaling_)
        assert np.abs((other.predict(X) - wanted) / spread).max() < 1e-5
    assert other.score(X, targets) == pytest.approx(plain.score(X, targets), abs=1e-5)


def test_given_weights_are_trained_at_their_offset() -> None:
    """The last bias is the centre of the targets, which float32 would round."""
    targets = 1_700_000_123 + FIRST
    model = trainer(scaling="standard", epochs=40).fit(X, targets)
    other = trainer(loss="squared_error", warm_start=True, epochs=40)
    other.set_weights(model.get_weights(), scaling=model.scaling_)
    other.scaling = "standard"
    assert other.fit(X, targets).score(X, targets) >= model.score(X, targets) > 0.9


def test_weights_for_numbers_are_not_those_of_counts() -> None:
    model = trainer(loss="squared_error", warm_start=True)
    model.set_weights(random_weights(4, 8, 1))
    model.loss = "poisson"
    with pytest.raises(ValueError, match=r"loss='poisson', but its weights were set with Squared"):
        model.fit(X, Y)
