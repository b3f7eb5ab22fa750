"""Copies and pickles of trainers: what they hold, and that they go on as the original."""

import copy
import io
import multiprocessing
import os
import pickle
import pickletools
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp import NotFittedError, Trainer
from fastmlp.optimizers import SGD
from fastmlp.settings import SETTINGS
from tests.helpers.basics import Array, needs_compiler
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
from tests.helpers.processes import ROOT

pytestmark = needs_compiler


def by_joblib(model: Trainer) -> Trainer:
    joblib = pytest.importorskip("joblib")
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    loaded: Trainer = joblib.load(file)
    return loaded


def by_mapped_memory(model: Trainer) -> Trainer:
    joblib = pytest.importorskip("joblib")
    with tempfile.TemporaryDirectory() as folder:
        joblib.dump(model, f"{folder}/model")
        loaded: Trainer = joblib.load(f"{folder}/model", mmap_mode="r")
    return loaded


def by_cloudpickle(model: Trainer) -> Trainer:
    loaded: Trainer = pickle.loads(pytest.importorskip("cloudpickle").dumps(model))
    return loaded


def by_pickle(protocol: int, model: Trainer) -> Trainer:
    loaded: Trainer = pickle.loads(pickle.dumps(model, protocol))
    return loaded


def out_of_band(model: Trainer) -> Trainer:
    """As multiprocessing does with shared memory; the arrays come back read-only."""
    buffers: list[Any] = []
    data = pickle.dumps(model, 5, buffer_callback=buffers.append)
    loaded: Trainer = pickle.loads(data, buffers=[bytes(buffer.raw()) for buffer in buffers])
    return loaded


WAYS: dict[str, Callable[[Trainer], Trainer]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"protocol {k}": partial(by_pickle, k) for k in range(pickle.HIGHEST_PROTOCOL + 1)},
    "out of band": out_of_band,
    "pickle in Python": lambda model: pickle._loads(pickle._dumps(model)),  # type: ignore[attr-defined]
    "joblib": by_joblib,
    "mapped memory": by_mapped_memory,
    "cloudpickle": by_cloudpickle,
}


def assert_equal(other: Trainer, model: Trainer) -> None:
    assert type(other) is type(model)
    assert same_weights(other.get_weights(), model.get_weights())
    assert np.array_equal(other.predict_proba(X), model.predict_proba(X))
    assert np.array_equal(other.predict_proba(X[:1]), model.predict_proba(X[:1]))
    assert other.predict(X).tolist() == model.predict(X).tolist()
    assert other.classes_.tolist() == model.classes_.tolist()
    assert other.classes_.dtype == model.classes_.dtype
    assert numbers(other.history) == numbers(model.history)
    assert type(other.history) is type(model.history)
    assert (other.n_iter_, other.layer_sizes_) == (model.n_iter_, model.layer_sizes_)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden", [(), 8, (9, 5)])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("way", WAYS)
def test_a_copy_goes_on_as_the_original(way: str, optimizer: str, hidden: Any, dtype: str) -> None:
    options = {**OPTIMIZERS[optimizer], "dtype": dtype, "warm_start": True, "seed": 11}
    model = fitted(hidden, **options)
    other = WAYS[way](model)
    assert_equal(other, model)
    assert other.history == model.history
    assert repr(other) == repr(model)
    # The copy first: what it does must not reach the original.
    other.fit(X, Y)
    model.fit(X, Y)
    assert numbers(other.history) == numbers(model.history)
    assert same_weights(other.get_weights(), model.get_weights())
    assert same_weights(model.get_weights(), fitted(hidden, **options, epochs=6).get_weights())


LABELS = {
    "strings": np.array(["a", "b", "c"]),
    "objects": np.array(["a", "bb", "c"], object),
    "far": np.array([-5, 0, 10**15]),
    "unsigned": np.array([1, 2, 200], np.uint8),
    "floats": np.array([-1.0, 0.0, 4.0]),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("way", WAYS)
def test_copies_know_the_labels(way: str, labels: Array) -> None:
    model = trainer(validation_fraction=0.2).fit(X, labels[Y])
    assert_equal(WAYS[way](model), model)


@pytest.mark.parametrize("way", WAYS)
def test_copies_without_weights(way: str) -> None:
    model = trainer([5, 4], optimizer=SGD(momentum=0.5))
    other = WAYS[way](model)
    assert repr(other) == repr(model)
    with pytest.raises(NotFittedError):
        other.predict(X)
    assert same_weights(other.fit(X, Y).get_weights(), model.fit(X, Y).get_weights())


@pytest.mark.parametrize("way", WAYS)
def test_copies_with_given_weights(way: str) -> None:
    model = trainer(7, warm_start=True, scaling=0.5)
    model.set_weights(random_weights(4, 8, 3))
    other = WAYS[way](model)
    assert np.array_equal(other.predict_proba(X), model.predict_proba(X))
    for one in (other, model):
        one.fit(X, np.array(["a", "b", "c"])[Y])
    assert_equal(other, model)


@pytest.mark.parametrize("way", WAYS)
def test_a_copy_is_another_trainer(way: str) -> None:
    model = fitted(warm_start=True)
    before = model.get_weights(), dict(model.history), model.predict_proba(X)
    other = WAYS[way](model)
    other.fit(X[:30], Y[:30])
    other.set_weights([0 * w for w in other.get_weights()], classes=["a", "b", "c"])
    other.epochs = 99
    other.history["loss"].append(0.0)
    assert same_weights(model.get_weights(), before[0])
    assert model.history == before[1]
    assert np.array_equal(model.predict_proba(X), before[2])
    assert (model.epochs, model.classes_.tolist()) == (3, [0, 1, 2])
    # And the other way round.
    other = WAYS[way](model)
    model.set_weights([0 * w for w in model.get_weights()])
    assert np.array_equal(other.predict_proba(X), before[2])


class Annotated(Trainer):
    """A subclass with arguments of its own."""

    def __init__(self, *, note: str, **settings: Any) -> None:
        self.note = note
        super().__init__(**settings)

    def predict(self, X: Any) -> Array:
        return np.array([f"{self.note} {label}" for label in super().predict(X)])


@pytest.mark.parametrize("way", WAYS)
def test_subclasses_and_attributes_of_the_user(way: str) -> None:
    model = Annotated(note="class", hidden=8, seed=0, epochs=2).fit(X, Y)
    model.scaler = {"mean": [1, 2]}  # type: ignore[attr-defined]
    model.best_loss_ = 0.5  # type: ignore[attr-defined]
    model.itself = model  # type: ignore[attr-defined]
    other = WAYS[way](model)
    assert_equal(other, model)
    assert (other.note, other.scaler, other.best_loss_) == ("class", {"mean": [1, 2]}, 0.5)  # type: ignore[attr-defined]
    assert other.predict(X)[0].startswith("class ")
    if way != "copy":
        assert other.itself is other  # type: ignore[attr-defined]
        assert other.scaler is not model.scaler  # type: ignore[attr-defined]


COPIES: list[tuple[str, Trainer]] = []


def keep_all_copies(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
    COPIES.extend((way, make(model)) for way, make in WAYS.items())


@pytest.mark.parametrize("warm_start", [False, True])
def test_copies_within_a_fit(warm_start: bool) -> None:
    """They are trainers at rest, in the state of the epoch that has just ended."""
    options: dict[str, Any] = {**OPTIMIZERS["nesterov"], "validation_fraction": 0.2}
    COPIES.clear()
    fitted(**options, callbacks=keep_all_copies, warm_start=warm_start)
    assert len(COPIES) == 3 * len(WAYS)
    for index, (_, other) in enumerate(COPIES):
        epochs = index // len(WAYS) + 1
        wanted = fitted(**{**options, "epochs": epochs})
        assert same_weights(other.get_weights(), wanted.get_weights())
        assert numbers(other.history) == numbers(wanted.history)
        other.warm_start, other.epochs, other.callbacks = True, 4 - epochs, ()
        other.fit(X, Y)
        assert same_weights(other.get_weights(), fitted(**{**options, "epochs": 4}).get_weights())


@pytest.mark.threading
@pytest.mark.costly
@pytest.mark.parametrize("rounds", [1, 5])
def test_copies_while_another_thread_predicts(rounds: int) -> None:
    model = fitted((9, 5))
    wanted, stop = model.predict_proba(X), threading.Event()
    failures: list[Any] = []

    def predict() -> None:
        while not stop.is_set():
            for rows in (X, X[:1]):
                if not np.array_equal(model.predict_proba(rows), wanted[: len(rows)]):
                    failures.append(rows.shape)

    threads = [threading.Thread(target=predict) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(rounds):
            for make in WAYS.values():
                assert_equal(make(model), model)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures


@pytest.mark.threading
def test_copies_while_another_thread_fits() -> None:
    """Each is of one epoch: weights, history and state."""
    epochs: list[list[Array]] = []
    model = fitted(epochs=1, warm_start=True, hidden=3)
    model.hidden, model.warm_start, model.epochs = 8, False, 300
    model.callbacks = lambda model, *_: epochs.append(model.get_weights())
    thread = threading.Thread(target=model.fit, args=(X, Y))
    thread.start()
    copies = []
    while thread.is_alive():
        copies.append(copy.deepcopy(model))
        time.sleep(1e-4)
    thread.join()
    assert len(epochs) == 300
    for other in copies:
        assert {len(values) for values in other.history.values()} == {other.n_iter_}
        if other.layer_sizes_ == (4, 8, 3):
            assert same_weights(other.get_weights(), epochs[other.n_iter_ - 1])


@pytest.mark.threading
def test_another_thread_cannot_fit_the_same_trainer() -> None:
    errors: list[Exception] = []

    def refit(model: Trainer) -> None:
        try:
            model.fit(X, Y)
        except RuntimeError as error:
            errors.append(error)

    def start(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        thread = threading.Thread(target=refit, args=(model,))
        thread.start()
        thread.join()

    model = trainer(callbacks=start).fit(X, Y)
    assert len(errors) == 3
    assert same_weights(model.get_weights(), fitted().get_weights())


def predictions_and_more(model: Trainer) -> tuple[Array, Trainer]:
    return model.predict_proba(X), model.fit(X, Y)


@pytest.mark.threading
def test_processes_that_are_spawned() -> None:
    models = [
        fitted(hidden, **options, warm_start=True)
        for options in OPTIMIZERS.values()
        for hidden in ((), 8, (9, 5))
    ]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        results = pool.map(predictions_and_more, models)
    for model, (probabilities, other) in zip(models, results, strict=True):
        assert np.array_equal(model.predict_proba(X), probabilities)
        assert same_weights(model.fit(X, Y).get_weights(), other.get_weights())


# ----------------------------------------------------------------------- what a pickle consists of


def parts(value: Any) -> list[Any]:
    """All that nested containers hold."""
    if isinstance(value, dict):
        return [part for item in value.items() for part in parts(item)]
    if isinstance(value, list | tuple):
        return [part for item in value for part in parts(item)]
    return [value]


@pytest.mark.parametrize(("optimizer", "vectors"), [("sgd", 0), ("nesterov", 1), ("adam", 2)])
@pytest.mark.parametrize("hidden", [(), 8, (9, 5)])
def test_a_pickle_holds_plain_arrays(hidden: Any, optimizer: str, vectors: int) -> None:
    model = fitted(hidden, **OPTIMIZERS[optimizer])
    held = parts(model.__getstate__())
    arrays = [part for part in held if isinstance(part, np.ndarray)]
    shapes = [w.shape for w in model.get_weights()]
    # Behind weights and state: the classes, centre and spread of targets.
    assert [a.shape for a in arrays] == shapes * (1 + vectors) + [(3,), (1,), (1,)]
    others = {type(part) for part in held} - {np.ndarray, SGD}
    assert others <= {int, float, str, bool, type(None)}
    # No class of the package but the trainer itself, and settings that were given: they may change.
    names = [
        arg for op, arg, _ in pickletools.genops(pickle.dumps(model, 2)) if op.name == "GLOBAL"
    ]
    ours = {name for name in names if str(name).startswith("fastmlp")}
    assert ours - {"fastmlp.optimizers SGD"} == {"fastmlp.trainer Trainer"}


@pytest.mark.threading
def test_a_pickle_does_not_depend_on_threads() -> None:
    pickles = set()
    for threads in (1, 2, None):
        model = fitted((300, 70), threads=threads, batch_size=30)
        model.threads = None
        model.history["seconds"] = [0.0] * 3
        pickles.add(pickle.dumps(model))
        model.predict(X)
        pickles.add(pickle.dumps(model))
    assert len(pickles) == 1


def test_a_model_never_changes_in_place_and_is_set_as_a_whole() -> None:
    model, other = fitted(), trainer()
    with pytest.raises(NotFittedError):
        other.model_  # noqa: B018
    learned, wanted = model.model_, model.predict_proba(X)
    model.fit(X[:50], Y[:50])
    assert model.model_ is not learned
    other.model_ = learned
    assert np.array_equal(other.predict_proba(X), wanted)
    model.model_ = learned
    assert np.array_equal(model.predict_proba(X), wanted)


def restored(state: Any) -> Trainer:
    model = Trainer.__new__(Trainer)
    model.__setstate__(state)
    return model


@pytest.mark.parametrize("version", [None, 0, 1, 2, 3, 4, "5", 1.5])
def test_an_unknown_format_is_an_error(version: Any) -> None:
    state = fitted().__getstate__() | {"format": version}
    message = f"saved by another version of fastmlp: got format {version!r}, known is 7"
    with pytest.raises(ValueError, match=message):
        restored(state)
    with pytest.raises(ValueError, match="got format None"):
        restored({})
    with pytest.raises(ValueError, match="got format None"):
        restored([1, 2])


def nested(state: Any, *path: Any, value: Any = None, drop: bool = False) -> Any:
    """A copy of a state in which one place is something else."""
    state = copy.deepcopy(state)
    place = state
    for key in path[:-1]:
        place = place[key]
    if drop:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return state


def test_a_lack_of_anything_is_an_error() -> None:
    state = fitted().__getstate__()
    paths = [("attributes",), ("history",), ("model",)]
    paths += [("attributes", name) for name in (*SETTINGS, "n_iter_", "stop_training")]
    encoding = state["model"]["encoding"]
    for part in ("inputs", "outputs"):
        paths += [("model", "encoding", part, name) for name in encoding[part]]
    columns = encoding["inputs"]["columns"]
    paths += [("model", "encoding", "inputs", "columns", name) for name in columns]
    for outer in ("", "network", "encoding"):
        inner = ("model", outer) if outer else ("model",)
        paths += [(*inner, name) for name in (state["model"][outer] if outer else state["model"])]
    for path in paths:
        with pytest.raises(ValueError, match=f"saved state .* is damaged: .*{path[-1]}"):
            restored(nested(state, *path, drop=True))
    assert len(paths) > 30


WRONG: dict[str, tuple[tuple[Any, ...], Any]] = {
    "history": (("history",), None),
    "model": (("model",), "weights"),
    "dtype": (("model", "network", "dtype"), "float16"),
    "rule": (("model", "network", "rule"), "lbfgs"),
    "fewer weights": (("model", "network", "weights"), random_weights(4, 8, 3)[:3]),
    "narrow weights": (("model", "network", "weights", 0), np.ones((4, 1), np.float32)),
    "other weights": (("model", "network", "weights"), random_weights(5, 8, 3)),
    "no numbers": (("model", "network", "weights", 1), np.array(["a"] * 8)),
    "nan": (("model", "network", "weights", 1), np.full(8, np.nan, np.float32)),
    "fewer states": (("model", "network", "state"), []),
    "narrow state": (("model", "network", "state", 0, 0), np.ones((4, 1), np.float32)),
    "updates": (("model", "network", "updates"), None),
    "random": (("model", "random"), (0, {"bit_generator": "MT19937"})),
    "mean weight": (("model", "mean_weight"), (10, 0.0)),
    "rows of no mean weight": (("model", "mean_weight"), (-1, 1.0)),
    "classes": (("model", "encoding", "outputs", "classes"), np.array([1, 2])),
    "loss": (("model", "encoding", "outputs", "loss"), {"name": "mse"}),
    "centre": (("model", "encoding", "outputs", "centre"), np.array([np.nan])),
    "spread": (("model", "encoding", "outputs", "spread"), np.array([0.0])),
    "scaling": (("model", "encoding", "inputs", "scaling", "kind"), "log"),
    "factors": (("model", "encoding", "inputs", "scaling", "factor"), np.ones(3)),
    "points": (("model", "encoding", "inputs", "scaling", "points"), np.ones((2, 3))),
    "activations": (("model", "network", "activations"), ("than",)),
    "fewer activations": (("model", "network", "activations"), ()),
    "no network": (("model", "latest"), False),
    "best epoch": (("model", "best"), (("auto", "auto", True), 3, 0.1)),
    "epochs": (("attributes", "n_iter_"), -1),
    "reason": (("attributes", "stop_reason_"), np.zeros(2)),
    "values": (("history", "loss"), ["a", "b", "c"]),
    "names": (("model", "encoding", "inputs", "names"), np.array(["a"], object)),
    "features": (("model", "encoding", "inputs", "columns", "n_given"), 5),
    "categories": (("model", "encoding", "inputs", "columns", "categories"), [[4, ["a"]]]),
    "no keys": (("model", "encoding", "inputs", "columns", "categories"), [[0, [None]]]),
    "medians": (("model", "encoding", "inputs", "columns", "medians"), np.zeros(3)),
    "nan medians": (("model", "encoding", "inputs", "columns", "medians"), np.full(4, np.nan)),
    "gaps": (("model", "encoding", "inputs", "columns", "gaps"), [0]),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_values_in_a_pickle_are_an_error(kind: str) -> None:
    path, value = WRONG[kind]
    with pytest.raises(ValueError, match="saved state of this trainer is damaged"):
        restored(nested(fitted().__getstate__(), *path, value=value))


def test_numbers_of_another_machine() -> None:
    """Pickles keep the order of bytes of the machine that wrote them."""

    def swapped(value: Any) -> Any:
        if isinstance(value, np.ndarray) and value.dtype.kind != "O":
            return value.astype(value.dtype.newbyteorder())
        if isinstance(value, dict):
            return {key: swapped(item) for key, item in value.items()}
        return type(value)(map(swapped, value)) if isinstance(value, list | tuple) else value

    model = fitted(warm_start=True)
    other = restored(swapped(model.__getstate__()))
    assert_equal(other, model)
    assert all(w.dtype.isnative for w in other.get_weights())
    assert same_weights(other.fit(X, Y).get_weights(), model.fit(X, Y).get_weights())


# ------------------------------------------------------------------------------ other processors

# Loads trainers, notes what they say, trains on, and hands them back.
ELSEWHERE = """
import pickle, sys
import numpy as np
from fastmlp.kernels.language.simd import VECTOR_BYTES

assert VECTOR_BYTES == int(sys.argv[2])
with open(sys.argv[1], "rb") as file:
    models, X, Y = pickle.load(file)
said = [(model.predict_proba(X), model.evaluate(X, Y)) for model in models]
pickles = pickle.dumps(models)
for model in models:
    model.fit(X, Y)
with open(sys.argv[1], "wb") as file:
    pickle.dump((said, pickles, models), file)
"""


@pytest.mark.full
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names of x86 CPUs")
@pytest.mark.parametrize(
    ("cpu", "features", "vector_bytes"), [("haswell", "+avx,+avx2,+fma", 32), ("x86-64", "", 16)]
)
def test_pickles_between_processors(
    cpu: str, features: str, vector_bytes: int, tmp_path: Path
) -> None:
    """There and back: the same predictions up to rounding, and training that goes on alike."""
    datasets = pytest.importorskip("sklearn.datasets")
    rows, labels = datasets.load_digits(return_X_y=True)
    rows, file = (rows / 16).astype(np.float32), tmp_path / "trainers"
    models = [
        Trainer(24, **options, seed=0, epochs=12, batch_size=32, warm_start=True, threads=1)
        for options in OPTIMIZERS.values()
    ]
    for model in models:
        model.fit(rows[:1500], labels[:1500])
    test = rows[1500:], labels[1500:]
    file.write_bytes(pickle.dumps((models, *test)))
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(file), str(vector_bytes)],
        env={
            **os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CPU_NAME": cpu,
            "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path),
        },
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said, pickles, there = pickle.loads(file.read_bytes())
    for model, (probabilities, scores), back, trained in zip(
        models, said, pickle.loads(pickles), there, strict=True
    ):
        np.testing.assert_allclose(probabilities, model.predict_proba(test[0]), atol=1e-5)
        assert scores["accuracy"] == model.score(*test) > 0.85
        assert same_weights(back.get_weights(), model.get_weights())
        assert np.array_equal(back.predict_proba(test[0]), model.predict_proba(test[0]))
        # Trained there, and here from what came back, which is bitwise what had been sent.
        for one in (model, back):
            one.fit(*test)
        assert same_weights(back.get_weights(), model.get_weights())
        assert trained.score(*test) == pytest.approx(model.score(*test), abs=0.01)
        for got, want in zip(trained.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_allclose(got, want, atol=2e-3 * np.abs(want).max())
        assert trained.history["loss"] == pytest.approx(model.history["loss"], rel=1e-3)


# -------------------------------------------------------------------------- callbacks in copies


class Keeper:
    """Keeps a copy of the trainer for each epoch."""

    def __init__(self) -> None:
        self.copies: list[Trainer] = []

    def __call__(self, model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        self.copies.append(copy.deepcopy(model))


class Holder:
    """Holds the trainer itself."""

    def __init__(self) -> None:
        self.model: Trainer | None = None
        self.epochs: list[int] = []

    def __call__(self, model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        self.model = model
        self.epochs.append(epoch)


class Locked:
    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __call__(self, model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        with self.lock:
            pass


def test_a_callback_that_keeps_copies() -> None:
    keeper = Keeper()
    model = trainer(epochs=200, callbacks=keeper)
    start = time.perf_counter()
    model.fit(X, Y)
    assert time.perf_counter() - start < 3
    assert len(keeper.copies) == 200
    assert all(other.callbacks is keeper for other in keeper.copies)
    assert same_weights(keeper.copies[9].get_weights(), fitted(epochs=10).get_weights())
    # A pickle carries the callback, and so all the copies, once.
    start = time.perf_counter()
    data = pickle.dumps(model)
    other = pickle.loads(data)
    assert time.perf_counter() - start < 3
    assert len(data) < 1_500_000
    assert [len(kept.history["loss"]) for kept in other.callbacks.copies] == list(range(1, 201))
    assert all(kept.callbacks is other.callbacks for kept in other.callbacks.copies)
    assert_equal(other, model)


@pytest.mark.parametrize("in_sequence", [tuple, list, lambda callbacks: callbacks[0]])
@pytest.mark.parametrize("way", WAYS)
def test_a_callback_that_holds_the_trainer(way: str, in_sequence: Any) -> None:
    holder = Holder()
    model = fitted(callbacks=in_sequence([holder]))
    other = WAYS[way](model)
    assert_equal(other, model)
    found = other.callbacks[0] if isinstance(other.callbacks, list | tuple) else other.callbacks
    if way in ("copy", "deepcopy"):
        assert found is holder
    else:
        assert found.model is other
        assert found.epochs == [0, 1, 2]
        other.fit(X, Y)
        assert found.epochs == [0, 1, 2] * 2
        assert holder.epochs == [0, 1, 2]


def local_class() -> Any:
    class Local:
        def __call__(self, *args: Any) -> None: ...

    return Local()


ODD_CALLBACKS: dict[str, Callable[[], Any]] = {
    "lambda": lambda: lambda *_: None,
    "partial": lambda: partial(lambda *_: None, 1),
    "local class": local_class,
    "lock": Locked,
    "generator": lambda: partial(print, (i for i in ())),
    "file": lambda: partial(print, file=sys.stderr),
}


@pytest.mark.parametrize("kind", ODD_CALLBACKS)
def test_a_callback_that_cannot_be_pickled_is_named(kind: str, tmp_path: Path) -> None:
    odd = ODD_CALLBACKS[kind]()
    model = trainer()
    model.fit(X, Y)
    model.callbacks = [keep_all_copies, odd]
    dumps: list[Callable[[], Any]] = [partial(pickle.dumps, model, k) for k in range(6)]
    dumps += [lambda: pickle._dumps(model), lambda: pickle.dumps({"a": [model]})]  # type: ignore[attr-defined]
    try:
        import joblib

        dumps.append(lambda: joblib.dump(model, tmp_path / "model"))
        dumps.append(lambda: joblib.dump(model, tmp_path / "model.gz", compress=3))
    except ImportError:
        pass
    for dump in dumps:
        with pytest.raises(pickle.PicklingError) as caught:
            dump()
        message = str(caught.value)
        assert message.startswith(f"callbacks[1], {odd!r}, cannot be pickled: ")
        assert "set trainer.callbacks = () first" in message
        assert caught.value.__cause__ is not None
    for other in (copy.copy(model), copy.deepcopy(model)):
        assert other.callbacks[1] is odd
    model.callbacks = ()
    assert_equal(pickle.loads(pickle.dumps(model)), model)


@pytest.mark.parametrize("kind", ["lambda", "partial", "local class"])
def test_cloudpickle_can_pickle_more(kind: str) -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    calls: list[int] = []
    kinds: dict[str, Any] = {
        "lambda": lambda model, epoch, logs: model.seen.append(epoch),
        "partial": partial(lambda k, model, epoch, logs: model.seen.append(epoch), 1),
        "local class": local_class(),
    }
    model = trainer(callbacks=kinds[kind])
    model.seen = calls  # type: ignore[attr-defined]
    other = pickle.loads(cloudpickle.dumps(model.fit(X, Y)))
    other.fit(X, Y)
    if kind != "local class":
        assert other.seen == [0, 1, 2] * 2
    assert same_weights(other.get_weights(), model.get_weights())


def test_cloudpickle_tells_for_itself() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    with pytest.raises(Exception, match="lock"):
        cloudpickle.dumps(trainer(callbacks=Locked()))


class TimeUpError(Exception):
    pass


class Slow:
    """Pickling it takes longer than a time limit allows."""

    def __call__(self, *args: Any) -> None: ...

    def __reduce__(self) -> Any:
        raise TimeUpError


def test_other_exceptions_while_pickling_pass_through() -> None:
    with pytest.raises(TimeUpError):
        pickle.dumps(trainer(callbacks=Slow()))


class Counting(Trainer):
    """Calls itself back."""

    def __init__(self, **settings: Any) -> None:
        self.count = 0
        super().__init__(**settings)
        self.callbacks = self.on_epoch

    def on_epoch(self, model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        self.count += 1


def test_a_trainer_that_calls_itself_back() -> None:
    model = Counting(hidden=8, epochs=3, seed=0).fit(X, Y)
    assert "Trainer(...)" in repr(model)
    for way in set(WAYS) - {"copy", "deepcopy"}:
        other: Any = WAYS[way](model)
        assert_equal(other, model)
        assert other.callbacks.__self__ is other
        assert other.fit(X, Y).count == 6
    assert model.count == 3
    model.on_epoch = lambda *_: None  # type: ignore[method-assign]
    model.callbacks = model.on_epoch
    with pytest.raises(pickle.PicklingError, match=r"^callbacks\[0\], .*lambda"):
        pickle.dumps(model)


def test_a_trainer_in_a_callback_of_another() -> None:
    inner, holder = trainer(callbacks=[print, lambda *_: None]), Holder()
    holder.model = inner
    model = trainer(callbacks=holder)
    with pytest.raises(pickle.PicklingError, match=r"^callbacks\[1\], .*lambda"):
        pickle.dumps(model)
    inner.callbacks = ()
    assert pickle.loads(pickle.dumps(model)).callbacks.model.epochs == 3


def test_bound_methods_are_shared() -> None:
    holder = Holder()
    model = fitted(callbacks=holder.__call__)
    copy.deepcopy(model).fit(X, Y)
    assert holder.epochs == [0, 1, 2] * 2
