"""Random sequences of calls, of a trainer and of its twin, which has one thread and plain rows."""

import copy
import itertools
import pickle
from collections import Counter
from collections.abc import Callable
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fastmlp import Ensemble, Trainer, fit_many, load
from tests.fuzzing import values
from tests.fuzzing.trials import attempt, flat, only_warnings_for_users, snapshot, trials
from tests.fuzzing.values import N_FEATURES, NUMBERS, SETTINGS, TARGETS, Rows
from tests.helpers.basics import needs_compiler

pytestmark = [needs_compiler, pytest.mark.repeated]

REASONS = {"", "epochs", "early_stopping", "time_budget", "callback", "interrupted", "exception"}
WAYS: list[Callable[[Trainer], Trainer]] = [
    copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)),
]  # fmt: skip


class BrokenError(Exception):
    pass


def broken(trainer: Trainer, epoch: int, logs: Any) -> None:
    raise BrokenError


def broken_later(trainer: Trainer, epoch: int, logs: Any) -> None:
    if epoch % 2:
        raise BrokenError


def stop(trainer: Trainer, epoch: int, logs: Any) -> None:
    trainer.stop_training = epoch % 3 == 1


def set_weights(trainer: Trainer, epoch: int, logs: Any) -> None:
    trainer.set_weights([0.5 * array for array in trainer.get_weights()])


def set_rate(trainer: Trainer, epoch: int, logs: Any) -> None:
    trainer.learning_rate = 0.5 * logs["learning_rate"]


CALLBACKS = [broken, broken_later, stop, set_weights, set_rate]

kinds = st.shared(st.sampled_from(sorted(TARGETS)), key="kind")
some_rows = kinds.flatmap(values.rows)
assignments = st.sampled_from(sorted(SETTINGS)).flatmap(
    lambda name: st.tuples(st.just(name), SETTINGS[name])
)

done: Counter[str] = Counter()


class Calls(RuleBasedStateMachine):
    """A trainer, its twin, and what is known of the data that it was fitted to last."""

    model: Trainer
    twin: Trainer
    kind: str

    @initialize(kind=kinds, settings=kinds.flatmap(values.settings))
    def begin(self, kind: str, settings: dict[str, Any]) -> None:
        self.kind, self.mask = kind, numba.get_num_threads()
        self.model, self.twin = Trainer(**settings), Trainer(**{**settings, "threads": 1})

    def both(self, name: str, call: Callable[[Trainer, bool], Any]) -> Any:
        """Call with both; ``call`` is told whether it is the twin's turn, with plain rows."""
        before = snapshot(self.model)
        pair = [(self.model, False), (self.twin, True)]
        results = [attempt(partial(call, model, plain)) for model, plain in pair]
        got = results[0]
        assert type(got) is type(results[1]), results
        if isinstance(got, TypeError | ValueError):
            in_mid_fit = name == "set_rate" and self.model.stop_reason_ == "exception"
            assert in_mid_fit or snapshot(self.model) == before, got
        elif not isinstance(got, FloatingPointError):
            assert isinstance(got, Trainer) or flat(got) == flat(results[1])
            done[name] += 1
        assert snapshot(self.model) == snapshot(self.twin)
        return got

    def is_fitted(self) -> bool:
        return hasattr(self, "model") and hasattr(self.model, "model_")

    # ------------------------------------------------------------------------------------ training

    @rule(rows=some_rows, validation=st.none() | some_rows)
    def fit(self, rows: Rows, validation: Rows | None) -> None:
        def call(model: Trainer, plain: bool) -> Any:
            of = [rows, validation or rows]
            X, V = (one.plain if plain else one.X for one in of)
            held_out = (V, validation.Y) if validation else None
            return model.fit(X, rows.Y, sample_weight=rows.weights, validation_data=held_out)

        afresh = not self.model.warm_start
        if isinstance(self.both("fit", call), Trainer):
            assert self.model.n_iter_ >= 1
            if afresh and self.model.epochs != "auto":
                assert self.model.n_iter_ <= self.model.epochs
            if self.kind not in NUMBERS and afresh and rows.Y.ndim == 1:
                assert self.model.classes_.tolist() == sorted(set(rows.Y.tolist()))

    @rule(rows=some_rows)
    def partial_fit(self, rows: Rows) -> None:
        epochs = self.model.n_iter_
        got = self.both(
            "partial_fit",
            lambda model, plain: model.partial_fit(
                rows.plain if plain else rows.X, rows.Y, sample_weight=rows.weights
            ),
        )
        if isinstance(got, Trainer):
            assert self.model.n_iter_ == epochs + 1

    @rule(chunks=st.lists(some_rows, min_size=1, max_size=3))
    def fit_stream(self, chunks: list[Rows]) -> None:
        def call(model: Trainer, plain: bool) -> Any:
            return model.fit_stream(
                lambda: [
                    (rows.plain if plain else rows.X, rows.Y, rows.weights)
                    if rows.weights is not None
                    else (rows.plain if plain else rows.X, rows.Y)
                    for rows in chunks
                ]
            )

        self.both("fit_stream", call)

    @rule(rows=some_rows, callback=st.sampled_from(CALLBACKS), stream=st.booleans())
    def fit_with_a_callback(self, rows: Rows, callback: Any, stream: bool) -> None:
        def call(model: Trainer, plain: bool) -> Any:
            X = rows.plain if plain else rows.X
            model.callbacks = callback
            try:
                if stream:
                    return model.fit_stream(lambda: [(X, rows.Y)])
                return model.fit(X, rows.Y)
            except BrokenError:
                assert model.stop_reason_ == "exception"
                return model
            finally:
                model.callbacks = ()

        self.both(callback.__name__, call)

    @precondition(is_fitted)
    @rule(factor=st.sampled_from([1.0, -0.5, 0.0, 1e30, float("nan")]))
    def set_weights(self, factor: float) -> None:
        def call(model: Trainer, plain: bool) -> Any:
            with np.errstate(over="ignore"):
                weights = [factor * array for array in model.get_weights()]
            return model.set_weights(weights)

        self.both("set_weights", call)

    @rule(assignment=assignments)
    def assign(self, assignment: tuple[str, Any]) -> None:
        name, value = assignment
        self.both(
            "assign",
            lambda model, plain: setattr(model, name, 1 if plain and name == "threads" else value),
        )

    # -------------------------------------------------------------------------------------- copies

    @precondition(is_fitted)
    @rule(way=st.sampled_from(WAYS))
    def go_on_with_a_copy(self, way: Callable[[Trainer], Trainer]) -> None:
        if callable(self.model.schedule):  # no pickle holds it
            way = copy.deepcopy
        self.model = way(self.model)
        assert snapshot(self.model) == snapshot(self.twin)
        done["copy"] += 1

    @precondition(is_fitted)
    @rule()
    def go_on_with_the_state(self) -> None:
        given = self.model.get_params()
        state = copy.deepcopy(self.model.get_state())
        self.model = Trainer(**given)
        self.model.set_state(state)
        assert snapshot(self.model) == snapshot(self.twin)
        done["state"] += 1

    @precondition(is_fitted)
    @rule()
    def go_on_with_a_file(self) -> None:
        with TemporaryDirectory() as folder:
            path = f"{folder}/model.safetensors"
            if attempt(lambda: self.model.save(path)) is None:
                self.model = load(path)
                done["file"] += 1
            else:
                assert callable(self.model.schedule)
        assert snapshot(self.model) == snapshot(self.twin)

    # ----------------------------------------------------------------------------- what is learned

    @precondition(is_fitted)
    @rule(rows=some_rows)
    def predict(self, rows: Rows) -> None:
        n = len(rows.Y)
        for name in ("predict", "decision_function", "predict_proba"):

            def call(model: Trainer, plain: bool, name: str = name) -> Any:
                return getattr(model, name)(rows.plain if plain else rows.X)

            if name == "predict_proba" and not hasattr(self.model, name):
                assert self.kind in NUMBERS or not hasattr(self.model, "classes_")
                continue
            got = self.both(name, call)
            if not isinstance(got, np.ndarray):
                continue
            assert len(got) == n
            if name == "predict_proba":
                assert got.dtype == self.model.get_weights()[0].dtype
                assert got.shape == (n, len(self.model.classes_))
                assert ((got >= 0) & (got <= 1)).all()
                if self.kind != "labels":
                    eps = np.finfo(got.dtype).eps
                    sums = got.sum(axis=1, dtype=float)
                    assert (abs(sums - 1) <= 4 * eps * got.shape[1]).all()
            elif got.dtype.kind == "f":
                assert np.isfinite(got).all()
            if name == "predict" and hasattr(self.model, "classes_") and self.kind != "labels":
                assert np.isin(got.tolist(), self.model.classes_.tolist()).all()

    @precondition(is_fitted)
    @rule(rows=some_rows)
    def evaluate(self, rows: Rows) -> None:
        for name in ("evaluate", "score", "loss_and_gradient"):

            def call(model: Trainer, plain: bool, name: str = name) -> Any:
                return getattr(model, name)(rows.plain if plain else rows.X, rows.Y, rows.weights)

            got = self.both(name, call)
            if name == "loss_and_gradient" and isinstance(got, tuple):
                shapes = [array.shape for array in got[1]]
                assert shapes == [array.shape for array in self.model.get_weights()]

    @rule(rows=some_rows)
    def several(self, rows: Rows) -> None:
        """Fits at the same time are as one alone."""
        before = snapshot(self.model)
        copies = [copy.deepcopy(self.model) for _ in range(3)]
        results = [
            attempt(lambda: fit_many(copies[:2], rows.X, rows.Y, sample_weight=rows.weights)),
            attempt(lambda: copies[2].fit(rows.plain, rows.Y, sample_weight=rows.weights)),
        ]
        assert isinstance(results[0], Exception) == isinstance(results[1], Exception), results
        assert snapshot(copies[0]) == snapshot(copies[1]) == snapshot(copies[2])
        assert snapshot(self.model) == before
        done["fit_many"] += isinstance(results[0], list)

    @rule(rows=some_rows)
    def an_ensemble(self, rows: Rows) -> None:
        ensemble = Ensemble(copy.deepcopy(self.model), k=2)
        if isinstance(attempt(lambda: ensemble.fit(rows.X, rows.Y)), Exception):
            return
        with only_warnings_for_users():
            predicted = attempt(lambda: ensemble.predict(rows.X))
            if not isinstance(predicted, Exception):
                assert len(predicted) == len(ensemble.spread(rows.X)) == len(rows.Y)
                done["ensemble"] += 1

    # ------------------------------------------------------------------------------- at all times

    @invariant()
    def consistent(self) -> None:
        if not hasattr(self, "model"):
            return
        model = self.model
        assert {len(listed) for listed in model.history.values()} <= {model.n_iter_}
        assert model.stop_reason_ in REASONS
        assert numba.get_num_threads() == self.mask
        if not self.is_fitted():
            assert model.n_iter_ == 0
            return
        weights, sizes = model.get_weights(), model.layer_sizes_
        assert [array.shape for array in weights[::2]] == list(itertools.pairwise(sizes))
        assert all(np.isfinite(array).all() for array in weights)
        assert model.n_features_in_ == N_FEATURES
        assert 0 <= model.best_epoch_ < max(1, model.n_iter_)


@pytest.mark.full
def test_calls(times: int) -> None:
    done.clear()
    run_state_machine_as_test(Calls, settings=trials(250, times))
    few = {"fit_stream", "partial_fit", "predict", "predict_proba", "evaluate", "loss_and_gradient"}
    assert min(done[name] for name in few | {"fit", "fit_many", "ensemble", "broken"}) > 10, done
