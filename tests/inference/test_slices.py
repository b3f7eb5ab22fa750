"""Predictions and scores in short kernel calls, between which Python handles interrupts."""

from typing import Any

import numpy as np
import pytest

from fastmlp import Trainer, fit_many
from fastmlp.inference import forward
from fastmlp.kernels.runs.launch import Job
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, Y, fitted

pytestmark = needs_compiler

MANY, LABELS = np.tile(X, (20, 1)), np.tile(Y, 20)  # 13 chunks


def results(model: Trainer) -> list[Any]:
    return [model.predict_proba(MANY), *model.evaluate(MANY, LABELS).values()]


def same(one: list[Any], other: list[Any]) -> bool:
    return all(map(np.array_equal, one, other))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The first and last chunks of the members in each kernel call; a chunk for each thread."""
    found: list[Any] = []
    run = Job.run

    def telling(job: Job, **options: bool) -> bool:
        found.append(np.stack([job.runs["first"], job.runs["last"]]))
        return run(job, **options)

    monkeypatch.setattr(Job, "run", telling)
    monkeypatch.setattr(forward, "_FIRST_SLICE_FLOPS", 0.0)
    monkeypatch.setattr(forward, "SLICE_SECONDS", 0.0)
    return found


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("options", [{}, {"scaling": "standard"}, {"dtype": "float64"}])
def test_slices_change_nothing(threads: int, options: Any, calls: list[Any]) -> None:
    model = fitted(threads=threads, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forward, "_FIRST_SLICE_FLOPS", 4e9)
        calls.clear()
        wanted = results(model)
        assert len(calls) == 2
    calls.clear()
    assert same(results(model), wanted)
    assert len(calls) == 26
    assert [int(bounds.max()) for bounds in calls] == 2 * list(range(1, 14))


def test_slices_grow_to_their_time(calls: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    model = fitted(threads=1)
    monkeypatch.setattr(forward, "SLICE_SECONDS", 60.0)
    calls.clear()
    model.predict(MANY)
    assert [bounds.tolist() for bounds in calls] == [[[0], [1]], [[1], [5]], [[5], [13]]]


@pytest.mark.parametrize("name", ["predict_proba", "evaluate"])
def test_an_interrupt_between_slices(
    name: str, calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fitted(threads=3)
    wanted = results(model)
    run = Job.run

    def interrupted(job: Job, **options: bool) -> bool:
        if len(calls) == 5:
            raise KeyboardInterrupt
        return run(job, **options)

    calls.clear()
    with monkeypatch.context() as patch:
        patch.setattr(Job, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            getattr(model, name)(*(MANY, LABELS)[: 1 + (name == "evaluate")])
    assert same(results(model), wanted)


def test_a_member_of_several_fits_ends_between_slices(
    calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread gets no interrupt, but looks whether there was one."""
    model = Trainer(4, epochs=1, metrics=(), seed=0)
    stop, checks = KeyboardInterrupt("found"), 0

    def check() -> None:
        nonlocal checks
        checks += 1
        if checks == 3:
            raise stop

    monkeypatch.setattr(forward, "check_interrupt", check)
    with pytest.raises(KeyboardInterrupt, match="found"):
        fit_many([model], X, Y, validation_data=(MANY, LABELS))
    assert checks == 3
    assert not hasattr(model, "classes_")
