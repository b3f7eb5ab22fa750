"""Settings: what is accepted, that they are attributes kept as given, and names that are near."""

import copy
import inspect
import pickle
import re
from collections import UserList
from dataclasses import fields
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import fastmlp.optimizers
from fastmlp import EarlyStopping, Trainer
from fastmlp.did_you_mean import ALSO_CALLED
from fastmlp.kernels.plugins.activations import ACTIVATIONS
from fastmlp.losses import LOSSES, Huber, SoftmaxCrossEntropy
from fastmlp.metrics import METRICS
from fastmlp.optimizers import OPTIMIZERS, SGD, Adam, AdamW
from fastmlp.schedules import SCHEDULES, Cosine, ReduceOnPlateau, Step
from fastmlp.settings import SETTINGS, Choices, FitSettings, LearningRate, Settings, choices
from fastmlp.settings.checks import INITIALIZERS, LEARNED_SCALINGS
from tests.helpers.basics import INF, NAN, needs_compiler
from tests.helpers.models import X, Y, fit_settings, fitted, numbers, same_weights, trainer


def own_metric(y: Any, predicted: Any) -> float:
    return float((y == predicted).mean())


def stop(trainer: Any, epoch: int, logs: dict[str, float]) -> bool:
    return True


# ------------------------------------------------------------------------------------- all together


def test_settings_defaults() -> None:
    config = choices(Settings())
    assert config.hidden == (128,)
    assert config.dtype == np.dtype("float32")
    assert (config.optimizer, config.learning_rate, config.schedule) == (Adam(), None, "auto")
    assert (config.loss, config.metrics, config.early_stopping) == (None, None, "auto")
    assert (config.batch_size, config.epochs, config.callbacks) == ("auto", "auto", ())
    assert (config.validation_fraction, config.validation_split) == ("auto", "auto")
    assert (config.threads, config.seed, config.verbose) == (None, None, 0)


def test_all_but_the_hidden_units_are_keywords() -> None:
    assert Settings(64).hidden == 64
    with pytest.raises(TypeError, match="positional"):
        Settings(64, "tanh")  # type: ignore[misc]


@pytest.mark.parametrize("kind", [Choices, FitSettings])
def test_a_fit_goes_by_the_same_names(kind: type[Any]) -> None:
    resolved = {"open_ended", "by_batch", "random_state"}
    assert {item.name for item in fields(kind)} - resolved == set(SETTINGS)


@pytest.mark.parametrize(
    ("hidden", "stored"),
    [
        (64, (64,)),
        (np.int32(64), (64,)),
        ((), ()),
        ([], ()),
        ([64, np.int64(32)], (64, 32)),
        (range(1, 4), (1, 2, 3)),
        (np.array([8, 4]), (8, 4)),
        (UserList([5]), (5,)),
    ],
)
def test_settings_hidden(hidden: Any, stored: tuple[int, ...]) -> None:
    config = choices(Settings(hidden=hidden))
    assert config.hidden == stored
    assert all(type(units) is int for units in config.hidden)


@pytest.mark.parametrize("dtype", ["float64", np.float64, np.dtype("float64")])
def test_settings_dtype(dtype: Any) -> None:
    stored = choices(Settings(dtype=dtype)).dtype
    assert isinstance(stored, np.dtype)
    assert stored == np.float64


@pytest.mark.parametrize(
    ("argument", "value", "stored"),
    [
        ("learning_rate", np.float32(0.5), 0.5),
        ("learning_rate", 1, 1.0),
        ("learning_rate", Fraction(1, 2), 0.5),
        ("dropout", 0, 0.0),
        ("dropout", [0.25, 0.5], (0.25, 0.5)),
        ("activation", ["tanh"], ("tanh",)),
        ("l2", 0, 0.0),
        ("metrics", "f1", ("f1",)),
        ("batch_size", np.uint8(7), 7),
        ("epochs", np.int64(7), 7),
        ("shuffle", np.False_, False),
        ("validation_fraction", np.float64(0.25), 0.25),
        ("threads", np.int8(2), 2),
        ("seed", 2**200, 2**200),
        ("verbose", True, 1),
        ("verbose", np.True_, 1),
        ("verbose", np.int16(1), 1),
        ("callbacks", stop, (stop,)),
        ("callbacks", [stop, print], (stop, print)),
    ],
)
def test_settings_stores_plain_values(argument: str, value: Any, stored: Any) -> None:
    got = getattr(choices(Settings(**{argument: value})), argument)
    assert got == stored
    assert type(got) is type(stored)


@pytest.mark.parametrize(("optimizer", "rate"), [("sgd", 0.1), ("adam", 0.001), ("lion", 0.001)])
def test_learning_rate_follows_optimizer(optimizer: str, rate: float) -> None:
    def got(**given: Any) -> LearningRate:
        return fit_settings(epochs=1, **given).learning_rate

    assert got(optimizer=optimizer) == LearningRate(rate, "chosen")
    assert got(optimizer=optimizer, learning_rate=0.3) == LearningRate(0.3, "given")
    own = OPTIMIZERS[optimizer](learning_rate=0.2)
    assert got(optimizer=own) == LearningRate(0.2, "given")
    assert got(optimizer=optimizer, schedule=abs).source == "scheduled"


@pytest.mark.parametrize(
    ("argument", "value", "got"),
    [
        ("hidden", 0, "0"),
        ("hidden", -3, "-3"),
        ("hidden", [8, 0], "0"),
        ("activation", "than", "'than'"),
        ("schedule", "cosin", "'cosin'"),
        ("class_weight", "equal", "'equal'"),
        ("metrics", "rmse", "'rmse'"),
        ("validation_split", "first", "'first'"),
        ("l2", -1, "-1"),
        ("clip_norm", 0, "0"),
        ("time_budget", 0, "0"),
        ("label_smoothing", 1, "1"),
        ("loss", "mse", "'mse'"),
        ("optimizer", "sdg", "'sdg'"),
        ("initializer", "zeros", "'zeros'"),
        ("dtype", "float16", "'float16'"),
        ("dtype", "nonsense", "'nonsense'"),
        ("dtype", np.int32, "<class 'numpy.int32'>"),
        ("dtype", np.dtype(">f4"), "dtype('>f4')"),
        ("learning_rate", 0, "0"),
        ("learning_rate", -0.1, "-0.1"),
        ("learning_rate", NAN, "nan"),
        ("learning_rate", INF, "inf"),
        ("learning_rate", 10**400, "1000"),
        ("dropout", 1.0, "1.0"),
        ("dropout", [0.5, -0.5], "-0.5"),
        ("dropout", NAN, "nan"),
        ("batch_size", 0, "0"),
        ("epochs", 0, "0"),
        ("epochs", np.int64(-1), "np.int64(-1)"),
        ("validation_fraction", 1, "1"),
        ("validation_fraction", -0.1, "-0.1"),
        ("validation_fraction", NAN, "nan"),
        ("threads", 0, "0"),
        ("seed", -1, "-1"),
        ("verbose", 3, "3"),
        ("verbose", -1, "-1"),
    ],
)
def test_settings_rejects_values(argument: str, value: Any, got: str) -> None:
    with pytest.raises(ValueError, match=rf"^{argument}\b.* must be .*; got {re.escape(got)}"):
        Settings(**{"optimizer": "sgd", argument: value})


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("hidden", 8.0),
        ("hidden", True),
        ("hidden", "128"),
        ("hidden", b"128"),
        ("hidden", None),
        ("hidden", {8}),
        ("hidden", [8, 4.0]),
        ("hidden", [8, False]),
        ("hidden", np.array([8.0])),
        ("hidden", [[8]]),
        ("activation", None),
        ("loss", 1),
        ("optimizer", ["sgd"]),
        ("initializer", np.zeros),
        ("dtype", None),
        ("dtype", 32),
        ("learning_rate", "0.1"),
        ("learning_rate", True),
        ("learning_rate", 1j),
        ("optimizer", SGD),
        ("schedule", 1),
        ("schedule", Cosine),
        ("dropout", None),
        ("dropout", False),
        ("class_weight", [1, 2]),
        ("early_stopping", 1),
        ("early_stopping", "val_loss"),
        ("metrics", [1]),
        ("clip_norm", True),
        ("batch_size", 32.0),
        ("batch_size", None),
        ("batch_size", True),
        ("batch_size", "32"),
        ("epochs", np.float64(3)),
        ("epochs", np.True_),
        ("shuffle", "yes"),
        ("validation_fraction", "0.2"),
        ("threads", 2.0),
        ("threads", True),
        ("seed", np.random.default_rng(0)),
        ("seed", 1.0),
        ("warm_start", 0),
        ("verbose", None),
        ("verbose", 1.0),
        ("callbacks", None),
        ("callbacks", [stop, 3]),
        ("callbacks", "stop"),
    ],
)
def test_settings_rejects_types(argument: str, value: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{argument}\b.* must be .*; got "):
        Settings(**{argument: value})


def test_names_are_listed() -> None:
    names = ", ".join(map(repr, OPTIMIZERS))
    wanted = f"optimizer must be one of {names}, or an object of fastmlp.optimizers; got 'sdg'"
    with pytest.raises(ValueError, match=re.escape(wanted)):
        Settings(optimizer="sdg")


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"optimizer": SGD(0.1), "learning_rate": 0.2}, "learning_rate has no effect beside opt"),
        ({"schedule": len, "learning_rate": 0.2}, "no effect beside a function as schedule"),
        ({"schedule": len, "optimizer": SGD(0.1)}, "no effect beside a function as schedule"),
        ({"schedule": abs, "learning_rate": 0.1}, "learning_rate has no effect beside a function"),
        ({"schedule": abs, "optimizer": SGD(0.1)}, "learning_rate has no effect beside a function"),
        ({"hidden": 8, "dropout": [0.5]}, "dropout must be one number for all hidden layers, or"),
        ({"hidden": (), "dropout": [0.5] * 2}, "dropout must be one number for all hidden layers"),
        ({"hidden": (), "activation": "tanh"}, "activation has no effect without hidden layers"),
        ({"hidden": (), "dropout": 0.5}, "dropout has no effect without hidden layers"),
        ({"activation": ["relu", "tanh"]}, "activation must be one name, or one for each hidden"),
        ({"dropout": [0.1]}, "dropout must be one number for all hidden layers, or one for the in"),
        ({"refit": True, "epochs": 3}, "refit has no effect without early stopping; got early_sto"),
        ({"refit": True, "early_stopping": False}, "refit has no effect without early stopping"),
        ({"refit": True, "validation_fraction": 0}, "no effect without rows kept for validation"),
        (
            {"refit": True, "early_stopping": EarlyStopping("loss")},
            "refit has no effect without rows kept for validation; got validation_fraction='auto'",
        ),
        ({"refit": True, "warm_start": True}, "refit trains afresh, without warm_start; got"),
        ({"refit": True, "time_budget": 3}, "refit trains afresh, without time_budget; got"),
    ],
)
def test_settings_contradictions(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        choices(Settings(**arguments))
    choices(Settings(hidden=(), dropout=[0.5]))
    choices(Settings(hidden=(4, 3), activation=["relu", "tanh"], dropout=[0, 0.1, 0.2]))


def test_what_goes_together() -> None:
    assert fit_settings(hidden=(), activation=()).activations(0) == ()
    assert fit_settings(hidden=(), dropout=(0.5,)).dropouts(0) == (0.5,)
    assert fit_settings(hidden=(3, 4), dropout=0.5).dropouts(2) == (0.0, 0.5, 0.5)
    assert fit_settings(hidden=3, dropout=(0, 0)).dropouts(1) == ()
    assert fit_settings(hidden=(3, 4), activation="tanh").activations(2) == ("tanh", "tanh")


# ----------------------------------------------------------------------------- attributes, as given


class Callback:
    def __call__(self, *args: Any) -> None: ...


GIVEN: dict[str, list[Any]] = {
    "hidden": [5, (), [6, 2], (300,), np.array([4, 4]), np.int64(3), range(1, 3), UserList([5])],
    "activation": ["relu", "gelu", ["tanh"], ("softplus",)],
    "initializer": ["auto", "glorot_uniform", "he_normal", "orthogonal"],
    "dropout": [0, 0.25, np.float32(0.5), [0.1, 0.2]],
    "loss": ["auto", "softmax_cross_entropy", SoftmaxCrossEntropy()],
    "class_weight": [None, "balanced", {0: 2, 2: 0.5}],
    "label_smoothing": [0, 0.1],
    "optimizer": ["sgd", "adam", np.str_("adam"), Adam(beta1=0.8), SGD(momentum=0.9)],
    "learning_rate": [None, 1, 0.5, np.float32(0.1), Fraction(1, 3)],
    "schedule": [None, "cosine", Step(every=2), lambda update: 0.1 / (1 + update)],
    "l2": [0, 1e-3],
    "l1": [0, Fraction(1, 1000)],
    "clip_norm": [None, 1, 0.5],
    "epochs": [1, np.int16(3)],
    "batch_size": [1, np.uint8(7), 10**30],
    "weight_averaging": [0, 0.5, np.float32(0.9), Fraction(1, 2)],
    "shuffle": [True, np.False_],
    "scaling": ["auto", "robust", None, 1, np.float32(0.5), Fraction(1, 255), [1, 2, 0, -1], X[0]],
    "missing": ["error", "impute"],
    "validation_fraction": [0, 0.25, np.float32(0.5), Fraction(1, 4)],
    "validation_split": ["last", "shuffled", "stratified"],
    "early_stopping": [False, True, EarlyStopping(patience=3), np.True_],
    "refit": [True, np.False_],
    "metrics": ["auto", "f1", ["accuracy", "log_loss"], (), own_metric],
    "time_budget": [None, 100, 1e9],
    "dtype": ["float32", "float64", np.float32, np.float64, np.dtype("float64")],
    "threads": [None, 1, np.int8(2)],
    "seed": [None, 0, 2**200, np.uint64(2**63)],
    "warm_start": [True, np.False_],
    "verbose": [0, 1, 2, True],
    "callbacks": [(), [], print, [Callback()], (Callback(), print), UserList([print])],
}


def test_every_setting_is_tried() -> None:
    parameters = [name for name in inspect.signature(Trainer).parameters]
    assert list(GIVEN) == parameters == list(SETTINGS)
    assert [parameter.default for parameter in inspect.signature(Trainer).parameters.values()] == [
        getattr(Trainer(), name) for name in parameters
    ]


def clone(model: Trainer) -> Trainer:
    """As scikit-learn makes a new estimator with the same parameters, and checks that it did."""
    given = {name: getattr(model, name) for name in inspect.signature(Trainer).parameters}
    new = type(model)(**given)
    for name, value in given.items():
        assert getattr(new, name) is value, name
    return new


@pytest.mark.parametrize("name", GIVEN)
def test_settings_are_kept_as_given(name: str) -> None:
    for value in GIVEN[name]:
        model = Trainer(**{name: value})
        assert getattr(model, name) is value
        assert getattr(clone(model), name) is value
        other = Trainer()
        setattr(other, name, value)
        assert getattr(other, name) is value
        Settings(**{name: value})


@needs_compiler
@pytest.mark.parametrize("name", GIVEN)
def test_a_fit_leaves_settings_as_they_are(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for value in GIVEN[name]:
        epochs = "auto" if name == "refit" else 1  # it needs early stopping
        model = Trainer(**{"hidden": 4, "epochs": epochs, "seed": 0, name: value})
        before = {setting: getattr(model, setting) for setting in SETTINGS}
        model.fit(X, Y).predict(X)
        model.set_weights(model.get_weights())
        assert all(getattr(model, setting) is before[setting] for setting in SETTINGS)
        new = clone(model).fit(X, Y)
        if model.seed is not None:
            assert same_weights(new.get_weights(), Trainer(**before).fit(X, Y).get_weights())
    capsys.readouterr()


WRONG: dict[str, list[Any]] = {
    "hidden": [0, -1, 1.5, "8", None, [3, 0], [[3]], True, {3}, [2, None]],
    "activation": ["than", None, 1, ["relu", None], ["relu", "RELU"]],
    "initializer": ["uniform", None],
    "dropout": [1, -0.1, NAN, None, "0.5", [0.1, 1], [None]],
    "loss": ["mse", None, SoftmaxCrossEntropy],
    "class_weight": ["equal", 1, [1, 2], {0: -1}, {0: "1"}],
    "label_smoothing": [1, -0.1, NAN, None],
    "optimizer": ["lbfgs", None, "SGD", b"sgd", SGD],
    "learning_rate": [0, -0.1, NAN, INF, "0.1", True, [0.1], 1j],
    "schedule": ["cosin", 1, Step],
    "l2": [-1, NAN, INF, None, "0"],
    "l1": [-1, NAN, INF, None, True],
    "clip_norm": [0, -1, NAN, INF, "1"],
    "epochs": [0, -1, 2.0, None, True],
    "batch_size": [0, -1, 1.5, None, "32", True],
    "weight_averaging": [1, -0.1, NAN, None, "0.9", True],
    "shuffle": [None, 1, "no"],
    "scaling": ["minmax", 0, -1, INF, NAN, True, [], [1, NAN], [1, "a"], X, {1: 2}],
    "missing": [None, "mean", True],
    "validation_fraction": [-0.1, 1, 1.5, NAN, None, "0.1"],
    "validation_split": ["first", None],
    "early_stopping": [None, 1, "val_loss", EarlyStopping],
    "refit": [None, 1, "yes"],
    "metrics": ["rmse", None, 1, ["f1", 1]],
    "time_budget": [0, -1, NAN, INF, "1", True],
    "dtype": ["float16", "int64", None, int, np.float16, ">f4", "f4"],
    "threads": [0, -1, 1.5, "2", True],
    "seed": [-1, 1.5, "0", True, np.random.default_rng(0)],
    "warm_start": [None, 1],
    "verbose": [3, -1, None, "1"],
    "callbacks": [None, 1, "stop", [1], [print, None], iter([print]), {print}],
}


def test_every_setting_is_tried_with_wrong_values() -> None:
    assert list(WRONG) == list(SETTINGS)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_an_error_where_it_is_set(name: str) -> None:
    """And the value before stays."""
    for value in WRONG[name]:
        with pytest.raises((TypeError, ValueError), match=rf"^{name}\b.* must be "):
            Trainer(**{name: value})
        for before in GIVEN[name]:
            model = Trainer(**{name: before})
            with pytest.raises((TypeError, ValueError), match=rf"^{name}\b.* must be "):
                setattr(model, name, value)
            assert getattr(model, name) is before


@needs_compiler
def test_combinations_are_checked_by_the_fit() -> None:
    model = Trainer(4, optimizer=SGD(0.1), learning_rate=0.2, epochs=1)
    with pytest.raises(ValueError, match="learning_rate has no effect beside optimizer=SGD"):
        model.fit(X, Y)
    assert not hasattr(model, "classes_")
    model.learning_rate = None
    weights = model.fit(X, Y).get_weights()
    model.dropout, model.activation = (0.1, 0.1, 0.1), ["relu", "tanh"]
    for message in ("activation must be one name", "dropout must be one number"):
        with pytest.raises(ValueError, match=message):
            model.fit(X, Y)
        model.activation = "relu"
    assert same_weights(model.get_weights(), weights)
    model.dropout = 0
    model.fit(X, Y)


@needs_compiler
def test_a_schedule_that_monitors_what_is_not_recorded() -> None:
    model = trainer(schedule=ReduceOnPlateau(monitor="val_loss"))
    with pytest.raises(ValueError, match="monitor must be one of 'loss'"):
        model.fit(X, Y)
    model.fit(X, Y, validation_data=(X, Y))
    model = trainer(schedule=ReduceOnPlateau(monitor="own_metric"), metrics=own_metric)
    with pytest.raises(ValueError, match=r"monitor must be a loss or a named .*; got 'own_metric'"):
        model.fit(X, Y)


@needs_compiler
def test_rates_of_schedules_are_in_the_history() -> None:
    model = fitted(epochs=4, batch_size=60, schedule=Step(every=2, factor=0.5))
    np.testing.assert_allclose(model.history["learning_rate"], [0.01, 0.01, 0.005, 0.005])


@needs_compiler
def test_rates_of_any_type_are_float64() -> None:
    kind, settings = np.float32, {"epochs": 3, "optimizer": "adamw", "dtype": "float64"}
    rate = kind(0.0123)
    given = [trainer(**settings, learning_rate=rate).fit(X, Y) for rate in (rate, float(rate))]
    assert same_weights(*(model.get_weights() for model in given))


def test_copies_and_pickles_keep_objects() -> None:
    options = {"optimizer": AdamW(0.02), "schedule": Cosine(warmup=0.2), "loss": Huber(2.0)}
    model = trainer(learning_rate=None, **options)
    wanted = trainer(learning_rate=None, **options).fit(X, Y).get_weights()
    for other in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert {name: getattr(other, name) for name in options} == options
        assert same_weights(other.fit(X, Y).get_weights(), wanted)


@needs_compiler
def test_assigned_settings_count_from_the_next_fit_on() -> None:
    model = fitted()
    model.epochs = 50
    assert model.n_iter_ == 3
    assert model.fit(X, Y).n_iter_ == 50
    model.hidden, model.seed, model.batch_size = (9, 5), 4, 7
    assert model.layer_sizes_ == (4, 8, 3)
    model.fit(X, Y)
    assert model.layer_sizes_ == (4, 9, 5, 3)
    wanted = fitted((9, 5), seed=4, batch_size=7, epochs=50)
    assert same_weights(model.get_weights(), wanted.get_weights())


@needs_compiler
def test_a_list_that_changes_in_place_is_checked_again() -> None:
    sizes: list[Any] = [8]
    model = fitted(sizes)
    sizes.append(5)
    assert model.layer_sizes_ == (4, 8, 3)
    assert model.fit(X, Y).layer_sizes_ == (4, 8, 5, 3)
    sizes.append("wide")
    with pytest.raises(
        TypeError, match=r"hidden\[2\] must be an integer >= 1 and < 2\*\*31; got 'wide'"
    ):
        model.fit(X, Y)
    assert model.layer_sizes_ == (4, 8, 5, 3)
    callbacks: list[Any] = []
    model = trainer(callbacks=callbacks)
    callbacks.append("stop")
    with pytest.raises(TypeError, match="callbacks must be callable"):
        model.fit(X, Y)


@needs_compiler
@pytest.mark.parametrize(("name", "value"), [("scaling", 0.01), ("dtype", "float64")])
def test_the_fitted_network_does_not_follow_settings(name: str, value: Any) -> None:
    model = fitted(scaling=2.0, validation_fraction=0.2)
    wanted = model.predict_proba(X), model.predict_proba(X[:1]), model.evaluate(X, Y)
    setattr(model, name, value)
    got = model.predict_proba(X), model.predict_proba(X[:1]), model.evaluate(X, Y)
    assert all(map(np.array_equal, got[:2], wanted[:2]))
    assert got[0].dtype == wanted[0].dtype
    assert got[2] == wanted[2]
    model.fit(X, Y)
    new = fitted(**{"scaling": 2.0, "validation_fraction": 0.2, name: value})
    assert np.array_equal(model.predict_proba(X), new.predict_proba(X))
    assert numbers(model.history) == numbers(new.history)


# ------------------------------------------------------------------------------------ names, nearly

NEAR = {
    "learning_rat": "learning_rate",
    "learningrate": "learning_rate",
    "learning_rates": "learning_rate",
    "Learning_Rate": "learning_rate",
    "epoch": "epochs",
    "EPOCHS": "epochs",
    "n_epochs": "epochs",
    "batchsize": "batch_size",
    "batch_sise": "batch_size",
    "hiden": "hidden",
    "hidden_": "hidden",
    "stop_trainning": "stop_training",
    "stop_traning": "stop_training",
    "optimiser": "optimizer",
    "initialiser": "initializer",
    "warmstart": "warm_start",
    "callback": "callbacks",
    "thread": "threads",
    "shuffel": "shuffle",
    "drop_out": "dropout",
    "early_stoping": "early_stopping",
    "scalin": "scaling",
    "validation_fractions": "validation_fraction",
    "activations": "activation",
    "verbos": "verbose",
    "dtyp": "dtype",
    "seeds": "seed",
    "lr": "learning_rate",
    "alpha": "l2",
    "max_iter": "epochs",
    "hidden_layer_sizes": "hidden",
    "random_state": "seed",
    "n_jobs": "threads",
    "batch": "batch_size",
}


@pytest.mark.parametrize("name", NEAR)
def test_a_near_miss_is_an_error(name: str) -> None:
    model = Trainer()
    message = f"Trainer has no setting {name!r}; did you mean {NEAR[name]!r}?"
    with pytest.raises(AttributeError, match=re.escape(message)):
        setattr(model, name, 1)
    assert not hasattr(model, name)
    message = f"unexpected keyword argument {name!r}; did you mean {NEAR[name]!r}?"
    if NEAR[name] in SETTINGS:
        with pytest.raises(TypeError, match=rf"^Trainer.__init__\(\) got an {re.escape(message)}$"):
            Trainer(**{name: 1})


ELSEWHERE = {
    "momentum": "optimizer=SGD(momentum=...)",
    "weight_decay": "optimizer=AdamW(weight_decay=...)",
    "patience": "early_stopping=EarlyStopping(patience=...)",
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_setting_of_another_object_is_named(name: str) -> None:
    message = re.escape(f"; did you mean {ELSEWHERE[name]}?")
    with pytest.raises(AttributeError, match=message):
        setattr(Trainer(), name, 1)
    with pytest.raises(TypeError, match=message):
        Trainer(**{name: 1})


MEANT: dict[str, dict[str, str]] = {
    "loss": {
        "mse": "squared_error", "MSELoss": "squared_error", "l2": "squared_error",
        "mae": "absolute_error", "l1": "absolute_error", "Huber": "huber", "pinball": "quantile",
        "cross_entropy": "softmax_cross_entropy", "bce": "binary_cross_entropy",
        "categorical_crossentropy": "softmax_cross_entropy", "poison": "poisson",
    },
    "optimizer": {"Adam": "adam", "SGD": "sgd", "sdg": "sgd", "AdamW": "adamw", "nesterov": "sgd"},
    "activation": {
        "sigmoid": "logistic", "linear": "identity", "swish": "silu", "leakyrelu": "leaky_relu",
        "ReLU": "relu", "than": "tanh",
    },
    "initializer": {
        "xavier": "glorot_uniform", "glorot": "glorot_uniform", "kaiming": "he_uniform",
        "kaiming_normal": "he_normal", "He_Normal": "he_normal",
    },
    "schedule": {
        "cosin": "cosine", "plateau": "reduce_on_plateau", "OneCycleLR": "one_cycle",
        "invscaling": "inverse_scaling", "StepLR": "step",
    },
    "scaling": {"minmax": "max_abs", "z-score": "standard", "Robust": "robust"},
    "metrics": {"acc": "accuracy", "auc": "roc_auc", "rmse": "mse", "F1": "f1", "R2": "r2"},
    "missing": {"mean": "impute", "impuet": "impute"},
    "validation_split": {"random": "shuffled", "stratify": "stratified"},
    "class_weight": {"balance": "balanced"},
}  # fmt: skip


@pytest.mark.parametrize("name", MEANT)
def test_the_value_that_was_meant_is_named(name: str) -> None:
    for value, meant in MEANT[name].items():
        message = re.escape(f"; got {value!r}; did you mean {meant!r}?")
        with pytest.raises(ValueError, match=rf"^{name} must be .*{message}$"):
            Trainer(**{name: value})
        Trainer(**{name: meant})


def test_each_item_is_looked_up() -> None:
    with pytest.raises(ValueError, match=r"activation\[1\] must .*; did you mean 'logistic'\?$"):
        Trainer((3, 4), activation=["relu", "sigmoid"])
    with pytest.raises(ValueError, match=r"; got \['f1', 'auc'\]; did you mean 'roc_auc'\?$"):
        Trainer(metrics=["f1", "auc"])


def test_without_a_likely_name_there_is_no_hint() -> None:
    with pytest.raises(ValueError, match=r"got 'lbfgs'$"):
        Trainer(optimizer="lbfgs")
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'foo'$"):
        Trainer(foo=1)
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'weight_decay'$"):
        Adam(weight_decay=0.1)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("kind", "name", "meant"),
    [
        (Adam, "lr", "learning_rate"),
        (Adam, "eps", "epsilon"),
        (EarlyStopping, "patiense", "patience"),
        (EarlyStopping, "restore_best_weights", "restore_best"),
        (ReduceOnPlateau, "min_deltas", "min_delta"),
    ],
)
def test_objects_name_the_field_that_was_meant(kind: type[Any], name: str, meant: str) -> None:
    message = rf"^{kind.__name__}.__init__\(\) got an .* {name!r}; did you mean {meant!r}\?$"
    with pytest.raises(TypeError, match=message):
        kind(**{name: 1})


def test_an_initializer_of_a_subclass_has_its_own_names() -> None:
    class Short(Trainer):
        def __init__(self, lr: float, **others: Any) -> None:
            others.pop("n_jobs")
            super().__init__(learning_rate=lr, **others)

    model = Short(lr=0.5, epochs=3, n_jobs=2)
    assert (model.learning_rate, model.epochs) == (0.5, 3)


def test_every_name_in_the_table_is_one_of_this_package() -> None:
    known = {
        *SETTINGS, *LOSSES, *OPTIMIZERS, *SCHEDULES, *METRICS, *ACTIVATIONS, *INITIALIZERS,
        *LEARNED_SCALINGS, "impute", "error", "shuffled", "stratified", "epsilon", "restore_best",
        "best_only",
    }  # fmt: skip
    assert {name.partition("=")[0] for name in ALSO_CALLED} <= known


@pytest.mark.parametrize(
    "name",
    [
        "scaler", "model_name", "notes", "best_loss", "best_epoch_", "lr_", "_lr", "x", "name",
        "val_losses", "labels", "started", "id", "tags", "n_rows", "columns", "rate",
        "units", "size", "fold", "feature_names", "threshold", "_epoch", "_seed", "pipeline",
        "history_", "best_weights", "description", "train_loss", "path", "score_", "created_at",
    ],
)  # fmt: skip
def test_other_names_are_the_users(name: str) -> None:
    model = Trainer()
    setattr(model, name, "mine")
    assert getattr(model, name) == "mine"
    setattr(model, name, "still mine")
    delattr(model, name)
    assert not hasattr(model, name)


def test_a_name_that_a_subclass_has_is_its_own() -> None:
    class Counting(Trainer):
        epoch = 0

    model = Counting()
    model.epoch = 3
    assert (model.epoch, model.epochs) == (3, "auto")


def test_what_a_fit_leaves_cannot_be_assigned() -> None:
    for name in ("classes_", "n_features_in_", "feature_names_in_", "layer_sizes_"):
        with pytest.raises(AttributeError):
            setattr(Trainer(), name, 1)


def test_a_setting_cannot_be_deleted() -> None:
    model = Trainer(epochs=2)
    with pytest.raises(AttributeError, match="the setting 'epochs' cannot be deleted"):
        del model.epochs
    assert model.epochs == 2


# --------------------------------------------------------------------------------------------- repr

NAMES = {kind.__name__: kind for kind in (Huber, Cosine, EarlyStopping)}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"hidden": ()},
        {"hidden": [6, 2], "seed": 0},
        {"optimizer": "adam", "learning_rate": 0.01, "batch_size": 7, "epochs": 2},
        {"optimizer": SGD(momentum=0.9, nesterov=True), "learning_rate": 0.1, "shuffle": False},
        {"loss": Huber(delta=2.0), "schedule": Cosine(warmup=0.1), "dropout": (0.1, 0.2)},
        {"early_stopping": EarlyStopping(patience=3), "class_weight": {0: 1.0, 1: 2.0}},
        {"dtype": "float64", "threads": 1, "warm_start": True, "verbose": 1},
        {"validation_fraction": 0.25, "initializer": "normal", "scaling": 1 / 255},
    ],
)
def test_repr_makes_the_same_trainer(settings: dict[str, Any]) -> None:
    model = Trainer(**settings)
    same = eval(repr(model), {"Trainer": Trainer, **vars(fastmlp.optimizers), **NAMES})
    assert {name: getattr(same, name) for name in SETTINGS} == {
        name: getattr(model, name) for name in SETTINGS
    }
    assert repr(same) == repr(model)
    for name in set(SETTINGS) - set(settings) - {"hidden"}:
        assert f"{name}=" not in repr(model)


def test_repr_of_a_subclass_and_of_arrays() -> None:
    class Mine(Trainer):
        pass

    assert repr(Mine(np.array([3, 4]))) == "Mine(hidden=array([3, 4]))"
    assert "callbacks=[<built-in function print>]" in repr(Trainer(callbacks=[print]))
