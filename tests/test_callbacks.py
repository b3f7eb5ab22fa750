"""What happens between two epochs: what callbacks are told, what they may do, and how they stop."""

import copy
import json
import math
import pickle
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastmlp import Trainer
from fastmlp.optimizers import SGD
from tests.helpers.basics import needs_compiler
from tests.helpers.models import (
    OPTIMIZERS,
    X,
    Y,
    fitted,
    numbers,
    random_weights,
    same_weights,
    trainer,
)

pytestmark = needs_compiler


def test_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    fitted(validation_fraction=0.2)  # else a line tells of the compilation
    trainer(verbose=1, validation_fraction=0.2).fit(X, Y)
    told, *lines = capsys.readouterr().out.splitlines()
    chosen = "Y: 3 classes, schedule='constant', weight_averaging=0.0, patience=None"
    chosen += ", loss='softmax_cross_entropy'"
    assert told == f"{chosen}, features as they come"
    assert [line.split()[:2] for line in lines] == [["epoch", f"{k}/3"] for k in (1, 2, 3)]
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert all(re.search(rf"\b{name} +\d", line) for line in lines)
    assert all(re.search(r"   +[\d.]+ s +[\d,]+ samples/s$", line) for line in lines)


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


def raise_in(epoch: int, error: type[BaseException]) -> Callable[..., None]:
    def callback(model: Trainer, now: int, logs: dict[str, float]) -> None:
        if now == epoch:
            raise error("from the callback")

    return callback


class BrokenError(Exception):
    pass


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


def at(epoch: int, do: Callable[[Trainer], Any]) -> Callable[..., None]:
    """A callback that does something to the trainer after one epoch."""

    def callback(model: Trainer, now: int, logs: dict[str, float]) -> None:
        if now == epoch:
            do(model)

    return callback


# ----------------------------------------------------------------------------- weights that it sets


@pytest.mark.filterwarnings(
    "ignore:.*are 0 for all rows:fastmlp.FitWarning"
)  # they are meant to be
@pytest.mark.parametrize("options", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("hidden", [(), 8, (9, 5)])
def test_the_training_goes_on_from_weights_that_were_set(hidden: Any, options: Any) -> None:
    """Two classes and weights of zero: the loss is ln 2, whatever the input."""

    def zero(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        model.set_weights([0 * w for w in model.get_weights()])

    tiny = {**options, "learning_rate": 1e-12, "dtype": "float64", "epochs": 5}
    model = trainer(hidden, **tiny, callbacks=zero, initializer="normal")
    model.fit(X, Y > 0, validation_data=(X, Y > 0))
    # The state of the optimiser stays: what is left of it moves the weights by a rate of nothing.
    assert model.history["loss"][1:] == pytest.approx([math.log(2)] * 4, abs=1e-9)
    assert model.history["val_loss"][1:] == pytest.approx([math.log(2)] * 4, abs=1e-9)
    assert abs(model.history["loss"][0] - math.log(2)) > 0.01
    assert not any(w.any() for w in model.get_weights())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("hidden", [(), 8, (9, 5)])
def test_setting_the_same_weights_changes_nothing(hidden: Any, options: Any, dtype: str) -> None:
    def same(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        model.set_weights(model.get_weights())

    options = {**options, "dtype": dtype, "epochs": 4, "validation_fraction": 0.2}
    model, wanted = fitted(hidden, **options, callbacks=same), fitted(hidden, **options)
    assert same_weights(model.get_weights(), wanted.get_weights())
    assert numbers(model.history) == numbers(wanted.history)


@pytest.mark.filterwarnings("ignore::fastmlp.FitWarning")  # as the labels deserve
def test_the_best_weights_can_be_restored() -> None:
    best: dict[str, Any] = {"loss": math.inf}

    def keep(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        if logs["val_loss"] < best["loss"]:
            best.update(loss=logs["val_loss"], weights=model.get_weights())
        elif epoch == 9:
            model.set_weights(best["weights"])

    # The more it learns the more it misses labels that are wrong.
    wrong = X[:20], Y[1:21]
    model = trainer(epochs=10, callbacks=keep).fit(X, Y, validation_data=wrong)
    assert best["loss"] == min(model.history["val_loss"]) < model.history["val_loss"][-1]
    assert same_weights(model.get_weights(), best["weights"])
    assert model.evaluate(*wrong)["loss"] == best["loss"]


def test_weights_set_at_the_end_of_one_fit_are_where_the_next_begins() -> None:
    """With the optimiser's state, as two fits are one."""
    weights = random_weights(4, 8, 3)
    halves = trainer(epochs=3, warm_start=True, callbacks=at(2, lambda m: m.set_weights(weights)))
    whole = trainer(epochs=6, callbacks=at(2, lambda m: m.set_weights(weights)))
    halves.fit(X, Y)
    assert same_weights(halves.get_weights(), [w.astype(np.float32) for w in weights])
    halves.callbacks = ()
    assert same_weights(halves.fit(X, Y).get_weights(), whole.fit(X, Y).get_weights())


def test_classes_that_a_callback_sets_stay() -> None:
    def rename(model: Trainer) -> None:
        model.set_weights(model.get_weights(), classes=["x", "y", "z"])

    model = fitted(callbacks=at(0, rename), validation_fraction=0.2)
    assert model.classes_.tolist() == ["x", "y", "z"]
    wanted = fitted(validation_fraction=0.2)
    assert same_weights(model.get_weights(), wanted.get_weights())
    assert numbers(model.history) == numbers(wanted.history)


def test_wrong_weights_in_a_callback_are_an_error() -> None:
    model = trainer(callbacks=at(0, lambda m: m.set_weights(random_weights(4, 7, 3))))
    with pytest.raises(ValueError, match="W1 must have shape"):
        model.fit(X, Y)
    assert same_weights(model.get_weights(), fitted(epochs=1).get_weights())


# ----------------------------------------------------------------------------------- learning rate


@pytest.mark.parametrize("options", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_the_learning_rate_counts_from_the_next_epoch_on(options: dict[str, Any]) -> None:
    rates = [0.05, 0.01, 0.2, np.float32(0.03), 1]

    def next_rate(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        if epoch < 4:
            model.learning_rate = rates[epoch + 1]

    options = {**options, "learning_rate": rates[0]}
    model = fitted(**options, epochs=5, callbacks=next_rate)
    assert model.history["learning_rate"] == [float(rate) for rate in rates]
    assert {type(rate) for rate in model.history["learning_rate"]} == {float}
    assert model.learning_rate == rates[0]  # that of the trainer stays
    steps = trainer(**options, epochs=1, warm_start=True)
    for rate in rates:
        steps.learning_rate = rate
        steps.fit(X, Y)
    assert same_weights(model.get_weights(), steps.get_weights())
    assert steps.history["loss"] == model.history["loss"]


@pytest.mark.parametrize(("optimizer", "default"), [("sgd", 0.1), ("adam", 0.001)])
def test_a_learning_rate_of_none_is_the_default(optimizer: str, default: float) -> None:
    def none(model: Trainer) -> None:
        model.learning_rate = None
        model.optimizer = "adam" if optimizer == "sgd" else "sgd"  # of the next fit

    model = fitted(optimizer=optimizer, learning_rate=0.02, callbacks=at(0, none))
    assert model.history["learning_rate"] == [0.02, default, default]


def test_a_wrong_learning_rate_is_an_error_where_it_is_set() -> None:
    def wrong(model: Trainer) -> None:
        with pytest.raises(ValueError, match="learning_rate must be a finite number > 0; got -1"):
            model.learning_rate = -1

    model = fitted(callbacks=at(0, wrong))
    assert same_weights(model.get_weights(), fitted().get_weights())


# ------------------------------------------------------------------------------ all other settings

LATER: dict[str, dict[str, Any]] = {
    "batch_size": {"batch_size": 7},
    "epochs": {"epochs": 1},
    "shuffle": {"shuffle": False},
    "momentum": {"optimizer": SGD(momentum=0.5)},
    "nesterov": {"optimizer": SGD(momentum=0.5, nesterov=True)},
    "optimizer": {"optimizer": "adam", "learning_rate": None},
    "dtype": {"dtype": "float64"},
    "hidden": {"hidden": (5, 4)},
    "initializer": {"initializer": "normal"},
    "verbose": {"verbose": 1},
    "seed": {"seed": 3},
    "threads": {"threads": 1},
    "validation_fraction": {"validation_fraction": 0.2},
    "scaling": {"scaling": 0.25},
    "callbacks": {"callbacks": ()},
}


@pytest.mark.parametrize("kind", LATER)
def test_other_settings_count_from_the_next_fit_on(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"optimizer": "sgd", "learning_rate": None, "validation_fraction": 0.1}
    epochs: list[int] = []

    def assign(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        epochs.append(epoch)
        for name, value in LATER[kind].items():
            setattr(model, name, value)

    model, wanted = fitted(**options, callbacks=assign), fitted(**options)
    assert same_weights(model.get_weights(), wanted.get_weights())
    assert numbers(model.history) == numbers(wanted.history)
    assert epochs == [0, 1, 2]
    assert capsys.readouterr().out == ""
    for name, value in LATER[kind].items():
        assert getattr(model, name) is value
    assert np.array_equal(model.predict_proba(X), wanted.predict_proba(X))
    assert model.evaluate(X, Y) == wanted.evaluate(X, Y)
    model.callbacks = ()
    model.fit(X, Y)
    wanted = fitted(**{**options, **LATER[kind]})
    assert same_weights(model.get_weights(), wanted.get_weights())
    assert numbers(model.history) == numbers(wanted.history)


def test_warm_start_counts_from_the_next_fit_on() -> None:
    model = fitted(callbacks=at(1, lambda m: setattr(m, "warm_start", True)))
    assert same_weights(model.get_weights(), fitted().get_weights())
    model.callbacks = ()
    assert same_weights(model.fit(X, Y).get_weights(), fitted(epochs=6).get_weights())


def test_a_list_of_callbacks_that_changes() -> None:
    """Those of a fit are those that it began with."""
    called: list[str] = []
    callbacks: list[Any] = [lambda *_: callbacks.clear(), lambda *_: called.append("second")]
    fitted(callbacks=callbacks)
    assert called == ["second"] * 3
    assert callbacks == []


# -------------------------------------------------------------------------------- fits within a fit


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_a_fit_of_the_same_trainer_is_refused(epoch: int, warm_start: bool) -> None:
    def refit(model: Trainer) -> None:
        with pytest.raises(RuntimeError, match="this trainer is being fitted"):
            model.fit(X[:5, :2], Y[:5])

    options: dict[str, Any] = {"warm_start": warm_start, "validation_fraction": 0.1}
    model, wanted = fitted(**options, callbacks=at(epoch, refit)), fitted(**options)
    for number in range(2):
        assert same_weights(model.get_weights(), wanted.get_weights())
        assert numbers(model.history) == numbers(wanted.history)
        assert model.n_iter_ == (6 if number and warm_start else 3)
        model.fit(X, Y)
        wanted.fit(X, Y)


def test_a_refused_fit_ends_the_training_unless_it_is_caught() -> None:
    model = trainer(callbacks=at(1, lambda m: m.fit(X, Y)))
    with pytest.raises(RuntimeError, match="this trainer is being fitted"):
        model.fit(X, Y)
    assert same_weights(model.get_weights(), fitted(epochs=2).get_weights())
    model.callbacks = ()
    assert same_weights(model.fit(X, Y).get_weights(), fitted().get_weights())


USES: dict[str, Callable[[Trainer], Any]] = {
    "fit of another": lambda model: fitted((9, 5)),
    "fit of a copy": lambda model: at_rest(copy.deepcopy(model)).fit(X, Y),
    "fit of a shallow copy": lambda model: at_rest(copy.copy(model)).fit(X[:9], Y[:9]),
    "fit of a pickle": lambda model: at_rest(pickle.loads(pickle.dumps(model))).fit(X, Y),
    "weights of a copy": lambda model: copy.copy(model).set_weights(random_weights(4, 8, 3)),
    "predict": lambda model: (model.predict(X), model.predict_proba(X[:1])),
    "evaluate": lambda model: (model.evaluate(X, Y), model.score(X, Y)),
    "repr": repr,
    "history": lambda model: pd.DataFrame(model.history),
}


def at_rest(model: Trainer) -> Trainer:
    model.callbacks = ()
    return model


def use(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
    """A callback that can be pickled: it does what the trainer's attribute names."""
    USES[model.use](model)  # type: ignore[attr-defined]


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("what", USES)
def test_all_else_works_within_a_fit(what: str, warm_start: bool) -> None:
    options: dict[str, Any] = {**OPTIMIZERS["nesterov"], "warm_start": warm_start}
    model, wanted = trainer(**options, callbacks=use), trainer(**options)
    model.use = what  # type: ignore[attr-defined]
    for _ in range(2):
        model.fit(X, Y)
        wanted.fit(X, Y)
        assert same_weights(model.get_weights(), wanted.get_weights())
        assert numbers(model.history) == numbers(wanted.history)


def test_a_stop_by_one_trainer_does_not_stop_its_copies() -> None:
    model = trainer(callbacks=stop_in(0)).fit(X, Y)
    assert model.n_iter_ == 1
    other = at_rest(copy.deepcopy(model))
    assert other.fit(X, Y).n_iter_ == 3


def test_a_stop_before_a_fit_is_of_no_account() -> None:
    model = trainer()
    model.stop_training = True
    assert model.fit(X, Y).n_iter_ == 3


@pytest.mark.parametrize("answer", [1, np.True_, "yes"])
def test_a_stop_by_anything_true(answer: Any) -> None:
    model = trainer(callbacks=at(1, lambda m: setattr(m, "stop_training", answer))).fit(X, Y)
    assert model.n_iter_ == 2


# --------------------------------------------------------------------------------------- the record


def test_history_is_a_table() -> None:
    model = fitted(epochs=4, validation_fraction=0.2)
    assert isinstance(model.history, dict)
    frame = pd.DataFrame(model.history)
    assert frame.shape == (4, 6)
    assert frame["val_loss"].tolist() == model.history["val_loss"]
    assert json.loads(json.dumps(model.history)) == model.history
    assert pd.DataFrame(fitted(epochs=4).history).shape == (4, 4)


def test_history_grows_while_the_fit_goes_on() -> None:
    shapes: list[Any] = []
    fitted(callbacks=lambda m, *_: shapes.append(pd.DataFrame(m.history).shape))
    assert shapes == [(1, 4), (2, 4), (3, 4)]


def test_callbacks_give_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(callbacks=[lambda *_: np.zeros(3), lambda *_: "no", lambda *_: float("nan")])
