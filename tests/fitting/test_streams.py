"""Training in parts: partial_fit, streams, and states that go on elsewhere."""

import copy
import pickle
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastmlp import EarlyStopping, Trainer
from fastmlp.schedules import ReduceOnPlateau
from tests.helpers.basics import needs_compiler
from tests.helpers.models import OPTIMIZERS, X, Y, numbers, random_weights, same_weights, trainer

pytestmark = needs_compiler

PARTS = [slice(0, 25), slice(25, 40), slice(40, 60)]


def chunks() -> Iterator[Any]:
    for part in PARTS:
        yield X[part], Y[part]


@pytest.mark.parametrize("options", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_partial_fit_goes_on(options: Any) -> None:
    """As fits of an epoch each that continue."""
    model = trainer(**options)
    for part in PARTS:
        assert model.partial_fit(X[part], Y[part], classes=[0, 1, 2]) is model
    other = trainer(**options, epochs=1)
    other.partial_fit(X[PARTS[0]], Y[PARTS[0]], [0, 1, 2])
    other.warm_start = True
    for part in PARTS[1:]:
        other.fit(X[part], Y[part])
    assert same_weights(model.get_weights(), other.get_weights())
    assert model.n_iter_ == len(model.history["loss"]) == 3


def test_classes_at_the_first_call() -> None:
    model = trainer().partial_fit(X[Y < 2], Y[Y < 2], classes=[0, 1, 2])
    assert model.classes_.tolist() == [0, 1, 2]
    model.partial_fit(X, Y)
    with pytest.raises(ValueError, match="unseen labels 3"):
        model.partial_fit(X, Y + 1)
    y = 5 + X[:, 0].astype(float)
    model = trainer().partial_fit(X[:30], y[:30]).partial_fit(X[30:], y[30:])
    assert model.predict(X).shape == (60,)
    with pytest.raises(ValueError, match="classes have no effect with loss='squared_error'"):
        trainer(loss="squared_error").partial_fit(X, y, classes=[0, 1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"schedule": "cosine"}, "schedule must not go by the number of updates in partial_fit"),
        ({"validation_fraction": 0.2}, "validation_fraction has no effect in partial_fit"),
        ({"early_stopping": True}, "early_stopping has no effect in partial_fit"),
        ({"time_budget": 1.0}, "time_budget has no effect in partial_fit"),
    ],
)
def test_settings_without_effect(settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trainer(**settings).partial_fit(X, Y)


def test_a_stream() -> None:
    model = trainer(epochs=2).fit_stream(chunks)
    other = trainer(epochs=2)
    for _ in range(2):
        for part in PARTS:
            other.partial_fit(X[part], Y[part])
    assert same_weights(model.get_weights(), other.get_weights())
    assert model.n_iter_ == 2
    # The loss of an epoch is the mean over all its samples.
    sizes = [part.stop - part.start for part in PARTS]
    wanted = np.average(np.reshape(other.history["loss"], (2, 3)), axis=1, weights=sizes)
    np.testing.assert_allclose(model.history["loss"], wanted, rtol=1e-12)


def test_a_callable_that_returns_the_same_iterator_again() -> None:
    once = chunks()
    model = trainer(epochs=2)
    with pytest.raises(ValueError, match="none: a callable must return a new iterable each time"):
        model.fit_stream(lambda: once)
    assert model.n_iter_ == 1


def test_a_stream_of_one_epoch_with_weights() -> None:
    weights = np.arange(60) % 3
    parts = [(X[part], Y[part], weights[part]) for part in PARTS]
    model = trainer(epochs=1).fit_stream(iter(parts))
    other = trainer(epochs=1)
    other.fit_stream([(X[p][weights[p] > 0], Y[p][weights[p] > 0], weights[p][weights[p] > 0])
                      for p in PARTS])  # fmt: skip
    assert same_weights(model.get_weights(), other.get_weights())


def test_a_stream_with_validation_and_early_stopping() -> None:
    model = trainer(epochs=50, learning_rate=0.1, early_stopping=EarlyStopping(patience=1))
    model.fit_stream(chunks, validation_data=(X[::2], (Y[::2] + 1) % 3))
    assert model.stop_reason_ == "early_stopping"
    assert model.n_iter_ == model.best_epoch_ + 2


def test_at_most_two_chunks_are_held() -> None:
    alive: list[Any] = []

    class Rows(np.ndarray):
        def __del__(self) -> None:
            alive.remove(id(self))

    def watched() -> Iterator[Any]:
        for part in PARTS * 2:
            rows = np.array(X[part]).view(Rows)
            alive.append(id(rows))
            assert len(set(alive)) <= 2
            yield rows, Y[part]
            del rows

    trainer(epochs=2).fit_stream(watched)


@pytest.mark.parametrize(
    ("stream", "epochs", "error", "message"),
    [
        (5, 1, TypeError, "chunks must be an iterable, or a callable that makes one; got int"),
        ([], 1, ValueError, r"chunks must hold at least one \(X, Y\); got none$"),
        (
            iter(()),
            1,
            ValueError,
            "got none: this tuple_iterator is at its end; give a new one, or a",
        ),
        (lambda: iter([]), 2, ValueError, "got none: this list_iterator is at its end; give a new"),
        ([(X, Y)], 2, ValueError, "chunks must be a callable .* as epochs=2 need several"),
        ([X], 1, TypeError, "chunk 0 must be .*; got ndarray"),
        ([(X, Y), (X[:, :2], Y)], 1, ValueError, "X .*4.*2|X .*2.*4"),
    ],
)
def test_bad_streams(stream: Any, epochs: int, error: type[Exception], message: str) -> None:
    model = trainer(epochs=epochs)
    with pytest.raises(error, match=message):
        model.fit_stream(stream)
    assert not hasattr(model, "classes_")


def test_a_generator_that_was_read_before() -> None:
    """Its second fit, and one that goes on after the rows were looked at."""
    stream = chunks()
    model = trainer(epochs=1).fit_stream(stream)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"got none: this generator is at its end; give a new one"):
        model.fit_stream(stream)
    assert same_weights(model.get_weights(), before)
    assert model.n_iter_ == 1


@pytest.mark.parametrize("loss", ["auto", "binary_cross_entropy"])
def test_later_calls_have_the_classes_of_the_first(loss: str) -> None:
    rows, labels = X[Y < 2], Y[Y < 2]
    model = trainer(loss=loss, warm_start=True, epochs=1).partial_fit(rows, labels, classes=[0, 1])
    model.partial_fit(rows, labels, [0, 1]).partial_fit(rows, labels, np.array([0.0, 1.0]))
    before = model.get_weights()
    for classes, message in (
        ([0, 1, 2], "unknown: 2$"),
        ([1, 5, 6], "unknown: 5, 6; missing: 0$"),
        (["0", "1"], "unknown: '0', '1'; missing: 0, 1$"),
        ([1], "missing: 0$"),
    ):
        message = f"classes must be those of the network; {message}"
        with pytest.raises(ValueError, match=message):
            model.partial_fit(rows, labels, classes=classes)
        with pytest.raises(ValueError, match=message):
            model.fit_stream([(rows, labels)], classes=classes)
    with pytest.raises(ValueError, match="classes must be sorted"):
        model.partial_fit(rows, labels, classes=[1, 0])
    assert same_weights(model.get_weights(), before)
    # One that starts afresh has its own.
    model.warm_start = False
    if loss == "auto":
        assert model.fit_stream([(X, Y)], classes=[0, 1, 2]).classes_.tolist() == [0, 1, 2]


def test_classes_without_effect_are_an_error() -> None:
    y = X[:, 0].astype(float)
    model = trainer(loss="squared_error").partial_fit(X, y)
    with pytest.raises(ValueError, match="classes have no effect with loss='squared_error'"):
        model.partial_fit(X, y, classes=[0, 1])
    labels = np.stack([Y > 0, Y > 1], axis=1)
    for model in (trainer(loss="binary_cross_entropy"), trainer().fit(X, labels)):
        with pytest.raises(ValueError, match=r"classes have no effect with .*; got 0, 1"):
            model.partial_fit(X, labels, classes=[0, 1])
    with pytest.raises(ValueError, match=r"classes must name at least 2; got \[0\]"):
        trainer().partial_fit(X, Y, classes=[0])


def test_columns_are_classes_0_1_and_so_on() -> None:
    one_hot = np.eye(3)[Y]
    assert trainer().partial_fit(X, one_hot, classes=[0, 1, 2]).classes_.tolist() == [0, 1, 2]
    message = "Y has 3 columns, which are classes 0 to 2; got classes 'a', 'b', 'c'"
    with pytest.raises(ValueError, match=message):
        trainer().partial_fit(X, one_hot, classes=["a", "b", "c"])


def test_classes_of_weights_that_were_given() -> None:
    words = np.array(["a", "b", "c"])[Y]
    model = trainer()
    model.set_weights(random_weights(4, 8, 3))
    with pytest.raises(ValueError, match=r"classes must have shape \(3,\); got \(2,\)"):
        model.partial_fit(X[Y < 2], words[Y < 2], classes=["a", "b"])
    model.partial_fit(X[Y < 2], words[Y < 2], classes=["a", "b", "c"])
    assert model.classes_.tolist() == ["a", "b", "c"]
    model = trainer()
    model.set_weights(random_weights(4, 8, 3), classes=["a", "b", "c"])
    with pytest.raises(ValueError, match="those of the network; unknown: 'd'; missing: 'c'"):
        model.partial_fit(X[Y < 2], words[Y < 2], classes=["a", "b", "d"])
    assert model.partial_fit(X[Y < 2], words[Y < 2], classes=["a", "b", "c"]).n_iter_ == 1


def test_memory_mapped_rows(tmp_path: Any) -> None:
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert same_weights(trainer().fit(mapped, Y).get_weights(), trainer().fit(X, Y).get_weights())


# --------------------------------------------------------------------------------------- states

SCHEDULES: dict[str, Any] = {
    "none": None, "cosine": "cosine", "one cycle": "one_cycle", "exponential": "exponential",
    "function": lambda update: 0.01 / (1 + update),
    "plateau": ReduceOnPlateau(patience=1, min_delta=0.5),
}  # fmt: skip


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_a_training_that_is_resumed(rule: str, schedule: str) -> None:
    """It equals the one that was never interrupted, bit for bit, with dropout."""
    options = {**OPTIMIZERS[rule], "schedule": SCHEDULES[schedule], "dropout": [0.1, 0.3]}
    if schedule == "function":
        options["learning_rate"] = None
    full = trainer(**options, epochs=7).fit(X, Y)

    def stop(model: Any, epoch: int, logs: Any) -> None:
        model.stop_training = epoch == 3

    half = trainer(**options, epochs=7, callbacks=stop).fit(X, Y)
    state = pickle.loads(pickle.dumps(half.get_state()))
    model = trainer(**options, epochs=3, warm_start=True)
    model.set_state(state)
    assert numbers(model.history) == numbers(half.history)
    model.fit(X, Y)
    assert same_weights(model.get_weights(), full.get_weights())
    assert model.history["learning_rate"] == full.history["learning_rate"][4:]
    assert model.history["loss"] == full.history["loss"][4:]  # after a stop a new one


def test_a_state_has_no_settings() -> None:
    model = trainer(hidden=8).fit(X, Y)
    state = model.get_state()
    other = Trainer(9, epochs=2)
    other.set_state(copy.deepcopy(state))
    assert (other.hidden, other.epochs, other.n_iter_) == (9, 2, 3)
    assert np.array_equal(other.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("state", [None, {}, {"attributes": {"hidden": 3}}, [1]])
def test_something_else_than_a_state(state: Any) -> None:
    model = trainer().fit(X, Y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=r"state must be what get_state gave|another version"):
        model.set_state(state)
    with pytest.raises(ValueError, match="damaged"):
        model.set_state({**model.get_state(), "model": 5})
    assert np.array_equal(model.predict_proba(X), before)


def test_memory_does_not_grow_with_the_number_of_chunks() -> None:
    rows = np.random.default_rng(0).standard_normal((200, 20), np.float32)
    labels = np.arange(200) % 3
    model = Trainer((300, 300), optimizer="adam", epochs=1, seed=0).fit(rows, labels)

    def most(count: int) -> int:
        tracemalloc.start()
        try:
            model.fit_stream((rows, labels) for _ in range(count))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = most(5), most(30)
    assert many < 1.2 * few


# ------------------------------------------------------------- what the first chunk must teach

ROWS = np.random.default_rng(0).normal(5, 3, (60, 4))
FLAT = ROWS * [1, 0, 1, 0] + 7
KINDS = ("auto", "standard", "robust", "piecewise", "quantile")


def online(model: Trainer, X: Any, targets: Any, **options: Any) -> Trainer:
    return model.partial_fit(X, targets, **options)


def stream(model: Trainer, X: Any, targets: Any, **options: Any) -> Trainer:
    return model.fit_stream([(X, targets)], **options)


@pytest.mark.parametrize("call", [online, stream])
@pytest.mark.parametrize("scaling", KINDS)
def test_a_column_that_is_constant_in_the_first_chunk(call: Any, scaling: str) -> None:
    """It would be scaled by 0 for ever."""
    model = trainer(scaling=scaling, epochs=1)
    text = (
        r"^X must vary in every column of the first chunk, from which scaling and medians are "
        "learned for all chunks; got at most one value in columns {}: give a larger first chunk, "
        "leave these columns out, or set scaling=None or a factor for each column$"
    )
    with pytest.raises(ValueError, match=text.format("1, 3")):
        call(model, FLAT, Y)
    with pytest.raises(ValueError, match=text.format("'b', 'd'")):
        call(model, pd.DataFrame(FLAT, columns=list("abcd")), Y)
    with pytest.raises(ValueError, match=text.format("0, 1, 2, 3")):
        call(model, ROWS[:1], Y[:1], classes=[0, 1, 2])
    # A weight of 0 is no row.
    weights = np.zeros(60)
    weights[7] = 1
    with pytest.raises(ValueError, match=text.format("0, 1, 2, 3")):
        model.partial_fit(ROWS, Y, [0, 1, 2], weights)
    assert not hasattr(model, "classes_")
    call(model, ROWS, Y)
    model.warm_start = True
    call(model, FLAT, Y)  # the scaling is known
    call(model, FLAT[:1], Y[:1])


@pytest.mark.parametrize("call", [online, stream])
def test_a_constant_beside_features_of_unit_size(call: Any) -> None:
    """They would be left as they come, and it with them, whatever its size in later chunks."""
    model = trainer(scaling="auto", epochs=1)
    rows = (ROWS - 5) / 3
    first, later = (np.hstack([rows, column]) for column in (0 * rows[:, :1], 1000 * ROWS[:, :1]))
    with pytest.raises(ValueError, match=r"^X must vary in every column .* in columns 4: give"):
        call(model, first, Y)
    assert call(model, later, Y).scaling_.kind != "none"
    assert trainer(scaling="auto", epochs=1).fit(first, Y).scaling_.kind == "none"


@pytest.mark.parametrize("scaling", [None, 0.1, (1.0, 0.5, 1.0, 0.5), "max_abs"])
def test_where_constants_teach_enough(scaling: Any) -> None:
    for rows in (FLAT, FLAT[:1]):
        model = trainer(scaling=scaling, epochs=1)
        model.partial_fit(rows, Y[: len(rows)], classes=[0, 1, 2])
        assert model.predict(ROWS).shape == (60,)


def test_pixels_may_be_constant_in_the_first_chunk() -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 60)) * (np.arange(60) > 4)
    for rows in (images, images.astype(np.uint8)):
        model = trainer(scaling="auto").partial_fit(rows * (np.arange(60) % 2), Y)
        assert model.scaling_.kind == "factor"


def test_columns_of_one_category_or_of_gaps_alone() -> None:
    first = pd.DataFrame(
        {"n": ROWS[:, 0], "same": pd.Categorical(["x"] * 60, ["x", "y"]), "gaps": np.nan,
         "c": pd.Categorical(np.where(Y > 0, "x", "y"))}
    )  # fmt: skip
    model = trainer(scaling="standard", missing="impute")
    with pytest.raises(ValueError, match=r"at most one value in columns 'gaps', 'same': give"):
        model.partial_fit(first, Y)
    model.scaling = None
    with pytest.raises(ValueError, match=r"at most one value in columns 'gaps': give"):
        model.partial_fit(first, Y)
    model.partial_fit(first.assign(gaps=np.where(Y > 0, ROWS[:, 1], np.nan)), Y)


@pytest.mark.parametrize("call", [online, stream])
def test_targets_that_are_constant_in_the_first_chunk(call: Any) -> None:
    """Their unit would be 1 for ever."""
    text = (
        "^Y must vary in the first chunk, from which the unit of the targets is learned for all "
        "chunks; got {}: give a larger first chunk$"
    )
    numbers = 1000 * ROWS
    for loss in ("squared_error", "huber", "quantile"):
        model = trainer(loss=loss, epochs=1)
        for targets in (np.zeros(60), np.full(60, 0.1), numbers[:1, 0]):
            with pytest.raises(ValueError, match=text.format("a single value")):
                call(model, X[: len(targets)], targets)
        call(model, X, numbers[:, 0])
        model.warm_start = True
        call(model, X[:1], numbers[:1, 0])
    model = trainer(epochs=1, loss="squared_error")
    with pytest.raises(ValueError, match=text.format("a single value in columns 1, 3")):
        call(model, X, FLAT)
    model = trainer(loss="poisson", epochs=1)
    with pytest.raises(ValueError, match=text.format("zeros only")):
        call(model, X, np.zeros(60))
    call(model, X, np.full(60, 3.0))


def test_weights_that_were_set_bring_their_units() -> None:
    source = trainer(scaling="standard").fit(FLAT, 1000 * FLAT[:, 0])
    model = trainer(scaling="standard", loss="squared_error", warm_start=True)
    model.set_weights(source.get_weights(), scaling=source.scaling_)
    assert model.partial_fit(FLAT[:1], [5000.0]).predict(ROWS).shape == (60,)
