"""When a fit ends, and with which weights: early stopping, time, callbacks of the package."""

import csv
import pickle
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fastmlp import EarlyStopping, FitWarning, Trainer
from fastmlp.callbacks import Checkpoint, CSVLog
from fastmlp.kernels.runs.launch import Job
from fastmlp.schedules import ReduceOnPlateau
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, Y, fitted, same_weights, trainer

pytestmark = needs_compiler

HELD_BACK = (X[::3], (Y[::3] + (np.arange(20) % 4 == 0)) % 3)  # some labels are wrong


def best_epoch(values: list[float], min_delta: float, patience: int) -> tuple[int, int]:
    """(best epoch, epochs in all) by the rule as it is written."""
    best = 0
    for epoch, value in enumerate(values):
        if epoch == 0 or value < values[best] - min_delta:
            best = epoch
        elif epoch - best >= patience:
            return best, epoch + 1
    return best, len(values)


@pytest.mark.parametrize(("patience", "min_delta"), [(1, 0.0), (3, 0.0), (5, 0.05), (0, 0.0)])
def test_early_stopping(patience: int, min_delta: float) -> None:
    options: dict[str, Any] = {"epochs": 60, "learning_rate": 0.05}
    free = trainer(**options).fit(X, Y, validation_data=HELD_BACK)
    stopping = EarlyStopping(patience=patience, min_delta=min_delta)
    model = trainer(early_stopping=stopping, **options).fit(X, Y, validation_data=HELD_BACK)
    best, epochs = best_epoch(free.history["val_loss"], min_delta, patience)
    assert (model.best_epoch_, model.n_iter_) == (best, epochs)
    assert model.stop_reason_ == ("early_stopping" if epochs < 60 else "epochs")
    wanted = trainer(**{**options, "epochs": best + 1}).fit(X, Y)
    assert same_weights(model.get_weights(), wanted.get_weights())
    assert model.evaluate(*HELD_BACK)["loss"] == model.history["val_loss"][best]


@pytest.mark.parametrize("ending", ["epochs", "callback"])
def test_the_best_weights_are_kept_however_a_fit_ends(ending: str) -> None:
    def end(trainer: Trainer, epoch: int, logs: Any) -> None:
        trainer.stop_training = ending == "callback" and epoch == 39

    stopping = EarlyStopping(patience=100)
    epochs = 40 if ending == "epochs" else 60
    model = trainer(epochs=epochs, learning_rate=0.05, early_stopping=stopping, callbacks=end)
    model.fit(X, Y, validation_data=HELD_BACK)
    losses = model.history["val_loss"]
    assert (model.stop_reason_, len(losses)) == (ending, 40)
    assert model.best_epoch_ == np.argmin(losses) < 39
    assert model.evaluate(*HELD_BACK)["loss"] == min(losses)


def test_weights_of_the_last_epoch() -> None:
    stopping = EarlyStopping(patience=2, restore_best=False)
    model = trainer(epochs=60, learning_rate=0.05, early_stopping=stopping)
    model.fit(X, Y, validation_data=HELD_BACK)
    wanted = trainer(epochs=model.n_iter_, learning_rate=0.05).fit(X, Y)
    assert same_weights(model.get_weights(), wanted.get_weights())
    assert model.best_epoch_ == model.n_iter_ - 3


def test_monitored_by_a_function() -> None:
    def errors(y: Any, predicted: Any) -> float:
        return float((y != predicted).sum())

    def fit(mode: str) -> Trainer:
        stopping = EarlyStopping("val_errors", patience=2, mode=mode)
        model = trainer(epochs=30, metrics=errors, early_stopping=stopping)
        return model.fit(X, Y, validation_data=HELD_BACK)

    model = fit("min")
    values = model.history["val_errors"]
    assert values[model.best_epoch_] == min(values)
    assert fit("max").n_iter_ < model.n_iter_
    with pytest.raises(ValueError, match="mode must be 'min' or 'max'"):
        fit("auto")
    unfitted = trainer(early_stopping=EarlyStopping("val_loss"), validation_fraction=0)
    with pytest.raises(ValueError, match=r"monitor must be one of 'loss', .*; got 'val_loss'"):
        unfitted.fit(X, Y)
    unfitted = trainer(schedule=ReduceOnPlateau("val_f1"), metrics="f1")
    with pytest.raises(ValueError, match=r"monitor must be one of 'loss', 'f1', .*; got 'val_f1'"):
        unfitted.fit(X, Y)
    assert not hasattr(unfitted, "layer_sizes_")  # before any training


def test_each_fit_has_a_state_of_its_own() -> None:
    stopping = EarlyStopping(patience=2)
    options: dict[str, Any] = {"epochs": 40, "learning_rate": 0.05, "early_stopping": stopping}
    first = trainer(**options).fit(X, Y, validation_data=HELD_BACK)
    again = trainer(**options).fit(X, Y, validation_data=HELD_BACK)
    for other in (again, first.fit(X, Y, validation_data=HELD_BACK)):
        assert other.n_iter_ == again.n_iter_
        assert same_weights(other.get_weights(), again.get_weights())


def test_it_is_a_setting_not_a_callback() -> None:
    with pytest.raises(TypeError, match="early stopping is the setting early_stopping; got Early"):
        trainer(callbacks=EarlyStopping())


# ---------------------------------------------------------------------------------------- time


def test_a_budget_of_time() -> None:
    rows, labels = np.tile(X, (2000, 50)), np.tile(Y, 2000)
    model = Trainer((256, 128), epochs=1, seed=0).fit(rows[:500], labels[:500])  # compiled
    model.epochs, model.time_budget = 1000, 0.5
    start = time.perf_counter()
    model.fit(rows, labels)
    # Beyond the budget: a slice of a tenth of a second, on a machine that does other work, too.
    assert 0.5 <= time.perf_counter() - start < 3
    assert model.stop_reason_ == "time_budget"
    assert model.n_iter_ == len(model.history["loss"]) >= 1
    assert np.isfinite(model.history["loss"]).all()


ROWS, LABELS = np.tile(X, (20, 1)), np.tile(Y, 20)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that goes on by 1 ms a batch: 1.2 s for an epoch of 1,200 rows."""
    now, run = [0.0], Job.run

    def training(job: Job, **options: Any) -> bool:
        first = job.runs["first"][0]
        asked = run(job, **options)
        now[0] += 1e-3 * (job.runs["last"][0] - first)
        return asked

    fake = SimpleNamespace(perf_counter=lambda: now[0])
    for module in ("trainer", "fitting.loop", "fitting.epoch", "fitting.scoring"):
        monkeypatch.setattr(f"fastmlp.{module}.time", fake)
    monkeypatch.setattr("fastmlp.fitting.epoch._FIRST_SLICE_FLOPS", 1.0)
    monkeypatch.setattr(Job, "run", training)
    return now


@pytest.mark.parametrize("budget", [0.7, 1.0, 2.05, 2.9, 5.0])
@pytest.mark.parametrize("scoring", [0.0, 0.5])
def test_a_budget_is_kept(
    budget: float, scoring: float, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def scored(network: Any, encoding: Any, some: Any, *how: Any) -> tuple[dict[str, float], float]:
        clock[0] += scoring * len(some[0]) / len(ROWS)
        return {"loss": 1.0, "accuracy": 0.5}, 1.0

    monkeypatch.setattr("fastmlp.fitting.scoring.scores", scored)
    monkeypatch.setattr("fastmlp.fitting.scoring._REHEARSED", 100)
    model = trainer(batch_size=1, epochs=100, threads=1, time_budget=budget)
    model.fit(ROWS, LABELS, validation_data=(ROWS, LABELS))
    assert model.stop_reason_ == "time_budget"
    assert model.n_iter_ == max(1, int(budget / (1.2 + scoring) + 1e-9))
    assert clock[0] <= budget + 0.3


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine"])
def test_a_budget_that_binds_shortens_the_schedule(schedule: str, clock: list[float]) -> None:
    """From the second epoch on, as the first one measures the speed."""
    options: dict[str, Any] = {"batch_size": 1, "threads": 1, "schedule": schedule}
    model = trainer(**options, epochs=10, time_budget=4 * 1.2 + 0.6).fit(ROWS, LABELS)
    wanted = trainer(**options, epochs=4).fit(ROWS, LABELS)
    long = trainer(**options, epochs=10).fit(ROWS, LABELS)
    rates = model.history["learning_rate"]
    assert rates[0] == long.history["learning_rate"][0]
    assert rates[1:] == wanted.history["learning_rate"][1:]
    assert model.stop_reason_ == "time_budget"
    unbound = trainer(**options, epochs=10, time_budget=100.0).fit(ROWS, LABELS)
    assert same_weights(unbound.get_weights(), long.get_weights())


def test_a_budget_of_short_epochs_runs_the_schedule_to_its_end(clock: list[float]) -> None:
    """Shorter than the slice that may end after the deadline."""
    options: dict[str, Any] = {"batch_size": 1, "threads": 1, "schedule": "cosine"}
    rows = ROWS[:12], LABELS[:12]
    model = trainer(**options, epochs=1000, time_budget=0.25).fit(*rows)
    assert (model.stop_reason_, model.n_iter_) == ("time_budget", 21)
    wanted = trainer(**options, epochs=21).fit(*rows)
    assert model.history["learning_rate"][1:] == wanted.history["learning_rate"][1:]


@pytest.mark.parametrize(("budget", "epochs"), [(1.3, 1), (2.9, 2), (3.5, 2), (0.7, 1)])
def test_a_budget_that_ends_between_two_chunks_drops_the_epoch(
    budget: float, epochs: int, clock: list[float]
) -> None:
    """Unless it is the first one; each chunk takes 0.6 s."""

    def chunks() -> Any:
        return [(ROWS[:600], LABELS[:600]), (ROWS[600:], LABELS[600:])]

    options: dict[str, Any] = {"batch_size": 1, "threads": 1, "scaling": None}
    model = trainer(**options, epochs=10, time_budget=budget).fit_stream(chunks)
    assert (model.n_iter_, model.stop_reason_) == (epochs, "time_budget")
    if budget > 1:
        wanted = trainer(**options, epochs=epochs).fit_stream(chunks)
        assert same_weights(model.get_weights(), wanted.get_weights())


def test_an_unfinished_epoch_is_dropped_unless_it_is_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A slice for each batch.
    monkeypatch.setattr("fastmlp.fitting.epoch._FIRST_SLICE_FLOPS", 1.0)
    monkeypatch.setattr("fastmlp.fitting.epoch.SLICE_SECONDS", 1e-9)
    full = trainer(epochs=3).fit(X, Y)
    for budget in (1e-9, 1e6):
        model = trainer(epochs=3, time_budget=budget).fit(X, Y)
        assert model.n_iter_ == (1 if budget < 1 else 3)
    first = trainer(epochs=3, time_budget=1e-9, shuffle=False).fit(X, Y)
    # One batch of 16 rows.
    wanted = trainer(epochs=1, shuffle=False, seed=0).fit(X[:16], Y[:16])
    assert [w.shape for w in first.get_weights()] == [w.shape for w in wanted.get_weights()]
    assert first.history["loss"][0] == pytest.approx(wanted.history["loss"][0], rel=1e-6)
    assert first.stop_reason_ == "time_budget"
    assert full.stop_reason_ == "epochs"


def test_a_callback_that_stops() -> None:
    def stop(model: Any, epoch: int, logs: Any) -> None:
        model.stop_training = epoch == 1

    model = fitted(epochs=5, callbacks=stop)
    assert (model.stop_reason_, model.n_iter_, model.best_epoch_) == ("callback", 2, 1)


# --------------------------------------------------------------------------------------- files


def test_a_log(tmp_path: Path) -> None:
    model = fitted(epochs=3, callbacks=[CSVLog(tmp_path / "log.csv")])
    with open(tmp_path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row.pop("epoch")) for row in rows] == [0, 1, 2]
    assert {name: [float(row[name]) for row in rows] for name in rows[0]} == model.history


def test_checkpoints(tmp_path: Path) -> None:
    best, last = tmp_path / "best.pickle", tmp_path / "last.pickle"
    model = trainer(epochs=30, learning_rate=0.05)
    model.callbacks = [Checkpoint(best), Checkpoint(str(last), best_only=False)]
    model.fit(X, Y, validation_data=HELD_BACK)
    kept, newest = (pickle.loads(path.read_bytes()) for path in (best, last))
    assert same_weights(newest.get_weights(), model.get_weights())
    epoch = int(np.argmin(model.history["val_loss"]))
    assert kept.n_iter_ == epoch + 1
    assert kept.evaluate(*HELD_BACK)["loss"] == model.history["val_loss"][epoch]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.pickle", "last.pickle"]


def table(path: Path) -> dict[str, list[float]]:
    """The columns of a log, whose epochs must be 0, 1, 2, ..."""
    with open(path, newline="") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    assert [row.pop("epoch") for row in rows] == list(range(len(rows)))
    return {name: [row[name] for row in rows] for name in rows[0]}


def test_a_log_goes_on_with_the_history(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    model = trainer(callbacks=CSVLog(log))
    for calls in (1, 2, 3):
        model.partial_fit(X, Y)
        assert table(log) == model.history
        assert model.n_iter_ == calls
    assert log.read_text().count("epoch") == 1
    # A new fit has a new history, also a warm-started one.
    model.fit(X, Y)
    assert table(log) == model.history
    model.partial_fit(X, Y)
    assert (len(table(log)["loss"]), table(log)) == (4, model.history)


def test_a_log_appends_to_its_own_file_only(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    model = trainer().partial_fit(X, Y).partial_fit(X, Y)
    other = trainer(seed=1, callbacks=CSVLog(log)).partial_fit(X, Y).partial_fit(X, Y)
    model.callbacks = CSVLog(log)
    for content in (log.read_bytes(), b"", b"something else", bytes(range(256))):
        log.write_bytes(content)
        assert table(log) == other.history if b"," in content[:9] else True
        model.partial_fit(X, Y)
        assert table(log) == model.history


def test_a_log_whose_columns_change(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    model = trainer(callbacks=CSVLog(log)).fit(X, Y, validation_data=HELD_BACK)
    assert len(table(log)) == 6
    model.partial_fit(X, Y)
    model.metrics = "f1"
    model.partial_fit(X, Y)
    got = table(log)
    assert got.keys() == model.history.keys()
    assert [len(values) for values in got.values()] == [5] * 7
    for name, values in got.items():
        assert np.array_equal(values, model.history[name], equal_nan=True)


def test_a_log_that_cannot_be_written_is_an_error_before_the_training(tmp_path: Path) -> None:
    model = trainer(callbacks=CSVLog(tmp_path / "nowhere" / "log.csv"))
    with pytest.raises(FileNotFoundError):
        model.fit(X, Y)
    assert model.n_iter_ == 0


WRONG = X[:20], Y[1:21]  # the more is learned the higher is the loss


def kept_by(path: Path) -> Any:
    return pickle.loads(path.read_bytes())


def test_the_best_of_all_calls_is_kept(tmp_path: Path) -> None:
    best, newest = tmp_path / "best.pickle", tmp_path / "newest.pickle"
    model = trainer(learning_rate=0.05)
    model.callbacks = [Checkpoint(best), Checkpoint(newest, best_only=False)]
    for _ in range(12):
        model.partial_fit(X, Y)
    losses = model.history["loss"]
    model.partial_fit(X, np.roll(Y, 1))  # worse
    assert model.history["loss"][-1] > min(losses)
    assert kept_by(best).n_iter_ == np.argmin(losses) + 1
    assert kept_by(newest).n_iter_ == 13
    # So it goes on in a copy, and after a pickle.
    again = pickle.loads(pickle.dumps(model)).partial_fit(X, np.roll(Y, 1))
    assert kept_by(newest).n_iter_ == again.n_iter_ == 14
    assert kept_by(best).n_iter_ == np.argmin(losses) + 1
    # A new fit begins anew.
    model.fit(X, np.roll(Y, 1))
    assert kept_by(best).n_iter_ == 3


@pytest.mark.parametrize(("monitor", "best_is"), [("val_loss", min), ("val_accuracy", max)])
def test_the_best_of_warm_started_fits_is_kept(monitor: str, best_is: Any, tmp_path: Path) -> None:
    path = tmp_path / "best.pickle"
    model = trainer(epochs=1, warm_start=True, callbacks=Checkpoint(path, monitor))
    values: list[float] = []
    for data in (HELD_BACK, WRONG, HELD_BACK, WRONG, WRONG):
        model.fit(X, Y, validation_data=data)
        values.append(model.history[monitor][-1])
        assert kept_by(path).history[monitor][-1] == best_is(values)


MEASURED: list[float] = []


def measured(y: Any, predicted: Any) -> float:
    return MEASURED.pop(0)


def test_a_value_that_is_nan_is_not_the_best(tmp_path: Path) -> None:
    model = trainer(epochs=4, metrics=measured)
    model.callbacks = Checkpoint(tmp_path / "best", "val_measured", mode="max")
    MEASURED[:] = np.repeat([np.nan, 1, 3, 2], 2).tolist()  # of the training rows, too
    model.fit(X, Y, validation_data=HELD_BACK)
    assert kept_by(tmp_path / "best").n_iter_ == 3
    model.callbacks = Checkpoint(tmp_path / "none", "val_measured", mode="max")
    MEASURED[:] = [np.nan] * 8
    with pytest.warns(
        FitWarning, match="none was not written: val_measured was NaN in every epoch"
    ):
        model.fit(X, Y, validation_data=HELD_BACK)
    assert not (tmp_path / "none").exists()


def test_a_single_fit_has_no_number(tmp_path: Path) -> None:
    for callback in (Checkpoint(tmp_path / "{member}"), CSVLog(tmp_path / "{member}")):
        model = trainer(callbacks=callback)
        with pytest.raises(ValueError, match=r"path must be without \{member\}, .*; got '"):
            model.fit(X, Y)
        assert model.n_iter_ == 0
        assert not list(tmp_path.iterdir())


def test_begin_and_end() -> None:
    class Told:
        def __init__(self) -> None:
            self.what: list[Any] = []

        def on_fit_begin(self, model: Any) -> None:
            self.what.append("begin")

        def __call__(self, model: Any, epoch: int, logs: Any) -> None:
            self.what.append(epoch)

        def on_fit_end(self, model: Any) -> None:
            self.what.append("end")

    told = Told()
    fitted(epochs=2, callbacks=told)
    assert told.what == ["begin", 0, 1, "end"]
