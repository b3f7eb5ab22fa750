"""Fits to rows in groups, which another thread reads ahead."""

import errno
import os
import pickle
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest

import fastmlp.fitting.windows
import fastmlp.trainer
from fastmlp import EarlyStopping, FitWarning, Trainer
from fastmlp.fitting.kept_parts import room_for
from fastmlp.streams import open_groups
from tests.helpers.basics import needs_compiler
from tests.helpers.models import numbers, same_weights

pytestmark = needs_compiler

RNG = np.random.default_rng(0)
N = 2400
X = RNG.normal(size=(N, 6)).astype(np.float32)
Y = np.digitize(X[:, 0] + X[:, 1] ** 2 + 0.3 * RNG.normal(size=N), [0.2, 1.2])
WEIGHTS = RNG.integers(0, 4, N).astype(float)


class Groups:
    """Rows in groups of ``size``; ``before`` is called with the number of each that is read."""

    def __init__(
        self, X: Any, Y: Any, weights: Any = None, size: int = 100,
        before: Callable[[int], Any] = lambda number: None,
    ) -> None:  # fmt: skip
        self._parts = [slice(k, k + size) for k in range(0, len(X), size)]
        self.sizes = [len(X[part]) for part in self._parts]
        self._arrays, self._before = (X, Y, weights), before
        self.reads: list[int] = []

    def read(self, number: int) -> Any:
        self._before(number)
        self.reads.append(number)
        X, Y, weights = (None if a is None else a[self._parts[number]] for a in self._arrays)
        return X, Y, weights


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: Any) -> Iterator[None]:
    """Windows of a fifth of the rows, read in each epoch; an array is one of Groups; no thread is
    left."""
    monkeypatch.setattr(fastmlp.fitting.windows, "_BYTES", 30_000)
    monkeypatch.setattr(fastmlp.fitting.windows, "room_for", lambda n_bytes: None)
    monkeypatch.setattr(
        fastmlp.trainer, "open_groups",
        lambda source, target, features, weights, shuffle: (
            source if isinstance(source, Groups) else Groups(source, target, weights)
        ),
    )  # fmt: skip
    yield
    assert "fastmlp-reader" not in {thread.name for thread in threading.enumerate()}


def trainer(**options: Any) -> Trainer:
    return Trainer(**{"hidden": 8, "seed": 0, "epochs": 3, "batch_size": 32, **options})


def stream(model: Trainer, *data: Any, **options: Any) -> Trainer:
    """Fit to arrays X, Y and perhaps weights in groups, or to Groups."""
    X, *rest = data
    given = dict(zip(("target", "sample_weight"), rest, strict=False))
    return model.fit_stream(X, **given, **options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"class_weight": "balanced", "metrics": "f1"},
        {"epochs": "auto", "validation_split": "shuffled", "validation_fraction": 0.0},
        {"batch_size": "auto"},  # 1,800 rows of a weight have smaller batches than 2,400
    ],
    ids=["plain", "balanced", "automatic", "batches"],
)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weighted"])
def test_rows_of_one_window_are_fitted_as_in_memory(
    monkeypatch: Any, options: Any, weights: Any
) -> None:
    """Bit for bit: statistics, settings, history and weights."""
    monkeypatch.setattr(fastmlp.fitting.windows, "_BYTES", 1 << 20)
    validation = X[:50], Y[:50]
    one = stream(trainer(**options), X, Y, weights, validation_data=validation)
    other = trainer(**options).fit(X, Y, sample_weight=weights, validation_data=validation)
    assert same_weights(one.get_weights(), other.get_weights())
    assert numbers(one.history) == numbers(other.history)
    assert one.auto_ == other.auto_


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 0.0, 1: 2.0}])
def test_every_row_is_trained_on_once_per_epoch(weights: Any, class_weight: Any) -> None:
    """At a rate that changes nothing, the loss and accuracy are those of all rows."""
    groups = Groups(X, Y, weights)
    model = trainer(learning_rate=1e-30, epochs=2, class_weight=class_weight)
    stream(model, groups)
    one = trainer(learning_rate=1e-30, epochs=2, class_weight=class_weight)
    one.fit(X, Y, sample_weight=weights)
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(model.history[name], one.history[name], rtol=1e-5)
    assert model.model_.mean_weight == (
        one.model_.mean_weight.rows, pytest.approx(one.model_.mean_weight.mean, rel=1e-12)
    )  # fmt: skip
    assert model.model_.trained.updates == one.model_.trained.updates
    # After the survey, in an order of its own in each epoch.
    survey, first, second = np.reshape(groups.reads, (3, -1)).tolist()
    assert survey == sorted(first) == sorted(second) == list(range(24))
    assert survey != first != second != survey


def test_windows_have_groups_from_all_parts_of_a_file() -> None:
    """Of 25 groups each of the 5 windows has one of each 5 neighbours."""
    groups = Groups(X, Y, size=96)
    stream(trainer(epochs=2), groups)
    first, second = np.reshape(groups.reads[25:], (2, 5, 5))
    for reads in (first, second):
        assert (np.sort(reads // 5, axis=1) == np.arange(5)).all()
    assert (first != second).any()


@pytest.mark.parametrize("n_rows", range(500, 2400, 95))
def test_an_epoch_has_all_mini_batches(n_rows: int) -> None:
    groups = Groups(X[:n_rows], Y[:n_rows], size=77)
    model = stream(trainer(epochs=2, hidden=()), groups)
    assert model.model_.trained.updates == 2 * -(-n_rows // 32)
    assert len(groups.reads) == 3 * len(groups.sizes)


def test_the_result_does_not_depend_on_threads_or_speed() -> None:
    sleep = np.random.default_rng(1)
    slow = Groups(X, Y, before=lambda number: time.sleep(0.002 * sleep.random()))
    first = stream(trainer(dropout=0.1), X, Y)
    other = stream(trainer(dropout=0.1, threads=1), slow)
    assert same_weights(first.get_weights(), other.get_weights())
    assert numbers(first.history) == numbers(other.history)
    assert not same_weights(first.get_weights(), stream(trainer(seed=1), X, Y).get_weights())


def test_rows_in_order() -> None:
    """Without shuffling, groups, windows and batches are those of the file."""
    one = stream(trainer(shuffle=False), X, Y)
    other = trainer(shuffle=False).fit(X, Y)
    assert same_weights(one.get_weights(), other.get_weights())


@pytest.mark.parametrize("kind", ["interrupt", "error in reading", "state"])
def test_a_resumed_fit_equals_one_without_a_break(kind: str) -> None:
    """Bit for bit, with held-out rows, averaged weights and dropout."""
    options = {"epochs": 6, "weight_averaging": 0.9, "dropout": 0.2, "validation_fraction": 0.1}
    full = stream(trainer(**options), X, Y)
    reads: list[int] = []

    def fail(number: int) -> None:
        reads.append(number)
        if len(reads) == 24 * 3 + 10:  # in the third epoch
            raise OSError("the disk is gone")

    def stop(model: Any, epoch: int, logs: Any) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    model = trainer(**options)
    if kind == "error in reading":
        with pytest.raises(OSError, match="the disk is gone"):
            stream(model, Groups(X, Y, before=fail))
    else:
        model.callbacks = stop
        with pytest.raises(KeyboardInterrupt):
            stream(model, X, Y)
    done = model.n_iter_
    assert done == (2 if kind == "error in reading" else 3)
    if kind == "state":
        state = pickle.loads(pickle.dumps(model.get_state()))
        model = trainer(**options)
        model.set_state(state)
    model.callbacks, model.warm_start, model.epochs = (), True, 6 - done
    stream(model, X, Y)
    assert same_weights(model.get_weights(), full.get_weights())
    assert numbers(model.history) == numbers(full.history)


def test_a_fit_to_another_file_does_not_go_on() -> None:
    model = stream(trainer(epochs=2, warm_start=True), X, Y)
    assert stream(model, X, Y).n_iter_ == 4
    for rows, labels in ((X[::-1], Y[::-1]), (X[:-1], Y[:-1])):
        assert stream(model, rows, labels).n_iter_ == 2


def test_rows_of_weight_0_do_not_count_for_the_fraction_held_out() -> None:
    """Of 39 rows none are held out by default; of 60 some are."""
    weights = np.repeat([0.0, 1.0], [21, 39])
    for given, fraction in ((weights, 0.0), (None, 0.15)):
        model = stream(trainer(epochs="auto"), X[:60], Y[:60], given)
        assert model.auto_["validation_fraction"] == fraction
        assert ("val_loss" in model.history) == (fraction > 0)


def test_early_stopping_on_held_out_rows() -> None:
    """With the settings of a fit in memory; a continued fit holds out the same rows."""
    model = stream(trainer(epochs=60, early_stopping=EarlyStopping(patience=2), learning_rate=0.05),
                   X, Y)  # fmt: skip
    assert model.stop_reason_ == "early_stopping"
    assert model.n_iter_ == model.best_epoch_ + 3
    assert model.auto_["validation_fraction"] == 0.15
    assert model.history["val_accuracy"][model.best_epoch_] > 0.85
    held_out = model.model_.split
    assert held_out is not None
    assert held_out[2:] == (0.15, "hash")
    known = trainer(epochs=1).fit(X, Y)
    known.warm_start, known.validation_fraction = True, 0.2
    with pytest.warns(FitWarning, match="may have been trained on the rows held out now"):
        stream(known, X, Y)


def test_settings_resolve_by_the_number_of_rows(monkeypatch: Any) -> None:
    monkeypatch.setattr(fastmlp.fitting.windows, "_BYTES", 1 << 18)
    rows = np.tile(X, (9, 1))[:20_000] + 0.01
    model = Trainer(hidden=(), seed=0)
    stream(model, rows, np.tile(Y, 9)[:20_000])
    assert model.auto_["schedule"] == "one_cycle"
    assert model.auto_["epochs"] == model.n_iter_ == 45  # 7,000 updates
    assert model.history["learning_rate"][-1] < 1e-4
    in_memory = Trainer(hidden=(), seed=0).fit(rows, np.tile(Y, 9)[:20_000])
    assert model.auto_ == in_memory.auto_


@pytest.mark.parametrize("classes", ["sorted", "mixed", "sorted in one group"])
def test_a_sorted_file_is_learned_as_a_mixed_one(classes: str) -> None:
    """Of one group of the whole file, a window has rows from all parts of it."""
    order = np.arange(N) if classes == "mixed" else np.argsort(Y, kind="stable")
    groups = Groups(X[order], Y[order], size=N if classes == "sorted in one group" else 10)
    model = stream(trainer(epochs=15, class_weight="balanced"), groups)
    in_memory = trainer(epochs=15, class_weight="balanced").fit(X[order], Y[order])
    scores = [m.evaluate(X, Y)["accuracy"] for m in (model, in_memory)]
    assert scores[0] > scores[1] - 0.03


@pytest.mark.parametrize("n_rows", [1, 5, 33, 450])
def test_few_rows(n_rows: int) -> None:
    """One group, fewer rows than a batch, a class that occurs once."""
    labels = np.where(np.arange(n_rows) == 0, 7, np.arange(n_rows) % 2)
    model = stream(trainer(loss="softmax_cross_entropy", epochs=2),
                   X[:n_rows], labels, classes=[0, 1, 7])  # fmt: skip
    assert model.classes_.tolist() == [0, 1, 7]
    assert model.model_.mean_weight == (n_rows, 1.0)


def test_numbers_in_several_columns() -> None:
    targets = X[:, :2].astype(float) * [10, 1000]
    model = stream(trainer(epochs=20), X, targets)
    assert model.history["r2"][-1] > 0.9
    assert model.predict(X).shape == (N, 2)
    wanted = trainer(epochs=1).fit(X, targets).model_.encoding.outputs
    np.testing.assert_allclose(model.model_.encoding.outputs.spread, wanted.spread, rtol=1e-12)


def test_a_group_may_be_one_hot_among_probabilities() -> None:
    rows = np.eye(3)[Y]
    rows[N // 2 :] = 0.8 * rows[N // 2 :] + 0.1 * (1 - rows[N // 2 :])
    model = stream(trainer(learning_rate=1e-30, epochs=1), X, rows)
    other = trainer(learning_rate=1e-30, epochs=1).fit(X, rows)
    np.testing.assert_allclose(model.history["loss"], other.history["loss"], rtol=1e-5)


def test_a_fit_that_diverges_starts_again() -> None:
    with pytest.warns(FitWarning, match="it starts again"):
        model = stream(trainer(optimizer="sgd", scaling=None, epochs=2, loss="squared_error"),
                       X * 40, X[:, 0].astype(float))  # fmt: skip
    assert model.auto_["learning_rate"] < 0.1
    assert model.n_iter_ == 2


def test_errors_name_the_group() -> None:
    bad = X.copy()
    bad[1234, 3] = np.inf
    model = stream(trainer(), X, Y)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"group 12: X\[34, 3\] is inf"):
        stream(model, bad, Y)
    assert same_weights(model.get_weights(), before)


def test_rows_that_change_during_a_fit() -> None:
    class Shrinking(Groups):
        def read(self, number: int) -> Any:
            X, Y, weights = super().read(number)
            return (X, Y, weights) if len(self.reads) < 30 else (X[:50], Y[:50], weights)

    with pytest.raises(ValueError, match="groups must hold the same rows in every epoch"):
        stream(trainer(), Shrinking(X, Y))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"refit": True, "early_stopping": True, "epochs": "auto"}, "refit has no effect in fit_s"),
        ({"validation_split": "last"}, "validation_split has no effect .* got 'last'"),
        ({"validation_split": "stratified"}, "rows are held out by their hash"),
        ({"metrics": "f1"}, "metrics other than 'accuracy' have no effect in fit_stream without"),
        ({"class_weight": {0: 0, 1: 0, 2: 0}}, "class_weight must leave a weight"),
    ],
)
def test_settings_without_effect(options: Any, message: str) -> None:
    model = trainer(**options)
    with pytest.raises(ValueError, match=message):
        stream(model, X, Y)
    assert not hasattr(model, "model_")


def test_several_paths() -> None:
    with pytest.raises(TypeError, match=r"must be one path.* pyarrow\.dataset\.dataset\(paths\)"):
        trainer(epochs=1).fit_stream(["a.parquet", "b.parquet"], target="price")


@pytest.mark.parametrize("name", ["target", "features", "sample_weight"])
def test_columns_beside_chunks(name: str) -> None:
    options: Any = {name: "price"}
    with pytest.raises(ValueError, match=f"{name} has no effect beside chunks.* got 'price'"):
        trainer(epochs=1).fit_stream([(X, Y)], **options)


@pytest.mark.parametrize(
    ("source", "options", "error", "message"),
    [
        (X, {}, TypeError, "target must be the name of a column, or an array .*; got None"),
        ("a.parquet", {}, TypeError, "target must be the name of a column, .*; got None"),
        (X, {"target": "y"}, TypeError, "target must be an array with a value .*; got 'y'"),
        (X, {"target": Y[:-1]}, ValueError, r"target must have 2400 rows, as X; got shape \(2399"),
        (X, {"target": Y, "sample_weight": [1]}, ValueError, "sample_weight must have 2400 rows"),
        (X[0], {"target": Y}, TypeError, r"an array of shape \(n, d\), .*; got shape \(6,\)"),
        (X, {"target": Y, "features": ["a"]}, TypeError, "features must be None for an array"),
        (pd.DataFrame(X), {"target": "0"}, TypeError, "DataFrame"),
    ],
)
def test_arrays_that_do_not_match(
    monkeypatch: Any, source: Any, options: Any, error: type[Exception], message: str
) -> None:
    monkeypatch.setattr(fastmlp.trainer, "open_groups", open_groups)
    with pytest.raises(error, match=message):
        trainer().fit_stream(source, **options)


def test_a_memory_mapped_array(tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(fastmlp.trainer, "open_groups", open_groups)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = trainer().fit_stream(mapped, target=Y, sample_weight=WEIGHTS)
    wanted = trainer().fit_stream(X, target=Y, sample_weight=WEIGHTS)
    assert same_weights(model.get_weights(), wanted.get_weights())


def test_a_time_budget_ends_the_reading() -> None:
    slow = Groups(X, Y, before=lambda number: time.sleep(0.002))
    began = time.perf_counter()
    model = stream(trainer(epochs=1000, time_budget=0.4), slow)
    assert model.stop_reason_ == "time_budget"
    assert 1 <= model.n_iter_ < 20
    assert time.perf_counter() - began < 5


def test_an_interrupt_while_rows_are_awaited() -> None:
    """It passes within a second."""
    slow = Groups(X, Y, before=lambda number: time.sleep(0.05 if len(slow.reads) > 24 else 0))

    def handle(*args: Any) -> None:
        raised.append(time.perf_counter())
        raise KeyboardInterrupt

    raised: list[float] = []
    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.4)
    try:
        with pytest.raises(KeyboardInterrupt):
            stream(trainer(epochs=1000), slow)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.perf_counter() - raised[0] < 1


TARGETS = {
    "labels": Y, "numbers": X[:, :2].astype(float), "probabilities": 0.8 * np.eye(3)[Y] + 0.1 / 1.5,
}  # fmt: skip


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("kind", TARGETS)
def test_rows_are_kept_where_there_is_room(monkeypatch: Any, kind: str, weights: Any) -> None:
    """They are read twice, for the survey and for the first epoch; the result is the same."""
    options: Any = {"class_weight": {0: 2.0}} if kind == "labels" else {}
    if kind == "probabilities":
        options["loss"] = "softmax_cross_entropy"
    wanted = stream(trainer(**options), X, TARGETS[kind], weights)
    monkeypatch.setattr(fastmlp.fitting.windows, "room_for", room_for)
    groups = Groups(X, TARGETS[kind], weights)
    model = stream(trainer(**options), groups)
    assert len(groups.reads) == 2 * 24
    assert same_weights(model.get_weights(), wanted.get_weights())
    assert numbers(model.history) == numbers(wanted.history)


@pytest.mark.parametrize("room", ["no folder", "little", "none soon"])
def test_a_disk_without_room(monkeypatch: Any, room: str) -> None:
    monkeypatch.setattr(fastmlp.fitting.windows, "room_for", room_for)
    if room == "no folder":
        monkeypatch.setattr(tempfile, "gettempdir", Mock(side_effect=FileNotFoundError))
    elif room == "little":
        usage = shutil.disk_usage(".")._replace(free=1000)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    else:
        pwrite = os.pwrite

        def fail(file: int, data: Any, offset: int) -> int:
            if offset > 10_000:
                raise OSError(errno.ENOSPC, "no space left")
            return pwrite(file, data[:100], offset)

        monkeypatch.setattr(os, "pwrite", fail)
    groups = Groups(X, Y)
    model = stream(trainer(), groups)
    assert len(groups.reads) > 3 * 24
    monkeypatch.setattr(fastmlp.fitting.windows, "room_for", lambda n_bytes: None)
    assert same_weights(model.get_weights(), stream(trainer(), X, Y).get_weights())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.threading
@pytest.mark.parametrize("keep", [False, True])
def test_a_fit_goes_on_in_a_fork(monkeypatch: Any, keep: bool) -> None:
    """The reading thread is not there; its window is made again, with the same result."""
    wanted = stream(trainer(epochs=3), X, Y).get_weights()
    if keep:
        monkeypatch.setattr(fastmlp.fitting.windows, "room_for", room_for)
    children: list[int] = []

    def fork(model: Any, epoch: int, logs: Any) -> None:
        if epoch == 0:
            children.append(os.fork())

    slow = Groups(X, Y, before=lambda number: time.sleep(0.002))
    model = stream(trainer(epochs=3, callbacks=fork), slow)
    same = same_weights(model.get_weights(), wanted)
    if children == [0]:
        os._exit(0 if same else 1)
    assert same
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0
