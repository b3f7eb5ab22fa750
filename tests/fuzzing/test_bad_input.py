"""Random wrong arguments: a documented exception that names the argument, and nothing changes."""

import copy
import functools
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmlp import Ensemble, MLPClassifier, Trainer, fit_many
from fastmlp.callbacks import Checkpoint, CSVLog
from fastmlp.settings import SETTINGS
from tests.fuzzing.trials import attempt, only_warnings_for_users, snapshot, trials
from tests.fuzzing.wrong import ANYTHING, WRONG, damaged
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, Y, fitted

pytestmark = [needs_compiler, pytest.mark.repeated]

W = np.linspace(0.5, 2, len(Y))
Arguments = dict[str, Any]
GOOD: Arguments = {"X": X, "Y": Y, "sample_weight": W, "validation_data": (X[:9], Y[:9])}


# What each call takes: its arguments and the kinds of their wrong values.
DATA = {"X": "rows", "Y": "targets", "sample_weight": "weights"}
CALLS: dict[str, tuple[Callable[..., Any], dict[str, str]]] = {
    "fit": (Trainer.fit, {**DATA, "X": "first rows", "validation_data": "pair"}),
    "partial_fit": (Trainer.partial_fit, DATA),
    "partial_fit of labels": (Trainer.partial_fit, {"X": "rows", "Y": "known targets"}),
    "fit_stream": (
        lambda model, X, Y, sample_weight, validation_data: model.fit_stream(
            lambda: [(X, Y, sample_weight)], validation_data=validation_data
        ),
        {**DATA, "X": "first rows", "validation_data": "pair"},
    ),
    "evaluate": (Trainer.evaluate, DATA),
    "evaluate of labels": (Trainer.evaluate, {"X": "rows", "Y": "known targets"}),
    "score": (Trainer.score, DATA),
    "loss_and_gradient": (Trainer.loss_and_gradient, DATA),
    "predict": (Trainer.predict, {"X": "alone"}),
    "predict_proba": (Trainer.predict_proba, {"X": "alone"}),
    "decision_function": (Trainer.decision_function, {"X": "alone"}),
    "set_weights": (Trainer.set_weights, {"weights": "network", "classes": "classes"}),
    "fit_many": (
        lambda model, **data: fit_many([copy.copy(model), copy.copy(model)], **data),
        {**DATA, "X": "first rows", "validation_data": "pair"},
    ),
    "an ensemble": (
        lambda model, **data: Ensemble(model, k=2).fit(**data),
        {**DATA, "X": "first rows", "validation_data": "pair"},
    ),
}  # fmt: skip

WRONG_CALLS = [
    (call, argument, way)
    for call, (_, arguments) in CALLS.items()
    for argument, kind in arguments.items()
    for way in WRONG[kind]
]
seeds = st.integers(0, 2**32 - 1)


def good_arguments(model: Trainer) -> Arguments:
    return {**GOOD, "weights": model.get_weights(), "classes": [5, 6, 7]}


def test_good_arguments() -> None:
    """Those that are made wrong one at a time."""
    for call, kinds in CALLS.values():
        model = fitted()
        call(model, **{name: good_arguments(model)[name] for name in kinds})


def test_arguments(times: int) -> None:
    names: Counter[str] = Counter()

    @trials(60, times)
    @given(wrong=st.sampled_from(WRONG_CALLS), seed=seeds)
    def run(wrong: tuple[str, str, str], seed: int) -> None:
        name, argument, way = wrong
        call, kinds = CALLS[name]
        model = fitted()
        before, rng = snapshot(model), np.random.default_rng(seed)
        arguments = {name: good_arguments(model)[name] for name in kinds}
        arguments[argument] = WRONG[kinds[argument]][way](rng, arguments[argument])
        error = attempt(lambda: call(model, **arguments))
        assert isinstance(error, TypeError | ValueError), (wrong, arguments[argument], error)
        assert snapshot(model) == before, wrong
        names[name] += 1

    run()
    assert len(names) > 5


def test_settings(times: int) -> None:
    """A value is refused where it is set, or by the fit, or it works."""
    outcomes: Counter[str] = Counter()

    @trials(60, times)
    @given(name=st.sampled_from(SETTINGS), value=st.sampled_from(ANYTHING))
    def run(name: str, value: Any) -> None:
        if callable(value) and name in ("metrics", "schedule", "callbacks"):
            return  # called by the fit, its errors are its own
        model = fitted(epochs=2)
        before = snapshot(model)
        error = attempt(lambda: setattr(model, name, value))
        if error is None and not (name == "epochs" and value == 10**30):
            before = snapshot(model)
            error = attempt(lambda: model.fit(X, Y))
        if isinstance(error, TypeError | ValueError):
            assert snapshot(model) == before, (name, value, error)
            assert name.split("_")[0] in str(error), (name, error)
        outcomes[type(error).__name__] += 1

    run()
    assert min(outcomes["TypeError"], outcomes["ValueError"]) > 5


STATES = {
    "early stopping": {"early_stopping": True, "validation_fraction": 0.2, "epochs": 12},
    "scaled": {"scaling": "piecewise", "weight_averaging": 0.9, "optimizer": "amsgrad"},
    "linear": {"hidden": (), "schedule": "reduce_on_plateau"},
}


@functools.cache
def state_of(kind: str) -> Any:
    return fitted(**STATES[kind]).get_state()


def test_states(times: int) -> None:
    """A damaged state is refused, or one that works."""
    outcomes: Counter[bool] = Counter()

    @trials(60, times)
    @given(kind=st.sampled_from(sorted(STATES)), seed=seeds)
    def run(kind: str, seed: int) -> None:
        model = fitted(**STATES[kind], warm_start=True)
        before = snapshot(model)
        state = damaged(np.random.default_rng(seed), copy.deepcopy(state_of(kind)))
        error = attempt(lambda: model.set_state(state))
        outcomes[isinstance(error, ValueError)] += 1
        if isinstance(error, ValueError):
            assert snapshot(model) == before
            return
        assert error is None
        uses: list[Callable[[], Any]] = [
            lambda: model.predict(X), lambda: model.evaluate(X, Y), lambda: model.fit(X, Y),
            lambda: pickle.loads(pickle.dumps(model)).predict(X),
        ]  # fmt: skip
        for use in uses:
            attempt(use)

    run()
    assert min(outcomes.values()) > 5


def test_paths(times: int, tmp_path: Path) -> None:
    """Callbacks that write files find out before the training."""

    @trials(20, times)
    @given(
        kind=st.sampled_from([Checkpoint, CSVLog]),
        path=st.sampled_from([*ANYTHING, "no/such/folder/x", "a\0b", "x" * 5000]),
    )
    def run(kind: Any, path: Any) -> None:
        model = fitted()
        before = snapshot(model)
        if isinstance(path, str) and path:
            path = str(tmp_path / "missing" / path.strip("/"))
        try:
            model.callbacks = kind(path)
            model.fit(X, Y)
        except (TypeError, ValueError, OSError):
            model.callbacks = ()
            assert snapshot(model) == before, (kind, path[:99])
        else:
            raise AssertionError(f"{path!r} was written")

    run()


# scikit-learn takes dates and digits for numbers, and fits rows of float64 in float64.
ESTIMATOR_WRONG = [
    (argument, kind, way)
    for argument, kind in [("X", "first rows"), ("y", "targets")]
    for way in WRONG[kind]
    if way
    not in (
        "a range of dates",
        "durations",
        "a value of 1e+39",
        "a value of -1e+300",
        "text in all",
    )
]


def test_estimators(times: int) -> None:
    """Messages are those of scikit-learn; a refused fit leaves the one before."""

    @trials(20, times)
    @given(wrong=st.sampled_from(ESTIMATOR_WRONG), seed=seeds)
    def run(wrong: tuple[str, str, str], seed: int) -> None:
        argument, kind, way = wrong
        model = MLPClassifier(5, max_iter=2, random_state=0)
        with only_warnings_for_users():
            model.fit(X, Y)
        before = model.predict_proba(X).tobytes(), dict(vars(model))
        good = {"X": X, "y": Y}
        good[argument] = WRONG[kind][way](np.random.default_rng(seed), good[argument])
        with only_warnings_for_users(), pytest.raises((TypeError, ValueError)):
            model.fit(**good)
        assert before == (model.predict_proba(X).tobytes(), vars(model))

    run()
