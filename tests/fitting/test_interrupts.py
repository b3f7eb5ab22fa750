"""Interrupts: what a fit leaves is one of its epochs, and training goes on from there."""

import copy
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp import EarlyStopping, History, Trainer
from fastmlp.inference.forward import Evaluation
from fastmlp.kernels.runs.launch import Job
from fastmlp.network.model import Model
from fastmlp.optimizers import SGD
from tests.helpers.basics import needs_compiler
from tests.helpers.models import OPTIMIZERS, X, Y, fitted, numbers, same_weights, trainer
from tests.helpers.processes import ROOT

pytestmark = needs_compiler


class BrokenError(Exception):
    pass


def finish(model: Trainer, epochs: int) -> Trainer:
    model.epochs, model.callbacks = epochs, ()
    return model.fit(X, Y)


@pytest.mark.parametrize("error", [BrokenError, KeyboardInterrupt])
@pytest.mark.parametrize("place", ["callback", "kernel", "validation"])
@pytest.mark.parametrize("options", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_after_an_interrupt_the_training_goes_on(
    options: Any, place: str, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The epoch that was interrupted is finished or leaves no trace."""
    options = {**options, "warm_start": True, "validation_fraction": 0.2}
    model = trainer(**options, epochs=9)
    calls = 0

    def third(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        result = function(*args, **kwargs)
        if calls == 3:
            raise error("third")
        return result

    if place == "callback":
        model.callbacks = partial(third, lambda *_: None)
    elif place == "kernel":
        run = Job.run
        monkeypatch.setattr(Job, "run", lambda *args, **kwargs: third(run, *args, **kwargs))
        # A slice for each of the three batches.
        monkeypatch.setattr("fastmlp.fitting.epoch._FIRST_SLICE_FLOPS", 1.0)
        monkeypatch.setattr("fastmlp.fitting.epoch.SLICE_SECONDS", 1e-9)
    else:
        score = Evaluation.scores
        monkeypatch.setattr(Evaluation, "scores", lambda *args: third(score, *args))
    with pytest.raises(error, match="third"):
        model.fit(X, Y)
    monkeypatch.undo()
    finished = {"callback": 3, "kernel": 0, "validation": 2}[place]
    assert (model.n_iter_, len(model.history.get("loss", []))) == (finished, finished)
    if finished:
        wanted = fitted(**{**options, "epochs": finished})
        assert same_weights(model.get_weights(), wanted.get_weights())
        assert numbers(model.history) == numbers(wanted.history)
        assert np.array_equal(model.predict_proba(X), wanted.predict_proba(X))
    finish(model, 6 - finished)
    assert same_weights(model.get_weights(), fitted(**{**options, "epochs": 6}).get_weights())


def test_an_interrupt_of_a_warm_fit_under_another_rule() -> None:
    """It leaves the state of the rule before."""

    def interrupted(*args: Any) -> Any:
        raise KeyboardInterrupt

    model, wanted = (fitted(**OPTIMIZERS["momentum"], warm_start=True) for _ in range(2))
    model.optimizer = "adam"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastmlp.fitting.epoch.TrainingRun._run_slices", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, Y)
    model.optimizer = SGD(momentum=0.9)
    assert same_weights(model.fit(X, Y).get_weights(), wanted.fit(X, Y).get_weights())


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("owner", "name"), [(History, "cut"), (Trainer, "_finish"), (Model, "ended")]
)
def test_further_interrupts_at_the_end(
    owner: type, name: str, after: bool, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come while the first one is handled; the best epoch predicts all the same."""
    options: dict[str, Any] = {"epochs": 6, "validation_fraction": 0.3, "early_stopping": True}
    whole = fitted(**options)
    calls, own = 0, getattr(owner, name)

    def interrupted(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        result = own(*args) if after else None
        if calls <= count:
            raise KeyboardInterrupt(str(calls))
        return result if after else own(*args)

    def stop(_: Trainer, epoch: int, logs: Any) -> None:
        if epoch == 3:
            model.history["loss"].append(0.0)  # as in the middle of an epoch
            monkeypatch.setattr(owner, name, interrupted)
            raise KeyboardInterrupt("0")

    model = trainer(**options, callbacks=stop)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    monkeypatch.undo()
    assert calls > count
    best = int(np.argmin(whole.history["val_loss"][:4]))
    wanted = fitted(**{**options, "epochs": best + 1, "early_stopping": False})
    assert (model.n_iter_, model.best_epoch_, model.stop_reason_) == (4, best, "interrupted")
    assert set(map(len, model.history.values())) == {4}
    assert same_weights(model.get_weights(), wanted.get_weights())
    model.warm_start = True
    assert same_weights(finish(model, 2).get_weights(), whole.get_weights())


# Nothing of the trainer changes there.
NOT_TRACED = {"data", "inputs", "outputs", "settings", "language", "plugins", "products", "runs"}


@cache
def is_traced(file: str) -> bool:
    path = Path(file)
    return ROOT / "fastmlp" in path.parents and path.parent.name not in NOT_TRACED


def interrupted_at(line: int, model: Trainer) -> bool:
    """Whether an interrupt came at that line, of those of the package that a fit goes through.

    Where a mark is set or taken back there is no call, so none comes there.
    """
    seen = 0

    def trace(frame: Any, event: str, arg: Any) -> Any:
        nonlocal seen
        file = frame.f_code.co_filename
        if not is_traced(file):
            return None
        marks = file.endswith("trainer.py") and frame.f_lineno in MARKS
        if event == "line" and not marks:
            seen += 1
            if seen == line:
                raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        model.fit(X, Y)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
    return False


MARKS = [
    number
    for number, text in enumerate((ROOT / "fastmlp/trainer.py").read_text().splitlines(), start=1)
    if '__dict__["_fitting"]' in text
]


@pytest.mark.skipif(sys.gettrace() is not None, reason="traced already, as by a debugger")
@pytest.mark.costly
@pytest.mark.parametrize("step", [10, 1])
def test_an_interrupt_at_any_line(step: int) -> None:
    """It finds weights, history, order of rows and encoding of one and the same epoch."""
    options: dict[str, Any] = {**OPTIMIZERS["momentum"], "validation_fraction": 0.2, "epochs": 2}
    old = fitted(**options, hidden=3)
    wanted = [old] + [fitted(**{**options, "epochs": epochs}) for epochs in (1, 2, 3)]
    line, found = 1, set()
    while True:
        model = copy.deepcopy(old)
        model.hidden = 8
        if not interrupted_at(line, model):
            break
        # A network that is not the old one has finished n_iter_ epochs.
        done = model.n_iter_ if model.layer_sizes_ == (4, 8, 3) else 0
        found.add(done)
        assert same_weights(model.get_weights(), wanted[done].get_weights()), line
        assert numbers(model.history) == numbers(wanted[done].history), line
        assert model.n_iter_ == wanted[done].n_iter_, line
        model.warm_start = done > 0
        finish(model, 3 - done)
        assert same_weights(model.get_weights(), wanted[3].get_weights()), line
        line += step
    assert len(MARKS) == 2
    assert found == {0, 1, 2}
    assert line > 100


@pytest.mark.skipif(sys.gettrace() is not None, reason="traced already, as by a debugger")
@pytest.mark.costly
@pytest.mark.parametrize("step", [7, 1])
def test_the_best_epoch_predicts_after_an_interrupt_at_any_line(step: int) -> None:
    options: dict[str, Any] = {
        "early_stopping": EarlyStopping(mode="max"), "validation_fraction": 0.3, "epochs": 4,
        "hidden": 4, "seed": 0, "weight_averaging": 0.0,
    }  # fmt: skip
    weights: list[Any] = []
    whole = Trainer(**options, callbacks=lambda model, *_: weights.append(model.get_weights()))
    assert whole.fit(X, Y).best_epoch_ < 3
    line = 1
    while interrupted_at(line, model := Trainer(**options)):
        if model.n_iter_:
            best = int(np.argmax(model.history["val_loss"]))
            assert model.best_epoch_ == best, line
            assert same_weights(model.get_weights(), weights[best]), line
        line += step
    assert line > 100
