"""Fits that go on where one has ended: best epoch, patience, validation rows, rate, history."""

import copy
import pickle
import warnings
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from fastmlp import EarlyStopping, FitWarning, Trainer
from fastmlp.schedules import ReduceOnPlateau
from tests.helpers.basics import needs_compiler
from tests.helpers.models import numbers, same_weights

pytestmark = needs_compiler

RNG = np.random.default_rng(7)
X = RNG.standard_normal((160, 5))
Y = (X[:, 0] + 0.8 * RNG.standard_normal(160) > 0).astype(int)
ROWS = RNG.standard_normal((80, 5))
HELD_BACK = ROWS, (ROWS[:, 0] + RNG.standard_normal(80) > 0).astype(int)


def trainer(**settings: Any) -> Trainer:
    default = {"epochs": 60, "learning_rate": 0.02, "batch_size": 16, "seed": 0}
    stopping = {"early_stopping": EarlyStopping(patience=6)}
    return Trainer(8, **{**default, **stopping, **settings})


def whole(**settings: Any) -> Trainer:
    return trainer(**settings).fit(X, Y, validation_data=HELD_BACK)


class At:
    """A callback that does something after an epoch."""

    def __init__(self, epoch: int, what: Any) -> None:
        self.epoch, self.what = epoch, what

    def __call__(self, model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        if epoch == self.epoch:
            self.what(model)


def interrupt(model: Trainer) -> None:
    raise KeyboardInterrupt


def fail(model: Trainer) -> None:
    raise RuntimeError("by a callback")


ENDINGS: dict[str, dict[str, Any]] = {
    "interrupted": {"callbacks": interrupt},
    "exception": {"callbacks": fail},
    "epochs": {},
}


def ended(ending: str, epochs: int, **settings: Any) -> Trainer:
    """A fit that ended after ``epochs`` epochs."""
    if ending == "epochs":
        model = trainer(**settings, epochs=epochs)
    else:
        model = trainer(**settings, callbacks=At(epochs - 1, ENDINGS[ending]["callbacks"]))
    try:
        model.fit(X, Y, validation_data=HELD_BACK)
    except (KeyboardInterrupt, RuntimeError):
        model.callbacks = ()
    assert model.stop_reason_ == ending
    return model


@pytest.mark.parametrize("settings", [{}, {"weight_averaging": 0.7}, {"dropout": 0.2}])
@pytest.mark.parametrize("ending", ENDINGS)
def test_early_stopping_goes_on_counting(ending: str, settings: dict[str, Any]) -> None:
    """Bit for bit as without the interruption, also from a state, a pickle, in two steps."""
    full = whole(**settings)
    best = full.best_epoch_
    assert full.stop_reason_ == "early_stopping"
    assert full.n_iter_ == best + 7
    stopped = ended(ending, best + 4, **settings)
    # The best network predicts, however the fit ended.
    assert stopped.best_epoch_ == best
    assert same_weights(stopped.get_weights(), full.get_weights())
    assert stopped.evaluate(*HELD_BACK)["loss"] == min(stopped.history["val_loss"])
    from_state = trainer(**settings)
    from_state.set_state(pickle.loads(pickle.dumps(stopped.get_state())))
    by_steps = pickle.loads(pickle.dumps(stopped))
    by_steps.warm_start, by_steps.epochs = True, 1
    by_steps.fit(X, Y, validation_data=HELD_BACK)
    for model in (stopped, from_state, by_steps):
        model.warm_start, model.epochs = True, 60
        model.fit(X, Y, validation_data=HELD_BACK)
        assert (model.best_epoch_, model.n_iter_) == (best, full.n_iter_)
        assert model.stop_reason_ == "early_stopping"
        assert numbers(model.history) == numbers(full.history)
        assert same_weights(model.get_weights(), full.get_weights())


@pytest.mark.parametrize("ending", ["interrupted", "exception"])
@pytest.mark.parametrize("restored", [True, False])
def test_an_end_right_before_early_stopping(ending: str, restored: bool) -> None:
    """In the epoch in which patience is used up: nothing is left to train."""
    settings: dict[str, Any] = {"early_stopping": EarlyStopping(patience=6, restore_best=restored)}
    full = whole(**settings)
    model = ended(ending, full.n_iter_, **settings)
    model = pickle.loads(pickle.dumps(model))
    model.warm_start, model.epochs = True, 60
    model.fit(X, Y, validation_data=HELD_BACK)
    assert (model.stop_reason_, model.n_iter_) == ("early_stopping", full.n_iter_)
    assert numbers(model.history) == numbers(full.history)
    assert same_weights(model.get_weights(), full.get_weights())


def test_a_better_epoch_after_the_interruption() -> None:
    full = whole()
    model = ended("interrupted", 2)
    assert full.best_epoch_ > 1
    model.warm_start = True
    model.fit(X, Y, validation_data=HELD_BACK)
    assert numbers(model.history) == numbers(full.history)
    assert same_weights(model.get_weights(), full.get_weights())


@pytest.mark.parametrize("settings", [{}, {"early_stopping": True, "validation_fraction": 0.25}])
def test_an_interrupt_before_the_first_epoch_leaves_all_as_it_was(settings: Any) -> None:
    model = trainer(**settings).fit(X, Y)
    before = vars(model) | {"weights": model.get_weights()}
    model.fitting, model.callbacks = None, ()

    class Early:
        def on_fit_begin(self, model: Trainer) -> None:
            raise KeyboardInterrupt

        def __call__(self, *args: Any) -> None: ...

    model.callbacks = Early()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert same_weights(model.get_weights(), before["weights"])
    for name in ("n_iter_", "best_epoch_", "stop_reason_", "history"):
        assert getattr(model, name) == before[name]


@pytest.mark.parametrize(
    "how",
    [
        "early_stopping",
        "callback",
        "other rows",
        "other features",
        "another monitor",
        "another loss",
    ],
)
def test_otherwise_it_begins_afresh_from_what_predicts(how: str) -> None:
    if how == "early_stopping":
        model = whole()
    elif how == "callback":
        model = whole(callbacks=At(3, lambda model: setattr(model, "stop_training", True)))
    else:
        model = ended("epochs", 11)
    assert model.best_epoch_ < model.n_iter_ - 1 or how == "callback"
    weights, data = model.get_weights(), (X, Y, HELD_BACK)
    if how == "other rows":
        data = X, 1 - Y, HELD_BACK
    if how == "other features":  # in the middle alone
        data = np.vstack([X[:5], 2 * X[5:-5], X[-5:]]), Y, HELD_BACK
    if how == "another monitor":
        model.early_stopping = EarlyStopping("val_accuracy")
    if how == "another loss":
        model.label_smoothing = 0.1
    seen: list[Any] = []
    model.warm_start, model.learning_rate, model.epochs = True, 1e-12, 2
    model.callbacks = lambda model, epoch, logs: seen.append((epoch, model.get_weights()))
    model.fit(data[0], data[1], validation_data=data[2])
    assert [epoch for epoch, _ in seen] == [0, 1]
    assert len(model.history["loss"]) == 2
    for a, b in zip(seen[0][1], weights, strict=True):
        assert np.allclose(a, b, rtol=0, atol=1e-6)


def test_partial_fit_begins_with_what_predicts() -> None:
    model = ended("epochs", 11)
    weights, n_iter = model.get_weights(), model.n_iter_
    model.early_stopping, model.learning_rate = "auto", 1e-12
    model.partial_fit(X, Y)
    for a, b in zip(model.get_weights(), weights, strict=True):
        assert np.allclose(a, b, rtol=0, atol=1e-6)
    assert model.n_iter_ == n_iter + 1 == len(model.history["loss"])


def test_a_stream_goes_on_too() -> None:
    def chunks() -> Any:
        return [(X[:80], Y[:80]), (X[80:], Y[80:])]

    settings: dict[str, Any] = {"scaling": None, "schedule": None}
    full = trainer(**settings).fit_stream(chunks, validation_data=HELD_BACK)
    half = trainer(**settings, epochs=full.best_epoch_ + 3)
    half.fit_stream(chunks, validation_data=HELD_BACK)
    half.warm_start, half.epochs = True, 60
    half.fit_stream(chunks, validation_data=HELD_BACK)
    assert full.stop_reason_ == half.stop_reason_ == "early_stopping"
    assert numbers(half.history) == numbers(full.history)
    assert same_weights(half.get_weights(), full.get_weights())


def test_set_weights_forgets_what_early_stopping_and_plateau_have_seen() -> None:
    plateau = ReduceOnPlateau(patience=1, factor=0.5)
    model = ended("epochs", 11, schedule=plateau)
    given = model.get_weights()
    model.set_weights(given)
    fresh = trainer(schedule=plateau, warm_start=True)
    fresh.set_weights(given, classes=model.classes_, scaling=model.scaling_)
    model.warm_start = True
    for one in (model, fresh):
        one.fit(X, Y, validation_data=HELD_BACK)
    assert numbers(model.history) == numbers(fresh.history)
    assert model.history["learning_rate"][0] == 0.02
    assert same_weights(model.get_weights(), fresh.get_weights())


def test_a_stream_forgets_them_after_set_weights() -> None:
    model = trainer(early_stopping=False, epochs=3, warm_start=True)
    for _ in range(2):
        model.fit_stream(lambda: [(X, Y)])
        assert model.n_iter_ == 3
        model.set_weights(model.get_weights())


OTHERS = {
    "layer_sizes": {"hidden": 9}, "dtype": {"dtype": "float64"}, "rule": {"optimizer": "sgd"},
    "activations": {"activation": "tanh"},
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_a_callback_cannot_set_the_model_of_another_network(name: str) -> None:
    other = Trainer(**{"hidden": 8, "seed": 1, "epochs": 2} | OTHERS[name]).fit(X, Y)
    model = trainer(callbacks=At(2, lambda model: setattr(model, "model_", other.model_)))
    with pytest.raises(ValueError, match=f"model_ must, in a callback, have the {name} of the fit"):
        model.fit(X, Y, validation_data=HELD_BACK)
    assert model.n_iter_ == 3
    assert model.evaluate(*HELD_BACK)["loss"] == min(model.history["val_loss"])


@pytest.mark.parametrize("value", [None, "model"])
def test_a_model_is_a_model(value: Any) -> None:
    model = whole(epochs=1)
    with pytest.raises(TypeError, match="model_ must be a Model, as that of a trainer; got "):
        model.model_ = value
    model.predict(X)


# ------------------------------------------------------------------------------ rows for validation


def test_rows_kept_for_validation_stay_without_a_seed() -> None:
    """Labels are random: rows that were trained on would be known by heart."""
    rng = np.random.default_rng(0)
    rows, labels = rng.standard_normal((400, 20)), rng.integers(0, 2, 400)
    model = Trainer(
        128, epochs=60, learning_rate=0.01, warm_start=True, validation_fraction=0.25,
        early_stopping=False, threads=1,
    )  # fmt: skip
    model.fit(rows, labels)
    assert model.history["accuracy"][-1] == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            model = pickle.loads(pickle.dumps(model))
            model.epochs = 1
            model.fit(rows, labels)
            assert model.history["val_accuracy"][-1] < 0.65
    for seed in (None, 1):  # a seed that is set later does not draw others either
        model.seed = seed
        assert model.fit(rows, labels).history["val_accuracy"][-1] < 0.65


@pytest.mark.parametrize(
    "what", ["rows", "fraction", "kind", "all rows", "a partial fit", "validation_data", "nothing"]
)
def test_other_rows_for_validation_are_warned_of_once(what: str) -> None:
    model = trainer(warm_start=True, epochs=3, early_stopping=False, validation_fraction=0.25)
    data = X, Y
    if what in ("all rows", "a partial fit"):
        model.validation_fraction = 0.0
    if what == "a partial fit":
        model.partial_fit(X, Y)
    else:
        model.fit(X, Y)
    options: dict[str, Any] = {}
    if what == "rows":
        data = X[:150], Y[:150]
    elif what == "validation_data":
        options["validation_data"] = HELD_BACK
    elif what != "nothing":
        model.validation_fraction = 0.2 if what == "fraction" else 0.25
    if what == "kind":
        model.validation_split = "last"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(*data, **options)
    found = [str(one.message) for one in caught if one.category is FitWarning]
    assert len(found) == (what not in ("validation_data", "nothing"))
    assert all("trained on the rows kept for validation" in text for text in found)
    if what not in ("validation_data", "all rows", "a partial fit"):  # the new ones stay
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.fit(*data)


# ------------------------------------------------------------------------------------ learning rate


def lower(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
    """Halves what it finds, once at 0.02."""
    if logs["learning_rate"] == 0.02:
        model.learning_rate = logs["learning_rate"] / 2


def test_a_rate_set_by_a_callback_ends_with_a_fresh_fit() -> None:
    model = trainer(epochs=3, callbacks=lower, early_stopping=False)
    for _ in range(2):
        model.fit(X, Y)
        assert model.learning_rate == 0.02
        assert model.history["learning_rate"] == [0.02, 0.01, 0.01]


def test_it_is_halved_again_and_again() -> None:
    def halve(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        model.learning_rate *= 0.5

    model = trainer(epochs=4, callbacks=halve, early_stopping=False).fit(X, Y)
    assert model.history["learning_rate"] == [0.02, 0.01, 0.005, 0.0025]
    assert model.learning_rate == 0.02


KEPT: list[bytes] = []


def keep(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
    KEPT.append(pickle.dumps(model))


@pytest.mark.parametrize("way", ["warm start", "partial_fit", "pickle", "state", "checkpoint"])
def test_it_goes_on_in_a_fit_that_goes_on(way: str) -> None:
    KEPT.clear()
    model = trainer(epochs=2, callbacks=lower, early_stopping=False)
    if way == "checkpoint":
        model.callbacks = [lower, keep]
    model.fit(X, Y)
    model.callbacks = ()
    if way == "checkpoint":
        model = pickle.loads(KEPT[-1])
        model.callbacks = ()
    if way == "pickle":
        model = pickle.loads(pickle.dumps(model))
    if way == "state":
        other = trainer(epochs=2, early_stopping=False)
        other.set_state(model.get_state())
        model = other
    assert model.learning_rate == 0.02
    model.warm_start, model.epochs = True, 1
    if way == "partial_fit":
        model.partial_fit(X, Y)
    else:
        model.fit(X, Y)
    assert model.history["learning_rate"] == [0.02, 0.01, 0.01]
    assert model.learning_rate == 0.02
    model.learning_rate = 0.02  # an assignment outside a fit ends it
    model.fit(X, Y)
    assert model.history["learning_rate"][-1] == 0.02


@pytest.mark.parametrize("way", ["exception", "interrupted", "pickle", "state"])
def test_a_rate_set_right_before_the_end_goes_on(way: str) -> None:
    """By a callback that then fails itself, or keeps the trainer."""
    kept: list[Any] = []

    def set_and_end(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        if epoch == 1:
            model.learning_rate = 0.5
            kept.extend([model.get_state(), copy.copy(model)])
            if way in ("exception", "interrupted"):
                ENDINGS[way]["callbacks"](model)

    model = trainer(epochs=3, callbacks=set_and_end, early_stopping=False)
    with suppress(KeyboardInterrupt, RuntimeError):
        model.fit(X, Y)
    if way == "state":
        model = trainer()
        model.set_state(kept[0])
    if way == "pickle":
        model = kept[1]
    assert (model.n_iter_, model.learning_rate) == (2, 0.02)
    model.warm_start, model.epochs, model.callbacks, model.early_stopping = True, 1, (), False
    model.fit(X, Y)
    assert model.history["learning_rate"] == [0.02, 0.02, 0.5]


# ------------------------------------------------------------------------------ order of callbacks


@pytest.mark.parametrize("averaging", [0, 0.5])
def test_what_callbacks_make_of_an_epoch_is_kept(averaging: float) -> None:
    """Weights projected to numbers that are not negative: the best ones are that too."""

    def project(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        model.set_weights([np.maximum(w, 0) for w in model.get_weights()])

    free = whole(weight_averaging=averaging)
    model = whole(weight_averaging=averaging, callbacks=project)
    assert min(w.min() for w in free.get_weights()) < 0
    assert min(w.min() for w in model.get_weights()) >= 0
    assert model.history["val_loss"][0] == free.history["val_loss"][0]  # that of before


def zero(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
    model.set_weights([w * 0 for w in model.get_weights()])
    model.learning_rate = 0.5


def test_a_checkpoint_holds_what_callbacks_made_of_the_epoch(tmp_path: Any) -> None:
    from fastmlp.callbacks import Checkpoint

    path = tmp_path / "model.pickle"
    whole(callbacks=[Checkpoint(path), zero], epochs=1)
    kept = pickle.loads(path.read_bytes())
    assert all((w == 0).all() for w in kept.get_weights())
    assert kept.learning_rate == 0.02
    kept.callbacks, kept.warm_start = (), True
    kept.fit(X, Y, validation_data=HELD_BACK)
    assert kept.history["learning_rate"] == [0.02, 0.5]


# ---------------------------------------------------------------------------------------------- NaN


def test_nan_is_never_the_best() -> None:
    calls: list[int] = []

    def odd(y: Any, predicted: Any) -> float:
        calls.append(0)
        return float("nan") if len(calls) == 1 else float(np.mean(y == predicted))

    stopping = EarlyStopping("val_odd", patience=3, mode="max")
    free = trainer(early_stopping=stopping, metrics=odd, epochs=30)
    free.metrics = (odd,)
    model = free.fit_stream(lambda: [(X, Y)], validation_data=HELD_BACK)
    values = model.history["val_odd"]
    assert np.isnan(values[0])
    assert model.best_epoch_ == np.nanargmax(values) > 0
    assert model.n_iter_ == model.best_epoch_ + 4


def test_nan_in_all_epochs_is_warned_of() -> None:
    def odd(y: Any, predicted: Any) -> float:
        return float("nan")

    model = trainer(early_stopping=EarlyStopping("val_odd", mode="max"), metrics=odd, epochs=4)
    with pytest.warns(FitWarning, match="nothing to go by: val_odd was always NaN"):
        model.fit(X, Y, validation_data=HELD_BACK)
    assert (model.n_iter_, model.best_epoch_, model.stop_reason_) == (4, 3, "epochs")


def test_a_plateau_of_nan_alone_is_warned_of() -> None:
    settings = {"schedule": ReduceOnPlateau("val_roc_auc"), "metrics": "roc_auc", "epochs": 3}
    one_class = ROWS, np.ones(len(ROWS), int)
    model = trainer(**settings, early_stopping=False)
    with pytest.warns(FitWarning, match="schedule had nothing to go by: val_roc_auc was always"):
        model.fit(X, Y, validation_data=one_class)


def test_a_loss_that_is_nan_is_named(tmp_path: Any) -> None:
    """The rows that are validated have no weight in the loss."""
    from fastmlp.callbacks import Checkpoint

    model = trainer(early_stopping=True, class_weight={0: 0, 1: 1}, epochs=2)
    model.callbacks = Checkpoint(tmp_path / "best")
    with pytest.warns(FitWarning) as found:
        model.fit(X, Y, validation_data=(X[Y == 0], Y[Y == 0]))
    texts = " ".join(str(warning.message) for warning in found)
    assert "nothing to go by: val_loss was always NaN" in texts
    assert "best was not written: val_loss was NaN in every epoch" in texts


# ----------------------------------------------------------------------------- units of the targets


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("settings", ["plateau", "early stopping", "both"])
def test_the_unit_of_a_target_does_not_matter(settings: str, factor: float) -> None:
    """What is monitored are the losses of the scaled targets; the history has the unit."""
    rows = RNG.standard_normal((300, 5))
    targets = np.sin(2 * rows[:, 0]) + rows[:, 1]
    chosen: dict[str, Any] = {
        "early_stopping": EarlyStopping(patience=3, min_delta=1e-2), "validation_fraction": 0.2,
        "epochs": 40, "loss": "squared_error", "dtype": "float64",
    }  # fmt: skip
    if settings != "early stopping":
        chosen["schedule"] = ReduceOnPlateau(patience=1, min_delta=1e-2)
    if settings == "plateau":
        chosen["early_stopping"] = False
    one = trainer(**chosen).fit(rows, targets)
    other = trainer(**chosen).fit(rows, factor * targets)
    assert (one.n_iter_, one.best_epoch_) == (other.n_iter_, other.best_epoch_)
    assert one.history["learning_rate"] == other.history["learning_rate"]
    losses = np.array(one.history["val_loss"]) * factor**2
    assert np.allclose(other.history["val_loss"], losses, rtol=1e-6)


def test_columns_of_targets_count_alike() -> None:
    """Noise in a large unit does not decide on the best epoch of a signal in a small one."""
    rows = np.random.default_rng(0).standard_normal((400, 5))
    noise = np.random.default_rng(1).standard_normal(400)
    signal = np.sin(2 * rows[:, 0]) + rows[:, 1]
    fits = [
        trainer(learning_rate=0.005, early_stopping=EarlyStopping(patience=10), dtype="float64")
        .fit(rows, np.stack([noise * unit, signal], axis=1))
        for unit in (1.0, 1e5)
    ]  # fmt: skip
    assert fits[0].best_epoch_ == fits[1].best_epoch_
    assert fits[0].n_iter_ == fits[1].n_iter_
    scores = [fit.evaluate(rows, np.stack([noise * u, signal], 1))["r2"] for fit, u in zip(
        fits, (1.0, 1e5), strict=True
    )]  # fmt: skip
    assert scores[0] == pytest.approx(scores[1], rel=1e-6)
