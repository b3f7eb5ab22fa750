"""Sparse matrices: as their dense arrays, or a clear error, and nothing changes."""

import copy
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.base import clone

from fastmlp import Ensemble, MLPClassifier, MLPRegressor, Trainer, fit_many
from fastmlp.optimizers import OPTIMIZERS, SGD, AdamW
from tests.fuzzing.matrices import BROKEN, FORMS, broken, in_form, random_array
from tests.fuzzing.trials import attempt, flat, only_warnings_for_users, snapshot, trials
from tests.fuzzing.values import TARGETS
from tests.helpers.basics import Array, needs_compiler
from tests.helpers.models import X, Y, fitted

pytestmark = [needs_compiler, pytest.mark.repeated]

seeds = st.integers(0, 2**32 - 1)


@st.composite
def _some(draw: st.DrawFn, /, **values: list[Any]) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(sorted(values)), max_size=6, unique=True))
    return {name: draw(st.sampled_from(values[name])) for name in names}


settings = _some(
    hidden=[5, (), (4, 3), (33,), 70],
    activation=["relu", "tanh", "gelu"],
    dropout=[0.3, (0.2, 0.1)],
    optimizer=[*OPTIMIZERS, SGD(momentum=0.9), SGD(momentum=0.5, nesterov=True),
               AdamW(weight_decay=0.1)],
    learning_rate=[0.01, 0.001],
    schedule=["one_cycle", "reduce_on_plateau", lambda update: 0.01 / (1 + update)],
    l2=[0.01], l1=[0.01], clip_norm=[0.1],
    epochs=[1, 4], batch_size=["auto", 1, 7, 33, 1000],
    weight_averaging=[0.9], shuffle=[False], scaling=["max_abs", None, 0.1],
    validation_fraction=[0.3], early_stopping=[True], refit=[True], threads=[2, 5],
)  # fmt: skip
parameters = _some(
    hidden_layer_sizes=[5, (), (33, 4)], activation=["relu", "tanh"],
    alpha=[0.0, 0.1], batch_size=[1, 7, 1000], momentum=[0.0], nesterovs_momentum=[False],
    learning_rate=["invscaling", "adaptive"], shuffle=[False], early_stopping=[True],
    dropout=[0.3], scaling=["max_abs", 0.1], warm_start=[True], threads=[2, 5],
)  # fmt: skip

SOLVERS = "adam", "sgd", "lbfgs"


def close(got: Any, wanted: Any) -> bool:
    """Equal up to rounding, which Adam's small denominators enlarge."""
    got, wanted = np.asarray(got, float), np.asarray(wanted, float)
    return bool(np.abs(got - wanted).max(initial=0) <= 1e-6 * (1 + np.abs(wanted).max(initial=0)))


def outputs(model: Any, rows: Any) -> Array:
    method = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    return np.asarray(getattr(model, method)(rows))


def both(one: Any, other: Any, call: Callable[[Any], Any]) -> Any:
    """Call with sparse and with dense rows; both or neither raise. What the first returns."""
    got, wanted = (attempt(partial(call, model)) for model in (one, other))
    assert isinstance(got, Exception) == isinstance(wanted, Exception), (got, wanted)
    return got


@st.composite
def rows(draw: st.DrawFn) -> tuple[Array, Any, Any, Any]:
    """Dense rows, a matrix of them, labels and weights."""
    rng = np.random.default_rng(draw(seeds))
    n, d = draw(st.integers(1, 60)), draw(st.sampled_from([1, 3, 9, 40, 300]))
    dense = random_array(rng, n, d)
    form = draw(st.sampled_from(sorted(FORMS)))
    labels = rng.permutation(np.arange(n) % 3)
    weights = rng.integers(0, 3, n) / 2 + (labels == 0) if draw(st.booleans()) else None
    return dense.astype(float), in_form(dense, form, rng), labels, weights


@pytest.mark.full
def test_trainers(times: int) -> None:
    """A fit, scores and predictions of sparse rows are those of dense ones."""
    done: Counter[str] = Counter()

    @trials(120, times)
    @given(rows=rows(), kind=st.sampled_from(sorted(TARGETS)), given=settings)
    def run(rows: Any, kind: str, given: dict[str, Any]) -> None:
        dense, matrix, labels, weights = rows
        losses, targets = TARGETS[kind]
        Y, d = targets(labels), {"sample_weight": weights}
        one = Trainer(**{
            "loss": losses[-1], "seed": 0, "epochs": 2, "dtype": "float64", "scaling": "max_abs",
            **given,
        })  # fmt: skip
        other, alone = clone(one), clone(one).set_params(threads=1)
        got = both(one, other, lambda m: m.fit(matrix if m is one else dense, Y, **d))
        if isinstance(got, Exception):
            return
        attempt(lambda: alone.fit(matrix, Y, **d))
        assert flat(alone.get_weights()) == flat(one.get_weights())
        done["fit"] += 1
        if one.optimizer == "lion":  # a sign turns where rounding decides
            return
        assert close(outputs(one, matrix), outputs(other, dense))
        assert close(outputs(one, dense), outputs(one, matrix))
        got = both(one, other, lambda m: m.evaluate(matrix if m is one else dense, Y, **d))
        if not isinstance(got, Exception):
            wanted = other.evaluate(dense, Y, weights)
            assert all(close(got[name], wanted[name]) for name in wanted)
        got = both(one, other, lambda m: m.loss_and_gradient(matrix if m is one else dense, Y))
        if not isinstance(got, Exception):
            wanted = other.loss_and_gradient(dense, Y)
            assert all(close(mine, its) for mine, its in zip(got[1], wanted[1], strict=True))
            done["gradient"] += 1
        for model in (one, other):
            attempt(lambda: model.set_params(early_stopping=False, refit=False,  # noqa: B023
                                             validation_fraction=0.0, schedule=None))  # fmt: skip
        got = both(one, other, lambda m: m.partial_fit(matrix if m is one else dense, Y, **d))
        if not isinstance(got, Exception):
            assert close(outputs(one, matrix), outputs(other, dense))
            done["partial_fit"] += 1

    run()
    assert min(done[name] for name in ("fit", "gradient", "partial_fit")) > 20, done


@pytest.mark.full
def test_estimators(times: int) -> None:
    done: Counter[str] = Counter()

    @trials(80, times)
    @given(rows=rows(), kind=st.sampled_from(["classes", "pair", "labels", "numbers", "columns"]),
           solver=st.sampled_from(SOLVERS), given=parameters, small=st.booleans())  # fmt: skip
    def run(rows: Any, kind: str, solver: str, given: dict[str, Any], small: bool) -> None:
        dense, matrix, labels, weights = rows
        Y, weights = TARGETS[kind][1](labels), None if weights is None else weights + 0.25
        make = MLPRegressor if kind in ("numbers", "columns") else MLPClassifier
        params = {"random_state": 0, "max_iter": 2 if small else 4, **given}
        params["solver"] = solver
        if solver == "lbfgs":
            params.pop("dropout", None)
        one, other, alone = (make(**params | {"dtype": "float64"}) for _ in range(3))
        alone.set_params(threads=1)
        for _ in range(2):
            results = []
            for model, given_rows in ((one, matrix), (other, dense), (alone, matrix)):
                with only_warnings_for_users():
                    try:
                        results.append(model.fit(given_rows, Y, sample_weight=weights))
                    except (TypeError, ValueError) as error:
                        results.append(error)
            if isinstance(results[0], Exception):
                assert {type(one) for one in results} == {type(results[0])}, results
                return
            assert close(one.loss_, other.loss_)
            assert flat(one.coefs_) == flat(alone.coefs_)
            if solver != "lbfgs":  # whose line searches enlarge rounding errors
                assert close(outputs(one, matrix), outputs(other, dense))
            assert close(outputs(one, dense), outputs(one, matrix))
            done[solver] += 1

    run()
    assert min(done[name] for name in SOLVERS) > 10, done


# ----------------------------------------------------------------------------------------- broken

CALLS: dict[str, Callable[[Trainer, Any], Any]] = {
    "fit": lambda model, rows: model.fit(rows, Y),
    "validation": lambda model, rows: model.fit(X, Y, validation_data=(rows, Y)),
    "partial_fit": lambda model, rows: model.partial_fit(rows, Y),
    "fit_stream": lambda model, rows: model.fit_stream(lambda: [(rows, Y)]),
    "predict": lambda model, rows: model.predict(rows),
    "evaluate": lambda model, rows: model.evaluate(rows, Y),
    "loss_and_gradient": lambda model, rows: model.loss_and_gradient(rows, Y),
    "fit_many": lambda model, rows: fit_many([copy.copy(model), copy.copy(model)], rows, Y),
    "rows of fit_many": lambda model, rows: fit_many([copy.copy(model)], rows, Y, [range(60)]),
    "an ensemble": lambda model, rows: Ensemble(model, k=2).fit(rows, Y),
}

ways, forms = st.sampled_from(sorted(BROKEN)), st.sampled_from(["csr", "csc"])


def test_broken_matrices(times: int) -> None:
    """Kernels and SciPy's own code read what indices say: they are checked before."""
    names: Counter[str] = Counter()

    @trials(150, times)
    @given(way=ways, form=forms, call=st.sampled_from(sorted(CALLS)), seed=seeds)
    def run(way: str, form: str, call: str, seed: int) -> None:
        assume(way != "no rows" or call != "rows of fit_many")  # an IndexError, as of arrays
        model = fitted()
        before = snapshot(model)
        rows = broken(np.asarray(X, float), way, form, np.random.default_rng(seed))
        error = attempt(lambda: CALLS[call](model, rows))
        assert isinstance(error, TypeError | ValueError), (way, form, call, error)
        assert snapshot(model) == before, way
        names[call] += 1

    run()
    assert len(names) > 5


ESTIMATOR_CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "fit": lambda model, rows: model.fit(rows, Y),
    "X_val": lambda model, rows: model.set_params(early_stopping=True).fit(
        X, Y, X_val=rows, y_val=Y
    ),
    "partial_fit": lambda model, rows: model.partial_fit(rows, Y),
    "predict": lambda model, rows: model.predict(rows),
}


def test_broken_matrices_of_estimators(times: int) -> None:
    @trials(60, times)
    @given(way=ways, form=forms, call=st.sampled_from(sorted(ESTIMATOR_CALLS)), seed=seeds)
    def run(way: str, form: str, call: str, seed: int) -> None:
        model = MLPClassifier(5, max_iter=2, random_state=0)
        with only_warnings_for_users():
            model.fit(X, Y)
        rows = broken(np.asarray(X, float), way, form, np.random.default_rng(seed))
        before = model.predict_proba(X).tobytes(), dict(vars(model))
        with only_warnings_for_users(), pytest.raises((TypeError, ValueError)):
            ESTIMATOR_CALLS[call](model, rows)
        model.set_params(early_stopping=False)
        assert before == (model.predict_proba(X).tobytes(), vars(model))

    run()
