"""Fits that cover every feature of training, on small data; see ``same_weights.py``.

They use only public names, so that they run on other commits too. Each is a function without
arguments that returns trainers and arrays. To be comparable, a fit must not depend on time.
"""

import copy
import pickle
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from fastmlp import EarlyStopping, Ensemble, Trainer, fit_many, presets, schedules
from fastmlp.losses import Huber, Quantile
from fastmlp.optimizers import SGD, Adagrad, Adam, AdamW, AMSGrad, Lion, RMSprop

Array = npt.NDArray[Any]
Results = list[Any]

N, D, CLASSES = 301, 7, 3
_RNG = np.random.default_rng(20)
X = _RNG.standard_normal((N, D), np.float32)
_Z = X @ _RNG.standard_normal((D, CLASSES)).astype(np.float32)
LABELS = _Z.argmax(axis=1)
NUMBERS = 100 + 30 * _Z[:, 0].astype(np.float64)
COLUMNS = _Z * [1.0, 50.0, 0.01] + 2
COUNTS = _RNG.poisson(np.exp(_Z[:, 0] / 3))
SOFT = np.exp(_Z) / np.exp(_Z).sum(axis=1, keepdims=True)
ONE_HOT = np.eye(CLASSES, dtype=np.int64)[LABELS]
FLAGS = (_Z > 0).astype(np.int64)
TWO = np.where(_Z[:, 0] > 0, "yes", "no")
TARGETS = {
    "labels": LABELS, "one-hot": ONE_HOT, "soft": SOFT, "two": TWO, "flags": FLAGS,
    "numbers": NUMBERS, "columns": COLUMNS, "counts": COUNTS,
}  # fmt: skip

UNITS = X * [1, 1e3, 1e-3, 5, 5, 5, 5] + np.arange(D)
UNITS[:, 3] = np.exp(X[:, 3])
UNITS[:, 4] = X[:, 4] > 0.5
PIXELS = (_RNG.integers(0, 256, (N, 40)) * (_RNG.random((N, 40)) < 0.15)).astype(np.uint8)
GAPS = np.where(_RNG.random((N, D)) < 0.1, np.nan, UNITS)
COLOURS = _RNG.choice(["red", "green", "blue"], N)
SMALL, FLAG = _RNG.integers(0, 9, N), _RNG.random(N) < 0.5
WEIGHTS = _RNG.integers(0, 4, N).astype(np.float64)
MANY = _RNG.standard_normal((21_000, 5), np.float32)
MANY_LABELS = (MANY @ [1, -2, 0.5, 0, 1] > 0) + (MANY[:, 3] > 1)
PLAIN: dict[str, Any] = {"hidden": 9, "epochs": 3, "batch_size": 33, "seed": 1, "threads": 1}


def answers(trainer: Any, rows: Any) -> Results:
    found = [trainer.predict(rows)]
    if isinstance(trainer, Ensemble):
        return [*trainer.members, *found, trainer.spread(rows)]
    return [trainer, *found, trainer.decision_function(rows)]


def fit(rows: Any, Y: Any, weights: Any = None, held: Any = None, **settings: Any) -> Results:
    trainer = Trainer(**PLAIN | settings)
    return answers(trainer.fit(rows, Y, sample_weight=weights, validation_data=held), rows)


def table(package: str) -> Any:
    """A table with gaps and categories; asv finds its benchmarks without these packages."""
    pandas = import_module("pandas")
    frame = pandas.DataFrame(GAPS, columns=list("abcdefg")).assign(
        colour=pandas.Categorical(COLOURS), small=pandas.array(SMALL, dtype="Int64"), flag=FLAG
    )
    if package == "polars":
        return import_module("polars").from_pandas(frame)
    return import_module("pyarrow").Table.from_pandas(frame) if package == "pyarrow" else frame


def of_table(make: Callable[..., Results], package: str, *args: Any, **settings: Any) -> Results:
    return make(table(package), *args, **settings)


def of_sparse(*args: Any, **settings: Any) -> Results:
    rows = import_module("scipy.sparse").csr_matrix(PIXELS.astype(np.float32))
    return fit(rows, *args, **settings)


def of_many_categories(*args: Any, **settings: Any) -> Results:
    pandas = import_module("pandas")
    users = np.arange(len(MANY)) % 2_500
    frame = pandas.DataFrame({"x": MANY[:, 0], "user": pandas.Categorical(users)})
    return fit(frame, *args, **settings)


def automatic(rows: Any, targets: Array, **settings: Any) -> Results:
    return answers(Trainer(**{"seed": 1, "threads": 1} | settings).fit(rows, targets), rows)


FITS: dict[str, Callable[[], Results]] = {
    f"{name}: {key}={value}": partial(fit, X, TARGETS[name], **{key: value})
    for name, key, *values in (
        ("labels", "loss", "auto", "softmax_cross_entropy"),
        ("one-hot", "loss", "auto", "softmax_cross_entropy", "binary_cross_entropy"),
        ("soft", "loss", "softmax_cross_entropy"),
        ("two", "loss", "auto", "binary_cross_entropy"),
        ("flags", "loss", "auto", "binary_cross_entropy"),
        ("numbers", "loss", "auto", "squared_error", "absolute_error", "huber", "quantile"),
        ("numbers", "loss", Huber(delta=20.0), Quantile(0.1), Quantile((0.1, 0.5, 0.8))),
        ("columns", "loss", "auto", "squared_error", "absolute_error", "huber", "quantile"),
        ("counts", "loss", "poisson", "squared_error"),
        ("labels", "activation", "identity", "relu", "leaky_relu", "tanh", "logistic", "elu"),
        ("labels", "activation", "selu", "gelu", "silu", "mish", "softplus"),
        ("labels", "initializer", "auto", "glorot_uniform", "glorot_normal", "he_uniform"),
        ("labels", "initializer", "he_normal", "lecun_normal", "orthogonal", "normal"),
        ("labels", "optimizer", "sgd", "adam", "adamw", "amsgrad", "rmsprop", "adagrad", "lion"),
        ("labels", "optimizer", SGD(0.05, momentum=0.9), SGD(momentum=0.9, nesterov=True)),
        ("labels", "optimizer", SGD(weight_decay=0.01), Adam(0.01, beta1=0.8, epsilon=1e-3)),
        ("labels", "optimizer", AdamW(weight_decay=0.1), AMSGrad(beta2=0.9, weight_decay=0.1)),
        ("labels", "optimizer", RMSprop(rho=0.5, weight_decay=0.1), Adagrad(0.5, weight_decay=0.1)),
        ("labels", "optimizer", Lion(beta1=0.8, weight_decay=0.1)),
        ("labels", "learning_rate", 0.02),
        ("labels", "schedule", "constant", "step", "exponential", "cosine", "one_cycle"),
        ("labels", "schedule", "coslog4", "inverse_scaling", "reduce_on_plateau", None),
        ("labels", "schedule", schedules.Step(every=2, factor=0.5), schedules.Exponential(0.5)),
        ("labels", "schedule", schedules.Cosine(0.2, 0.1)),
        ("labels", "schedule", schedules.OneCycle(0.5, 0.1, 0.01), schedules.InverseScaling(0.2)),
        ("labels", "schedule", schedules.ReduceOnPlateau("accuracy", patience=0, min_delta=1.0)),
        ("labels", "dropout", 0.3, (0.2, 0.0), (0.2, 0.4)),
        ("labels", "l2", 0.01),
        ("labels", "l1", 0.01),
        ("labels", "clip_norm", 0.1),
        ("labels", "label_smoothing", 0.1),
        ("flags", "label_smoothing", 0.1),
        ("labels", "class_weight", "balanced", {0: 2.0, 2: 0.5}),
        ("two", "class_weight", "balanced", {"yes": 3.0}),
        ("labels", "hidden", 1, (), 31, 128, (9, 5), (33, 16, 2)),
        ("numbers", "hidden", (), (9, 5)),
        ("labels", "batch_size", 1, 32, N, 5_000, "auto"),
        ("labels", "epochs", "auto", 1),
        ("labels", "weight_averaging", 0.5, 0.9),
        ("labels", "shuffle", False),
        ("labels", "validation_fraction", 0.2),
        ("numbers", "validation_fraction", 0.2),
        ("labels", "early_stopping", True, EarlyStopping("accuracy", patience=0, min_delta=0.1)),
        ("labels", "metrics", ("accuracy", "balanced_accuracy", "f1", "log_loss")),
        ("two", "metrics", "roc_auc"),
        ("numbers", "metrics", ("mse", "mae", "r2")),
        ("labels", "dtype", "float64"),
        ("labels", "seed", 2),
    )
    for value in values
}  # fmt: skip

FITS |= {
    "a layer of tanh, one of selu": partial(
        fit, X, LABELS, hidden=(9, 6), activation=("tanh", "selu")
    ),
    "a schedule of the user": partial(fit, X, LABELS, schedule=lambda update: 0.01 / (1 + update)),
    "everything at once": partial(
        fit, X, LABELS, WEIGHTS, hidden=(17, 5), dropout=(0.1, 0.2, 0.3), l1=1e-3, l2=1e-3,
        clip_norm=0.5, label_smoothing=0.1, class_weight="balanced", schedule="cosine",
        optimizer=AdamW(), weight_averaging=0.5, scaling="robust", validation_fraction=0.2,
        early_stopping=True, epochs=5, refit=True,
    ),
    "float64 throughout": partial(fit, UNITS, NUMBERS, dtype="float64", scaling="standard", l2=0.1),
    "all in one batch of 2,500": partial(fit, MANY[:2_500], MANY_LABELS[:2_500], batch_size=2_500),
    "pixels": partial(fit, PIXELS, LABELS),
    "pixels as they are": partial(fit, PIXELS, LABELS, scaling=None, learning_rate=1e-5),
    "zeros among floats": partial(fit, PIXELS.astype(np.float64), LABELS, hidden=40),
    "columns in Fortran's order": partial(fit, np.asfortranarray(UNITS), NUMBERS.astype(int) // 20),
    "lists": partial(fit, X.tolist(), TWO.tolist(), WEIGHTS.tolist()),
    "integers in strides": partial(fit, PIXELS.astype(np.int16)[:, ::3], TWO == "yes"),
    "table": partial(of_table, fit, "pandas", LABELS, missing="impute"),
    "table of Polars": partial(of_table, fit, "polars", TWO, missing="impute"),
    "table of PyArrow": partial(of_table, fit, "pyarrow", COLUMNS, missing="impute"),
    "table, default fit": partial(of_table, automatic, "pandas", NUMBERS, missing="impute"),
    "sparse rows": partial(of_sparse, LABELS),
    "sparse rows, linear": partial(of_sparse, NUMBERS, hidden=(), l1=1e-3),
    "sparse rows, SGD": partial(of_sparse, LABELS, WEIGHTS, optimizer="sgd", hidden=(9, 5)),
    "sparse rows, momentum": partial(of_sparse, LABELS, optimizer=SGD(0.05, momentum=0.9), l2=0.01),
    "sparse rows, clipped": partial(of_sparse, LABELS, clip_norm=0.1, dropout=0.2, threads=2),
    "many categories": partial(of_many_categories, MANY_LABELS, epochs=1, batch_size=2_500),
    "validation data": partial(
        fit, X[:200], LABELS[:200], held=(X[200:], LABELS[200:]), epochs="auto"
    ),
    "weighted validation data": partial(
        fit, X[:200], NUMBERS[:200], WEIGHTS[:200], held=(X[200:], NUMBERS[200:], WEIGHTS[200:])
    ),
    "default, best not restored": partial(
        automatic, X, NUMBERS, early_stopping=EarlyStopping(patience=3, restore_best=False)
    ),
    "patience on a split": partial(
        fit, X, LABELS, epochs=60, learning_rate=0.05, validation_fraction=0.3,
        early_stopping=EarlyStopping(patience=2), weight_averaging=0.5,
    ),
    "refit": partial(automatic, UNITS, LABELS, refit=True),
    "preset tabular": partial(of_table, automatic, "pandas", LABELS, **presets.tabular),
    "preset images": partial(fit, PIXELS, LABELS, **presets.images),
    "default, 30 rows": partial(automatic, X[:30], LABELS[:30]),
    "default, labels": partial(automatic, UNITS, LABELS),
    "default, numbers": partial(automatic, UNITS, NUMBERS),
    "default, many rows": partial(automatic, MANY, MANY_LABELS, hidden=9),
    "default, many rows, linear": partial(automatic, 9 * MANY, MANY_LABELS, hidden=()),
    "default, linear": partial(automatic, UNITS, LABELS, hidden=()),
    "default, linear, numbers": partial(automatic, UNITS, NUMBERS, hidden=()),
    "default, SGD": partial(automatic, UNITS, LABELS, optimizer="sgd"),
    "default, two threads": partial(automatic, UNITS, LABELS, threads=2),
}  # fmt: skip
for _scaling in ("auto", "standard", "robust", "piecewise", "quantile", "max_abs", 0.1, None):
    FITS[f"scaling={_scaling}"] = partial(fit, UNITS, LABELS, scaling=_scaling)
    FITS[f"scaling={_scaling} of gaps"] = partial(
        fit, GAPS, NUMBERS, WEIGHTS, scaling=_scaling, missing="impute", learning_rate=1e-4
    )
FITS["a factor for each feature"] = partial(fit, UNITS, LABELS, scaling=list(range(1, D + 1)))
for _split in ("auto", "last", "shuffled", "stratified"):
    FITS[f"validation_split={_split}"] = partial(
        fit, X, LABELS, validation_fraction=0.25, validation_split=_split
    )
for _threads in (1, 2, None):
    FITS[f"threads={_threads}, wide"] = partial(
        fit, PIXELS, NUMBERS, hidden=(200, 90), batch_size=200, threads=_threads, dropout=0.2
    )
for _name in TARGETS:
    _loss = {"counts": "poisson", "soft": "softmax_cross_entropy"}.get(_name, "auto")
    FITS[f"sample_weight: {_name}"] = partial(fit, X, TARGETS[_name], WEIGHTS, loss=_loss)


def listed(make: Callable[[], Results]) -> Callable[[], Results]:
    """Register a fit by its name; for fits that need more than settings."""
    FITS[make.__name__.replace("_", " ")] = make
    return make


@listed
def callbacks_that_set_weights_and_rates() -> Results:
    def halve(trainer: Trainer, epoch: int, logs: dict[str, float]) -> None:
        if epoch == 1:
            trainer.set_weights([weight / 2 for weight in trainer.get_weights()])
        trainer.learning_rate = 0.01 / (epoch + 1)
        trainer.stop_training = epoch == 4

    return fit(X, NUMBERS, callbacks=halve, epochs=9, weight_averaging=0.5)


def chunks() -> Iterator[tuple[Any, ...]]:
    for start in range(0, N, 120):
        part = slice(start, start + 120)
        yield UNITS[part], LABELS[part], WEIGHTS[part]


@listed
def fit_stream() -> Results:
    trainer = Trainer(**PLAIN | {"dropout": 0.2}).fit_stream(chunks, classes=np.arange(4))
    return answers(trainer, UNITS)


@listed
def fit_stream_with_validation_data() -> Results:
    trainer = Trainer(hidden=9, seed=1, threads=1, schedule="reduce_on_plateau")
    return answers(trainer.fit_stream(chunks, validation_data=(UNITS, LABELS)), UNITS)


@listed
def fit_stream_once() -> Results:
    return answers(Trainer(seed=1, threads=1).fit_stream(list(chunks())), UNITS)


@listed
def partial_fit() -> Results:
    trainer = Trainer(**PLAIN | {"optimizer": "rmsprop", "weight_averaging": 0.5})
    for part in range(4):
        rows = slice(50 * part, 50 * part + 60)
        trainer.partial_fit(X[rows], LABELS[rows], np.arange(5), WEIGHTS[rows])
    return answers(trainer, X)


SETTINGS_TO_RESUME = PLAIN | {
    "warm_start": True, "weight_averaging": 0.5, "dropout": 0.2, "optimizer": SGD(momentum=0.9),
}  # fmt: skip


@listed
def warm_start() -> Results:
    trainer = Trainer(**SETTINGS_TO_RESUME).fit(X, NUMBERS)
    first = copy.deepcopy(trainer)
    return [first, *answers(trainer.fit(X, NUMBERS, sample_weight=WEIGHTS), X)]


@listed
def resumed_from_a_pickle_and_a_state() -> Results:
    def stop(trainer: Trainer, epoch: int, logs: dict[str, float]) -> None:
        trainer.stop_training = epoch == 1

    stopped = Trainer(**SETTINGS_TO_RESUME, callbacks=stop).fit(X, NUMBERS)
    stopped.callbacks = ()
    trainer: Trainer = pickle.loads(pickle.dumps(stopped))
    other = Trainer(**SETTINGS_TO_RESUME)
    other.set_state(stopped.get_state())
    return [*answers(trainer.fit(X, NUMBERS), X), other.fit(X, NUMBERS)]


@listed
def weights_set_before_a_warm_fit() -> Results:
    trainer = Trainer(**PLAIN | {"warm_start": True, "scaling": None})
    rng = np.random.default_rng(3)
    shapes = (D, 9), 9, (9, CLASSES), CLASSES
    trainer.set_weights([rng.standard_normal(shape) / 3 for shape in shapes])
    return [trainer.predict_proba(X), *answers(trainer.fit(X, LABELS), X)]


@listed
def a_default_rate_that_diverges() -> Results:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit(X, NUMBERS, optimizer="sgd", scaling=100.0, hidden=(9, 9))


@listed
def an_ensemble() -> Results:
    return answers(Ensemble(Trainer(**PLAIN), 3).fit(X, NUMBERS, sample_weight=WEIGHTS), X)


@listed
def fit_many_with_rows() -> Results:
    trainers = [Trainer(**PLAIN | {"hidden": 5 + seed, "seed": seed}) for seed in range(3)]
    fit_many(trainers, X, LABELS, [np.arange(200), None, LABELS < 2])
    return [part for trainer in trainers for part in answers(trainer, X)]
