"""What fits that run at the same time share, and how an interrupt ends them."""

import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp import Ensemble, Trainer, fit_many
from fastmlp.callbacks import Checkpoint, CSVLog
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, Y, numbers, same_weights, trainer

pytestmark = [needs_compiler, pytest.mark.threading]


@pytest.fixture(autouse=True)
def _on_four_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits run at the same time, for any number of processors."""
    monkeypatch.setattr("fastmlp.several_fits.usable_threads", lambda threads: 4)


class After:
    """A callback with a state: it stops a fit after some epochs."""

    def __init__(self, epochs: int) -> None:
        self.left = epochs

    def __call__(self, model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        time.sleep(1e-3)  # the others go on meanwhile
        self.left -= 1
        model.stop_training = self.left <= 0

    def method(self, model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        self(model, epoch, logs)


class Stopping:
    """Settings from which each fit makes one: all that is needed is the method."""

    def for_fit(self) -> After:
        return After(3)


def test_each_fit_has_a_callback_of_its_own() -> None:
    ensemble = Ensemble(trainer(epochs=30, callbacks=Stopping())).fit(X, Y)
    assert [member.n_iter_ for member in ensemble.members] == [3] * 8
    assert trainer(epochs=30, callbacks=[Stopping()]).fit(X, Y).n_iter_ == 3


def test_functions_are_called_by_one_thread_at_a_time() -> None:
    inside, most, calls = 0, 0, 0

    def function(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        nonlocal inside, most, calls
        inside += 1
        most = max(most, inside)
        time.sleep(1e-3)
        calls, inside = calls + 1, inside - 1

    Ensemble(trainer(epochs=5, callbacks=[print_nothing, function])).fit(X, Y)
    assert (most, calls) == (1, 40)


def print_nothing(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
    print(end="")


def test_a_shared_function_may_fit_too() -> None:
    inner: list[int] = []

    def fitting(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        if model.epochs == 2:
            inner.append(trainer(epochs=1, callbacks=fitting).fit(X, Y).n_iter_)
            other = trainer(epochs=1, callbacks=fitting), trainer(epochs=1, callbacks=fitting)
            inner.extend(one.n_iter_ for one in fit_many(other, X, Y))

    Ensemble(trainer(epochs=2, callbacks=fitting), 2).fit(X, Y)
    assert inner == [1] * 12


SHARED: dict[str, Callable[[], Any]] = {
    "object": lambda: After(3),
    "method": lambda: After(3).method,
    "object and its method": lambda: [after := After(3), after.method],
}


@pytest.mark.parametrize("kind", SHARED)
def test_other_callables_are_refused(kind: str) -> None:
    callback = SHARED[kind]()
    ensemble = Ensemble(trainer(callbacks=callback), 3)
    message = (
        r"callbacks of trainers\[0\] and trainers\[1\], fitted .* for_fit\(\) .*; got <.*After"
    )
    with pytest.raises(ValueError, match=message):
        ensemble.fit(X, Y)
    assert [member.n_iter_ for member in ensemble.members] == [0] * 3
    # One fit, or one for each.
    assert Ensemble(trainer(epochs=30, callbacks=After(3)), 1).fit(X, Y).members[0].n_iter_ == 3
    own = [trainer(epochs=30, callbacks=After(3)) for _ in range(3)]
    assert [model.n_iter_ for model in fit_many(own, X, Y)] == [3] * 3


def test_a_method_looked_up_twice_is_the_same() -> None:
    after = After(3)
    with pytest.raises(ValueError, match="for_fit"):
        fit_many([trainer(callbacks=after.method), trainer(callbacks=after.method)], X, Y)


def test_a_class_is_no_callback() -> None:
    with pytest.raises(TypeError, match=r"or an object with for_fit\(\); got <class .*Stopping"):
        trainer(callbacks=Stopping)


# ------------------------------------------------------------------------------------------- files


def test_each_fit_has_files_of_its_own(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "{member}.pickle", best_only=False)
    callbacks = [checkpoint, CSVLog(str(tmp_path / "log-{member}.csv"))]
    ensemble = Ensemble(trainer(epochs=5, callbacks=callbacks)).fit(X, Y)
    for index, member in enumerate(ensemble.members):
        kept = pickle.loads((tmp_path / f"{index}.pickle").read_bytes())
        assert same_weights(kept.get_weights(), member.get_weights())
        last = (tmp_path / f"log-{index}.csv").read_text().splitlines()[-1]
        assert last == ",".join(["4", *(repr(values[-1]) for values in member.history.values())])
    assert len(list(tmp_path.iterdir())) == 16
    # The settings stay as they were given.
    assert ensemble.members[0].callbacks == callbacks


@pytest.mark.parametrize("kind", [Checkpoint, CSVLog])
def test_files_that_several_fits_would_write_are_refused(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    same = kind("file")
    pairs = [(same, same), (kind("file"), kind(tmp_path / "file")), (CSVLog("file"), same)]
    pairs += [(kind("{member}"), kind("0"))]
    for one, other in pairs:
        models = [trainer(callbacks=one), trainer(callbacks=[other])]
        with pytest.raises(ValueError, match=r"must not write the same file: .*\{member\}.*; got"):
            fit_many(models, X, Y)
        assert [model.n_iter_ for model in models] == [0, 0]
    assert list(tmp_path.iterdir()) == []
    fit_many([trainer(callbacks=kind("a")), trainer(callbacks=kind("b"))], X, Y)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


# ------------------------------------------------------------------------------------------- seeds


def test_ensembles_of_different_seeds_have_no_members_in_common() -> None:
    seeds = [member.seed for seed in range(100) for member in Ensemble(trainer(seed=seed)).members]
    assert len(set(seeds)) == 800
    assert {type(seed) for seed in seeds} == {int}
    again = [member.seed for member in Ensemble(trainer(seed=np.int64(7))).members]
    assert again == seeds[56:64]
    assert [member.seed for member in Ensemble(trainer(seed=None), 2).members] == [None, None]


# -------------------------------------------------------------------------------------- interrupts


@pytest.fixture
def no_fit_goes_on() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(0.1)  # it has ended its fits
        assert not thread.is_alive()


def send_interrupt() -> None:
    """To the main thread, as from the keyboard."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def consistent(model: Trainer) -> bool:
    """Whether it has the weights and the history of its finished epochs."""
    if model.n_iter_ == 0:
        return dict(model.history) == {}
    wanted = trainer(seed=model.seed, epochs=model.n_iter_).fit(X, Y)
    same = same_weights(model.get_weights(), wanted.get_weights())
    return same and numbers(model.history) == numbers(wanted.history)


def endless(k: int) -> list[Trainer]:
    return [trainer(seed=seed, epochs=10**9) for seed in range(k)]


@pytest.mark.usefixtures("no_fit_goes_on")
@pytest.mark.parametrize("times", [1, 2])
def test_an_interrupt_ends_all_fits(times: int) -> None:
    """Further ones too, while it waits for the end."""
    models = endless(6)

    def interrupt(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        if epoch == 20:
            for _ in range(times):
                send_interrupt()
                time.sleep(0.02)

    models[1].callbacks = interrupt
    with pytest.raises(KeyboardInterrupt):
        fit_many(models, X, Y)
    assert models[1].n_iter_ >= 20
    assert all(map(consistent, models))
    assert [model.n_iter_ for model in models[4:]] == [0, 0]  # four were being fitted
    assert {model.stop_reason_ for model in models if model.n_iter_} == {"interrupted"}


@pytest.mark.usefixtures("no_fit_goes_on")
@pytest.mark.parametrize("started", [0, 1, 3])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupt_while_threads_start(
    started: int, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    models, start, n_starts = endless(4), threading.Thread.start, 0

    def interrupted(thread: threading.Thread) -> None:
        nonlocal n_starts
        n_starts += 1
        if n_starts <= started or when == "after":
            start(thread)
        if n_starts > started:
            raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit_many(models, X, Y)
    assert all(map(consistent, models))


@pytest.mark.usefixtures("no_fit_goes_on")
def test_an_interrupt_before_a_fit_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has taken its trainer, but not yet asked whether it should stop."""
    models, reached = endless(2), threading.Event()
    fit = Trainer.fit

    def late(model: Trainer, *args: Any, **options: Any) -> Trainer:
        reached.set()
        time.sleep(0.2)
        return fit(model, *args, **options)

    def interrupt() -> None:
        reached.wait()
        send_interrupt()

    monkeypatch.setattr(Trainer, "fit", late)
    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        fit_many(models, X, Y)
    monkeypatch.undo()
    interrupter.join()
    assert [model.n_iter_ for model in models] == [0, 0]


@pytest.mark.usefixtures("no_fit_goes_on")
def test_an_interrupt_keeps_what_is_finished() -> None:
    done, model = trainer(epochs=2), trainer(seed=1, epochs=10**9)

    def interrupt(_: Trainer, epoch: int, logs: dict[str, float]) -> None:
        if done.n_iter_ == 2 and epoch > 50:
            send_interrupt()

    model.callbacks = interrupt
    with pytest.raises(KeyboardInterrupt):
        fit_many([done, model], X, Y)
    assert (done.n_iter_, done.stop_reason_, done.stop_training) == (2, "epochs", False)
    assert consistent(done)
    assert consistent(model)
