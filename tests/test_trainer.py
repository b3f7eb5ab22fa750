"""Trainer as its users see it: arguments, labels, records, callbacks, warm starts, bad input."""

import copy
import gc
import math
import os
import pickle
import re
import weakref
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fastmlp import NotFittedError, Trainer
from fastmlp.kernels.runs.launch import Job
from fastmlp.validation import SETTINGS

pytestmark = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT", "0") != "0", reason="only compiled kernels can run"
)

Array = npt.NDArray[Any]

NAN, INF = float("nan"), float("inf")
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"optimizer": "sgd", "learning_rate": 0.05},
    "momentum": {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9},
    "nesterov": {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True},
    "adam": {"optimizer": "adam", "learning_rate": 0.01},
}

# Three groups of rows around centres that a small network tells apart.
_rng = np.random.default_rng(0)
Y = np.arange(60) % 3
X = (3 * np.eye(3, 4)[Y] + _rng.normal(0, 0.3, (60, 4))).astype(np.float32)
for _array in (X, Y):
    _array.flags.writeable = False


def trainer(hidden: Any = 8, **options: Any) -> Trainer:
    settings = {
        "seed": 0, "epochs": 3, "batch_size": 16, "optimizer": "adam", "learning_rate": 0.01,
    }  # fmt: skip
    return Trainer(hidden, **{**settings, **options})


def fitted(hidden: Any = 8, **options: Any) -> Trainer:
    return trainer(hidden, **options).fit(X, Y)


def same_weights(one: list[Array], other: list[Array]) -> bool:
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def numbers(history: Any) -> dict[str, list[float]]:
    """The part of a history that repeats: not the times."""
    return {name: values for name, values in history.items() if name != "seconds"}


def state(of: Trainer) -> tuple[Any, ...]:
    """All that a rejected call must leave alone."""
    weights = [w.tobytes() for w in of.get_weights()]
    settings = {name: getattr(of, name) for name in SETTINGS}
    return (
        weights, dict(of.history), of.classes_.tolist(), of.layer_sizes_, of.n_iter_, settings,
    )  # fmt: skip


# ------------------------------------------------------------------------------------ parameters


@pytest.mark.parametrize(
    ("hidden", "sizes"),
    [(5, (4, 5, 3)), ((), (4, 3)), ([6, 2], (4, 6, 2, 3)), (np.array([1, 9, 1]), (4, 1, 9, 1, 3))],
)
def test_hidden(hidden: Any, sizes: tuple[int, ...]) -> None:
    shapes = [w.shape for w in fitted(hidden).get_weights()]
    wanted: list[tuple[int, ...]] = []
    for n_in, n_out in pairwise(sizes):
        wanted += [(n_in, n_out), (n_out,)]
    assert shapes == wanted


def test_a_wrong_parameter_is_named() -> None:
    with pytest.raises(ValueError, match="optimizer must be one of 'sgd', 'adam'; got 'lbfgs'"):
        Trainer(optimizer="lbfgs")
    with pytest.raises(TypeError, match="dropout"):
        Trainer(dropout=0.5)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Trainer(8, 0.1)  # type: ignore[call-arg, arg-type]


def test_attributes_after_a_fit() -> None:
    model = trainer(epochs=4)
    assert model.fit(X, Y) is model
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.n_features_in_ == 4
    assert model.n_iter_ == 4
    assert repr(model) == (
        "Trainer(hidden=8, optimizer='adam', learning_rate=0.01, batch_size=16, epochs=4, seed=0)"
    )


def test_it_learns() -> None:
    model = fitted(epochs=50)
    assert model.score(X, Y) == 1
    assert model.history["loss"][-1] < 0.1 < model.history["loss"][0]
    assert np.array_equal(model.predict(X), Y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(dtype: str) -> None:
    model = fitted(dtype=dtype)
    assert {w.dtype for w in model.get_weights()} == {np.dtype(dtype)}
    assert model.predict_proba(X).dtype == dtype


# ---------------------------------------------------------------------------------------- labels

LABELS: dict[str, Array] = {
    "strings": np.array(["nine", "zebra", "apple"]),
    "objects": np.array(["b", "a", "cc"], object),
    "booleans": np.array([True, False]),
    "signs": np.array([-1, 1]),
    "far apart": np.array([0, 10**9]),
    "beyond 32 bits": np.array([-(2**62), 5, 2**62]),
    "uint8": np.array([200, 3, 7], np.uint8),
    "whole floats": np.array([2.0, -7.0]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_round_trip(kind: str) -> None:
    values = LABELS[kind]
    labels = values[Y % len(values)]
    # One direction for each class, so that the network can tell them apart.
    rows = np.eye(len(values), dtype=np.float32)[Y % len(values)]
    model = trainer(epochs=60).fit(rows, labels)
    assert model.classes_.tolist() == sorted(values.tolist())
    predicted = model.predict(rows)
    assert predicted.dtype == labels.dtype
    assert predicted.tolist() == labels.tolist()
    assert model.predict_proba(rows).shape == (60, len(values))
    assert model.score(rows, labels) == 1


@pytest.mark.parametrize("kind", [np.float32, np.int64, np.uint8, bool])
def test_one_hot_rows(kind: Any) -> None:
    one_hot = np.eye(3)[Y].astype(kind)
    model = trainer().fit(X, one_hot)
    assert model.classes_.tolist() == [0, 1, 2]
    assert same_weights(model.get_weights(), fitted().get_weights())
    assert model.evaluate(X, one_hot) == model.evaluate(X, Y)


def test_a_column_of_labels() -> None:
    assert same_weights(trainer().fit(X, Y[:, None]).get_weights(), fitted().get_weights())


def test_labels_may_be_lists() -> None:
    model = trainer().fit(X.tolist(), Y.tolist())
    assert same_weights(model.get_weights(), fitted().get_weights())


# ------------------------------------------------------------------------- history and validation


def test_history() -> None:
    history = fitted(epochs=4).history
    assert list(history) == ["loss", "accuracy", "learning_rate", "seconds"]
    assert [len(values) for values in history.values()] == [4] * 4
    assert all(type(value) is float for values in history.values() for value in values)
    assert history["learning_rate"] == [0.01] * 4
    assert all(seconds > 0 for seconds in history["seconds"])
    assert "val_loss" not in history


def test_history_is_that_of_the_last_fit() -> None:
    model = trainer(epochs=2, warm_start=True).fit(X, Y)
    first = numbers(model.history)
    model.fit(X, Y)
    assert len(model.history["loss"]) == model.n_iter_ == 2
    assert numbers(model.history) != first


def test_history_with_validation() -> None:
    history = trainer(epochs=4, validation_fraction=0.25).fit(X, Y).history
    assert set(history) == {
        "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds",
    }  # fmt: skip
    assert {len(values) for values in history.values()} == {4}
    assert all(type(value) is float for values in history.values() for value in values)


def test_validation_fraction_takes_the_last_rows() -> None:
    split = trainer(validation_fraction=0.2).fit(X, Y)
    given = trainer().fit(X[:48], Y[:48], validation_data=(X[48:], Y[48:]))
    assert numbers(split.history) == numbers(given.history)
    assert same_weights(split.get_weights(), given.get_weights())


def test_validation_data_come_before_the_fraction() -> None:
    both = trainer(validation_fraction=0.5).fit(X, Y, validation_data=(X[:7], Y[:7]))
    given = trainer().fit(X, Y, validation_data=(X[:7], Y[:7]))
    assert numbers(both.history) == numbers(given.history)


def test_validation_does_not_change_the_training() -> None:
    model = trainer().fit(X, Y, validation_data=(X[:7], Y[:7]))
    assert same_weights(model.get_weights(), fitted().get_weights())
    assert model.history["loss"] == fitted().history["loss"]


def test_a_class_that_only_the_last_rows_have() -> None:
    labels = np.arange(60) // 50
    model = trainer(validation_fraction=0.1).fit(X, labels)
    assert model.classes_.tolist() == [0, 1]


# ------------------------------------------------------------------------------ verbose, callbacks


def test_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    trainer(verbose=1, validation_fraction=0.2).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["epoch", f"{k}/3"] for k in (1, 2, 3)]
    for name in ("loss", "accuracy", "val_loss", "val_accuracy", "seconds"):
        assert all(re.search(rf"\b{name} \d", line) for line in lines)


def test_silent_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    fitted()
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_callback_arguments() -> None:
    calls: list[Any] = []

    def record(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        last = {name: values[-1] for name, values in model.history.items()}
        calls.append((model, epoch, dict(logs), last, model.n_iter_, model.get_weights()))

    model = trainer(callbacks=record, validation_fraction=0.2).fit(X, Y)
    assert [epoch for _, epoch, *_ in calls] == [0, 1, 2]
    for called, epoch, logs, last, n_iter, _ in calls:
        assert called is model
        assert logs == last
        assert all(type(value) is float for value in logs.values())
        assert n_iter == epoch + 1
    assert same_weights(calls[-1][-1], model.get_weights())
    assert not same_weights(calls[0][-1], model.get_weights())


def test_callbacks_do_not_change_the_training() -> None:
    model = trainer(callbacks=[lambda *_: None, lambda *_: False, lambda *_: 1]).fit(X, Y)
    assert same_weights(model.get_weights(), fitted().get_weights())


def test_what_a_callback_does_to_its_numbers_is_not_recorded() -> None:
    model = trainer(callbacks=lambda model, epoch, logs: logs.clear()).fit(X, Y)
    assert numbers(model.history) == numbers(fitted().history)


def stop_in(epoch: int) -> Callable[..., None]:
    def callback(model: Trainer, now: int, logs: dict[str, float]) -> None:
        if now == epoch:
            model.stop_training = True

    return callback


def test_stop_training() -> None:
    model = trainer(epochs=9, callbacks=stop_in(1)).fit(X, Y)
    assert model.n_iter_ == len(model.history["loss"]) == 2
    assert same_weights(model.get_weights(), fitted(epochs=2).get_weights())
    # The next fit runs on until it is stopped itself.
    model.callbacks = ()
    assert model.fit(X, Y).n_iter_ == 9


@pytest.mark.parametrize("answer", [True, 1, np.array(True), "yes", object()])
def test_what_a_callback_returns_does_not_matter(answer: Any) -> None:
    model = trainer(callbacks=lambda *_: answer).fit(X, Y)
    assert model.n_iter_ == 3
    assert same_weights(model.get_weights(), fitted().get_weights())


def test_every_callback_is_told_of_the_last_epoch() -> None:
    epochs: list[int] = []
    model = trainer(callbacks=[stop_in(0), lambda model, epoch, logs: epochs.append(epoch)]).fit(
        X, Y
    )
    assert epochs == [0]
    assert model.n_iter_ == 1


class BrokenError(Exception):
    pass


def raise_in(epoch: int, error: type[BaseException]) -> Callable[..., None]:
    def callback(model: Trainer, now: int, logs: dict[str, float]) -> None:
        if now == epoch:
            raise error("from the callback")

    return callback


@pytest.mark.parametrize("error", [BrokenError, KeyboardInterrupt])
@pytest.mark.parametrize("epoch", [0, 1])
def test_a_raising_callback(error: type[BaseException], epoch: int) -> None:
    model = trainer(callbacks=raise_in(epoch, error))
    with pytest.raises(error, match="from the callback"):
        model.fit(X, Y)
    finished = fitted(epochs=epoch + 1)
    assert same_weights(model.get_weights(), finished.get_weights())
    assert numbers(model.history) == numbers(finished.history)
    assert model.n_iter_ == epoch + 1
    assert np.array_equal(model.predict(X), finished.predict(X))
    # The next fit is not affected.
    assert same_weights(fitted().get_weights(), fitted().get_weights())


@pytest.mark.parametrize("error", [BrokenError, KeyboardInterrupt])
def test_an_exception_in_mid_epoch(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An epoch that does not end leaves no trace."""
    run = Job.run
    calls = iter(range(100))

    def interrupted(job: Job) -> None:
        run(job)
        if next(calls) == 4:
            raise error("in mid-epoch")

    monkeypatch.setattr(Job, "run", interrupted)
    # Each of the three batches of an epoch is a call: the exception comes in the second epoch.
    monkeypatch.setattr("fastmlp.training._FIRST_SLICE_FLOPS", 1.0)
    monkeypatch.setattr("fastmlp.training._SLICE_SECONDS", 1e-9)
    model = trainer(batch_size=25, warm_start=True, shuffle=False)
    with pytest.raises(error, match="in mid-epoch"):
        model.fit(X, Y)
    monkeypatch.undo()
    one = trainer(batch_size=25, warm_start=True, shuffle=False, epochs=1).fit(X, Y)
    assert same_weights(model.get_weights(), one.get_weights())
    assert numbers(model.history) == numbers(one.history)
    # The optimiser's state is that of the finished epoch too.
    assert same_weights(model.fit(X, Y).get_weights(), continued(one, epochs=3).get_weights())


def continued(model: Trainer, epochs: int) -> Trainer:
    """``model`` after more epochs, in fits of one epoch each."""
    for _ in range(epochs):
        model.fit(X, Y)
    return model


# -------------------------------------------------------------------------- starts, seeds, weights


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
    first = dict(twice.history)
    twice.fit(X, Y)
    once = fitted(hidden, epochs=6, **options)
    assert same_weights(twice.get_weights(), once.get_weights())
    assert first["loss"] + twice.history["loss"] == once.history["loss"]


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


def random_weights(*sizes: int) -> list[Array]:
    rng = np.random.default_rng(3)
    weights = []
    for n_in, n_out in pairwise(sizes):
        weights += [rng.normal(size=(n_in, n_out)), rng.normal(size=n_out)]
    return weights


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


def test_a_warm_start_needs_not_every_class() -> None:
    model = fitted(warm_start=True)
    model.fit(X[:2], [2, 2])
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


def test_not_fitted() -> None:
    model = trainer()
    calls: list[Callable[[], Any]] = [
        lambda: model.predict(X),
        lambda: model.predict_proba(X),
        lambda: model.evaluate(X, Y),
        lambda: model.score(X, Y),
        model.get_weights,
        lambda: model.classes_,
        lambda: model.n_features_in_,
    ]
    for call in calls:
        with pytest.raises(NotFittedError, match="call fit or set_weights first"):
            call()
    assert not hasattr(model, "classes_")
    assert len(model.history) == model.n_iter_ == 0


# ------------------------------------------------------------------------------------- bad input


def changed(array: Array, value: Any, *index: int) -> Array:
    array = np.array(array, np.float64)
    array[index] = value
    return array


# What is wrong with rows for a network of four features in float32, and what follows the name of
# the argument in the message.
BAD_ROWS: dict[str, tuple[Any, type[Exception], str]] = {
    "nan": (changed(X, NAN, 7, 2), ValueError, r"\[7, 2\] is nan; it must be finite"),
    "inf": (changed(X, INF, 0, 0), ValueError, r"\[0, 0\] is inf; it must be finite"),
    "-inf": (changed(X, -INF, 59, 3), ValueError, r"\[59, 3\] is -inf; it must be finite"),
    "overflow": (changed(X, 1e39, 5, 1), ValueError, r"\[5, 1\] is 1e\+39; .* finite in float32"),
    "no rows": (X[:0], ValueError, r" must be 2-D and not empty; got shape \(0, 4\)"),
    "no features": (X[:, :0], ValueError, r" must be 2-D and not empty; got shape \(60, 0\)"),
    "1-D": (X[:, 0], ValueError, r" must be 2-D and not empty; got shape \(60,\)"),
    "3-D": (X[:, :, None], ValueError, r" must be 2-D and not empty; got shape \(60, 4, 1\)"),
    "text": (X.astype(str), TypeError, " must hold real numbers; got dtype <U"),
    "complex": (X.astype(complex), TypeError, " must hold real numbers; got dtype complex128"),
    "ragged": ([[1, 2, 3, 4], [1]], ValueError, " cannot be read as one array"),
    "none": (None, TypeError, " must be .* got NoneType"),
}
FEWER_FEATURES = (X[:, :3], ValueError, " must have 4 features; got 3")

# The same of labels, in any fit.
BAD_LABELS: dict[str, tuple[Any, type[Exception], str]] = {
    "nan": (changed(Y, NAN, 4), ValueError, r"\[4\] is nan; it must be finite"),
    "inf": (changed(Y, INF, 4), ValueError, r"\[4\] is inf; it must be finite"),
    "-inf": (changed(Y, -INF, 4), ValueError, r"\[4\] is -inf; it must be finite"),
    "fractions": (Y / 2, ValueError, r" must hold class labels; got 0.5 \(regression"),
    "too few": (Y[:-1], ValueError, " has 59 rows, but X has 60"),
    "too many": (np.arange(61) % 3, ValueError, " has 61 rows, but X has 60"),
    "none at all": (Y[:0], ValueError, " has 0 rows, but X has 60"),
    "3-D": (Y[:, None, None], ValueError, r" must be 1-D .* or one-hot .* \(60, 1, 1\)"),
    "two ones": (np.ones((60, 3)), ValueError, r"\[0\] is not one-hot"),
    "missing": ([None, *Y[1:].tolist()], ValueError, r"\[0\] is missing \(None\): drop the rows"),
    "mixed": (["a", *Y[1:].tolist()], TypeError, " must be .* all strings.*; got int, str"),
}

# The same where the classes 0, 1, 2 are known.
UNKNOWN_LABELS: dict[str, tuple[Any, str]] = {
    "unseen": (Y + 1, "unseen labels 3; the known classes are 0, 1, 2"),
    "negative": (Y - 1, "unseen labels -1; the known classes are 0, 1, 2"),
    "strings": (Y.astype(str), "unseen labels '0', '1', '2'; the known classes are 0, 1, 2"),
    "far": (changed(Y, 1e300, 3), r"unseen labels 1e\+300; the known classes are 0, 1, 2"),
    "wide": (np.eye(4)[Y], "4 one-hot columns, not classes 0, 1, 2"),
}


def assert_rejected(
    call: Callable[[Trainer], Any], error: type[Exception], message: str, warm_start: bool = False
) -> None:
    """By a fitted trainer, which stays what it was."""
    model = fitted(warm_start=warm_start)
    before = state(model)
    with pytest.raises(error, match=f"^{message}"):
        call(model)
    assert state(model) == before


def assert_fit_rejects(
    rows: Any, labels: Any, error: type[Exception], message: str, **options: Any
) -> None:
    """By a fitted trainer, in a start afresh and a warm one; and by a new one, left unfitted."""

    def fit(model: Trainer) -> None:
        model.fit(rows, labels, **options)

    assert_rejected(fit, error, message)
    assert_rejected(fit, error, message, warm_start=True)
    new = trainer()
    with pytest.raises(error, match=f"^{message}"):
        fit(new)
    assert not hasattr(new, "classes_")
    assert len(new.history) == new.n_iter_ == 0


@pytest.mark.parametrize("kind", BAD_ROWS)
def test_bad_rows_to_fit(kind: str) -> None:
    rows, error, message = BAD_ROWS[kind]
    assert_fit_rejects(rows, Y, error, f"X{message}")
    assert_fit_rejects(X, Y, error, f"validation X{message}", validation_data=(rows, Y))


@pytest.mark.parametrize("bad", [*BAD_ROWS.values(), FEWER_FEATURES], ids=[*BAD_ROWS, "fewer"])
def test_bad_rows_after_a_fit(bad: Any) -> None:
    rows, error, message = bad
    calls: list[Callable[[Trainer], Any]] = [
        lambda model: model.predict(rows),
        lambda model: model.predict_proba(rows),
        lambda model: model.evaluate(rows, Y),
        lambda model: model.score(rows, Y),
    ]
    for call in calls:
        assert_rejected(call, error, f"X{message}")


def test_another_number_of_features() -> None:
    rows, error, message = FEWER_FEATURES
    assert_rejected(lambda model: model.fit(rows, Y), error, f"X{message}", warm_start=True)
    assert_fit_rejects(X, Y, error, f"validation X{message}", validation_data=(rows, Y))


@pytest.mark.parametrize("kind", BAD_LABELS)
def test_bad_labels(kind: str) -> None:
    labels, error, message = BAD_LABELS[kind]
    assert_fit_rejects(X, labels, error, f"Y{message}")
    assert_fit_rejects(X, Y, error, f"validation Y{message}", validation_data=(X, labels))
    assert_rejected(lambda model: model.evaluate(X, labels), error, f"Y{message}")
    assert_rejected(lambda model: model.score(X, labels), error, f"Y{message}")


@pytest.mark.parametrize("kind", UNKNOWN_LABELS)
def test_unknown_labels(kind: str) -> None:
    labels, message = UNKNOWN_LABELS[kind]
    assert_rejected(lambda model: model.evaluate(X, labels), ValueError, f"Y has {message}")
    assert_rejected(
        lambda model: model.fit(X, labels), ValueError, f"Y has {message}", warm_start=True
    )
    assert_fit_rejects(X, Y, ValueError, f"validation Y has {message}", validation_data=(X, labels))


def test_fewer_than_two_classes() -> None:
    message = "Y must hold at least 2 classes; got 0"
    assert_rejected(lambda model: model.fit(X, 0 * Y), ValueError, message)
    assert_rejected(lambda model: model.fit(X[:1], Y[:1]), ValueError, message)


@pytest.mark.parametrize("pair", [(X,), (X, Y, Y), X, 5, "XY"])
def test_validation_data_is_a_pair(pair: Any) -> None:
    message = r"validation_data must be a pair \(X, Y\)"
    assert_fit_rejects(X, Y, TypeError, message, validation_data=pair)


def test_a_validation_fraction_that_leaves_nothing() -> None:
    with pytest.raises(ValueError, match=r"^validation_fraction=0\.99 leaves 0 of 10 to train on"):
        trainer(validation_fraction=0.99).fit(X[:10], Y[:10])


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


# ----------------------------------------------------------------------- small and uneven numbers


@pytest.mark.parametrize("batch_size", [1, 7, 59, 60, 61, 10**9])
def test_any_batch_size_sees_every_row(batch_size: int) -> None:
    """With a learning rate of almost nothing, the loss of an epoch is that of all rows."""
    options = {"optimizer": "sgd", "learning_rate": 1e-12, "dtype": "float64"}
    model = fitted(batch_size=batch_size, epochs=2, **options)
    wanted = model.evaluate(X, Y)
    assert model.history["loss"] == pytest.approx([wanted["loss"]] * 2, rel=1e-9)
    assert model.history["accuracy"] == pytest.approx([wanted["accuracy"]] * 2, rel=1e-12)


def test_one_row_of_known_classes() -> None:
    model = trainer(epochs=100).fit(X[:1], np.eye(3)[:1])
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.predict(X[:1]).tolist() == [0]


def test_two_rows_of_one_feature() -> None:
    model = trainer(1).fit([[0.0], [1.0]], [0, 1])
    assert model.predict_proba([[0.5]]).sum() == pytest.approx(1)


# ------------------------------------------------------------------------------------ divergence


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden", [8, (16, 16, 16)])
def test_divergence_in_the_first_epoch(hidden: Any, dtype: str) -> None:
    scale = np.array(1e30 if dtype == "float32" else 1e250, dtype)
    options = {"optimizer": "sgd", "learning_rate": 1e6, "dtype": dtype}
    new = trainer(hidden, **options)
    with pytest.raises(FloatingPointError, match=r"diverged: .* epoch 1 with learning_rate=1"):
        new.fit(X * scale, Y)
    assert not hasattr(new, "classes_")

    model = trainer(hidden, warm_start=True, **options)
    given = [w.astype(dtype) for w in random_weights(4, *np.atleast_1d(hidden), 3)]
    model.set_weights(given)
    with pytest.raises(FloatingPointError, match="a smaller one, or features scaled"):
        model.fit(X * scale, Y)
    assert same_weights(model.get_weights(), given)
    assert len(model.history) == 0


def test_divergence_after_finite_epochs() -> None:
    finite: list[list[Array]] = []
    model = trainer(
        optimizer="sgd", learning_rate=1e6, epochs=100, seed=0,
        callbacks=lambda model, epoch, logs: finite.append(model.get_weights()),
    )  # fmt: skip
    with pytest.raises(FloatingPointError, match=r"diverged: .* in epoch \d+ with"):
        model.fit(X, Y)
    assert len(finite) == model.n_iter_ == len(model.history["loss"])
    if finite:
        assert same_weights(model.get_weights(), finite[-1])
        assert all(np.isfinite(w).all() for w in finite[-1])
        assert np.isfinite(model.history["loss"]).all()


def test_a_fit_after_divergence() -> None:
    model = fitted(optimizer="sgd", learning_rate=1e6, epochs=1, hidden=())
    before = state(model)
    with pytest.raises(FloatingPointError):
        model.fit(X * np.float32(1e30), Y)
    assert state(model) == before
    assert np.isfinite(model.predict_proba(X)).all()
    model.fit(X, Y)
    assert state(model)[0] == before[0]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_floating_point_mode_of_the_caller(threads: int) -> None:
    """Kernels may flush subnormal numbers, the code around them keeps them."""
    subnormal = np.full(1, 1e-40, np.float32)
    model = fitted(300, threads=threads)
    model.predict(X)
    assert (subnormal * np.float32(1) > 0).all()
    with pytest.raises(FloatingPointError):
        trainer(300, threads=threads, optimizer="sgd", learning_rate=1e300).fit(X, Y)
    assert (subnormal * np.float32(1) > 0).all()


# ----------------------------------------------------------------- the caller's arrays, as they are

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def whole_numbers(kind: str) -> Array:
    return np.clip(np.rint(10 * np.abs(X)), 0, 100).astype(kind)


def unaligned(array: Array) -> Array:
    raw = np.empty(array.nbytes + 1, np.uint8)[1:]
    result = raw.view(array.dtype).reshape(array.shape)
    result[...] = array
    return result


LAYOUTS: dict[str, Callable[[], Array]] = {
    "float32": lambda: X,
    "float64": lambda: X + np.float64(1e-12),
    "float16": lambda: X.astype(np.float16),
    "F-order": lambda: np.asfortranarray(X),
    "every other row": lambda: X.repeat(2, axis=0)[::2],
    "every other column": lambda: X.repeat(2, axis=1)[:, ::2],
    "backwards": lambda: X[::-1, ::-1].copy()[::-1, ::-1],
    "one row repeated": lambda: np.broadcast_to(X[1], X.shape),
    "unaligned": lambda: unaligned(X),
    "big-endian": lambda: X.astype(">f4"),
    "big-endian float64": lambda: X.astype(">f8"),
    "bool": lambda: X > 1,
    "uint8 in F-order": lambda: np.asfortranarray(whole_numbers("uint8")),
    "unaligned int32": lambda: unaligned(whole_numbers("int32")),
    **{kind: lambda kind=kind: whole_numbers(kind) for kind in INTEGERS},  # type: ignore[misc]
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, dtype: str) -> None:
    """Bitwise what the C-contiguous cast gives; and the input stays what it was."""
    rows = LAYOUTS[layout]()
    copy = rows.copy()
    rows.flags.writeable = False
    plain = np.ascontiguousarray(rows.astype(dtype))
    model, wanted = (
        trainer(dtype=dtype, validation_fraction=0.2).fit(given, Y) for given in (rows, plain)
    )
    assert same_weights(model.get_weights(), wanted.get_weights())
    assert numbers(model.history) == numbers(wanted.history)
    assert np.array_equal(model.predict_proba(rows), wanted.predict_proba(plain))
    assert model.evaluate(rows, Y) == wanted.evaluate(plain, Y)
    assert np.array_equal(rows, copy)


@pytest.mark.parametrize("kind", ["float32", "float64", "uint8"])
def test_memory_mapped_rows(kind: str, tmp_path: Any) -> None:
    rows, path = (whole_numbers(kind) if kind == "uint8" else X.astype(kind)), tmp_path / "X.npy"
    np.save(path, rows)
    before = path.read_bytes()
    mapped = np.load(path, mmap_mode="r")
    model, wanted = trainer().fit(mapped, Y), trainer().fit(rows, Y)
    assert same_weights(model.get_weights(), wanted.get_weights())
    assert np.array_equal(model.predict_proba(mapped), wanted.predict_proba(rows))
    assert path.read_bytes() == before


def test_writeable_input_is_not_modified() -> None:
    for rows in (X.copy(), X.astype(np.float64), whole_numbers("uint8")):
        for labels in (Y.copy(), np.eye(3)[Y], Y.astype(float)):
            copies = rows.copy(), labels.copy()
            model = trainer(validation_fraction=0.2).fit(rows, labels)
            model.predict(rows)
            model.evaluate(rows, labels)
            assert np.array_equal(rows, copies[0])
            assert np.array_equal(labels, copies[1])


def test_nothing_keeps_the_rows_alive() -> None:
    model = fitted()
    for use in (
        lambda rows: model.predict(rows),
        lambda rows: model.evaluate(rows, Y),
        lambda rows: model.fit(rows, Y, validation_data=(rows, Y)),
    ):
        rows = X.copy()
        reference = weakref.ref(rows)
        use(rows)
        del rows
        gc.collect()
        assert reference() is None


def test_rows_of_a_larger_array_are_read_alone() -> None:
    """Neither what lies before or behind the rows nor beside them counts."""
    for hidden in ((), 8):
        around = np.full((64, 4), NAN, np.float32)
        around[2:62] = X
        model = trainer(hidden).fit(around[2:62], Y)
        wanted = trainer(hidden).fit(X, Y)
        assert same_weights(model.get_weights(), wanted.get_weights())
        assert np.array_equal(model.predict_proba(around[2:62]), wanted.predict_proba(X))


def blobs(n: int = 60) -> tuple[Any, Any]:
    labels = np.arange(n) % 3
    return np.random.default_rng(0).normal(size=(n, 5)) + labels[:, None], labels


def test_copies_and_pickles_predict_the_same() -> None:
    X, labels = blobs()
    trainer = Trainer(hidden=7, epochs=2, seed=0).fit(X, labels)
    wanted = trainer.predict_proba(X)
    for other in (copy.deepcopy(trainer), pickle.loads(pickle.dumps(trainer))):
        assert np.array_equal(other.predict_proba(X), wanted)
        assert other.history == trainer.history


@pytest.mark.parametrize("hidden", [(), 9])
def test_input_scale_multiplies_what_is_read(hidden: Any) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(70, 33), dtype=np.uint8)
    labels = np.arange(70) % 3
    scaled = images.astype(np.float32) * np.float32(1 / 255)
    settings: dict[str, Any] = {"hidden": hidden, "epochs": 3, "seed": 0}
    bytes_read = Trainer(input_scale=1 / 255, **settings).fit(images, labels)
    floats_read = Trainer(**settings).fit(scaled, labels)
    for got, wanted in zip(bytes_read.get_weights(), floats_read.get_weights(), strict=True):
        assert np.array_equal(got, wanted)
    assert np.array_equal(bytes_read.predict_proba(images), floats_read.predict_proba(scaled))
    assert bytes_read.evaluate(images, labels) == floats_read.evaluate(scaled, labels)


@pytest.mark.parametrize("scale", [0, -1.0, math.inf, math.nan])
def test_bad_input_scale(scale: float) -> None:
    with pytest.raises(ValueError, match="input_scale must be a finite number > 0"):
        Trainer(input_scale=scale)


def test_output_that_is_not_finite_is_an_error() -> None:
    X, labels = blobs()
    trainer = Trainer(hidden=(8, 8), epochs=1, seed=0).fit(X, labels)
    trainer.set_weights([array * 1e10 for array in trainer.get_weights()])
    for call in (trainer.predict, trainer.predict_proba):
        with pytest.raises(FloatingPointError, match="not finite"):
            call(X * 1e30)
    with pytest.raises(FloatingPointError, match="not finite"):
        trainer.evaluate(X * 1e30, labels)
