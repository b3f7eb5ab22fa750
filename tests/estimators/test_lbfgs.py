"""L-BFGS on all rows: scikit-learn's path and optimum, and its limits."""

import threading
import time
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_info

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.estimators import lbfgs
from fastmlp.estimators.lbfgs import on_one_blas_thread
from fastmlp.fitting.objective import Objective
from tests.estimators.data import (
    WEIGHTS,
    X,
    Y,
    assert_close,
    assert_same_network,
    fitted,
    not_converged,
    pair,
)
from tests.helpers.basics import needs_compiler

# An older scikit-learn gives scipy an option that it no longer takes.
pytestmark = [needs_compiler, pytest.mark.filterwarnings("ignore:.*iprint:DeprecationWarning")]


@not_converged
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("kind", Y)
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_path(activation: str, kind: str, weights: Any) -> None:
    """The same iterations, until scikit-learn clips a probability, or rounding errors tell."""
    options = {"solver": "lbfgs", "activation": activation, "alpha": 0.01, "max_iter": 2}
    theirs, ours = fitted(kind, weights, **options)
    assert ours.n_iter_ == theirs.n_iter_ == 2
    assert_close(ours.loss_, theirs.loss_, 1e-9)
    assert_same_network(theirs, ours, 1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", Y)
def test_optimum(kind: str, dtype: Any) -> None:
    """A linear model has one."""
    options = {"solver": "lbfgs", "hidden_layer_sizes": (), "alpha": 1.0, "max_iter": 1000}
    theirs, ours = fitted(kind, WEIGHTS, dtype, **options)
    assert_close(ours.loss_, theirs.loss_, 1e-6)
    for mine, its in zip(ours.coefs_, theirs.coefs_, strict=True):
        assert_close(mine, its, 2e-3)
    assert ours.coefs_[0].dtype == dtype


def test_attributes() -> None:
    model = MLPRegressor(solver="lbfgs", max_iter=300, tol=0.01, random_state=0)
    model.fit(X, Y["number"])
    assert (model.n_layers_, model.n_outputs_, model.t_) == (3, 1, 0)
    assert 0 < model.n_iter_ < 300
    for name in ("loss_curve_", "validation_scores_", "partial_fit"):
        assert not hasattr(model, name)


@pytest.mark.parametrize("limit", [{"max_iter": 3}, {"max_fun": 3}])
def test_limits(limit: dict[str, int]) -> None:
    model = MLPClassifier(solver="lbfgs", random_state=0, **limit)
    with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge after 3"):
        model.fit(X, Y["pair"])
    assert model.n_iter_ == 3


def test_warm_start() -> None:
    """It goes on from the weights, and costs no iteration where they are a minimum."""
    for one in pair("number", solver="lbfgs", warm_start=True, max_iter=2000, tol=0.01, alpha=1):
        first = one.fit(X, Y["number"]).n_iter_
        again = one.fit(X, Y["number"]).n_iter_
        assert again <= 1 < first


def test_time_budget() -> None:
    """It ends without a warning of convergence, as an end by time says nothing of it."""
    model = MLPRegressor(
        hidden_layer_sizes=(300, 300), solver="lbfgs", max_iter=10**6, time_budget=0.3, tol=0
    )
    start = time.perf_counter()
    model.set_params(max_fun=10**7).fit(np.tile(X, (20, 1)), np.tile(Y["number"], 20))
    assert time.perf_counter() - start < 20
    assert model.n_iter_ > 0


@not_converged
def test_verbose(capsys: Any) -> None:
    model = MLPClassifier(solver="lbfgs", max_iter=3, verbose=True, random_state=0)
    model.fit(X, Y["pair"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == [f"Iteration {k}" for k in (1, 2, 3)]
    assert float(lines[-1].split()[-1]) == pytest.approx(model.loss_)


@pytest.mark.parametrize("option", [{"dropout": 0.5}, {"callbacks": print}], ids=repr)
def test_what_has_no_effect(option: dict[str, Any]) -> None:
    name = next(iter(option))
    with pytest.raises(ValueError, match=f"{name} has no effect with solver='lbfgs'"):
        MLPClassifier(solver="lbfgs", **option).fit(X, Y["pair"])


def test_a_loss_that_overflows() -> None:
    """As in scikit-learn, no step is taken."""
    model = MLPRegressor(solver="lbfgs", random_state=0)
    with pytest.warns(ConvergenceWarning, match="ABNORMAL"):
        model.fit(X * 1e300, Y["number"])
    assert model.n_iter_ == 0


def test_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    """They pass, as in scikit-learn, and the weights of the last iteration stay."""
    objective, calls = Objective.__call__, iter(range(100))

    def interrupted(self: Any, packed: Any) -> Any:
        if next(calls) == 12:
            raise KeyboardInterrupt
        return objective(self, packed)

    model = MLPRegressor(solver="lbfgs", random_state=0).fit(X[:50], Y["number"][:50])
    monkeypatch.setattr(Objective, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y["number"])
    monkeypatch.undo()
    assert 1 < model.n_iter_ < 12
    shorter = MLPRegressor(solver="lbfgs", random_state=0, max_iter=model.n_iter_)
    with pytest.warns(ConvergenceWarning) as warned:
        shorter.fit(X, Y["number"])
    assert warned[0].filename == __file__
    assert model.loss_ == shorter.loss_
    assert (model.predict(X) == shorter.predict(X)).all()


def test_threads_of_blas_after_overlapping_fits() -> None:
    """The first of two to end leaves the limit, the last one removes it."""

    def limits() -> list[int]:
        return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]

    before = limits()
    began, ends, found = threading.Event(), threading.Event(), []
    first = threading.Thread(
        target=on_one_blas_thread, args=(lambda: began.set() or ends.wait(10),)
    )
    first.start()
    assert began.wait(10)

    def last() -> None:
        ends.set()
        first.join()
        found.extend(limits())

    on_one_blas_thread(last)
    assert set(found) == {1}
    assert limits() == before


def test_threads_of_blas_after_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one, while the first is handled, leaves no limit either."""
    pools = lbfgs.threadpool_controller().select(user_api="blas").lib_controllers
    before, calls, set_threads = (
        [pool.num_threads for pool in pools],
        0,
        type(pools[0]).set_num_threads,
    )

    def interrupted(pool: Any, count: int) -> None:
        nonlocal calls
        calls += 1
        set_threads(pool, count)
        if calls in (1, 2, 4):
            raise KeyboardInterrupt

    monkeypatch.setattr(type(pools[0]), "set_num_threads", interrupted)
    with pytest.raises(KeyboardInterrupt):
        on_one_blas_thread(lambda: None)
    monkeypatch.undo()
    assert calls > 2
    assert [pool.num_threads for pool in pools] == before
    on_one_blas_thread(lambda: None)
    assert [pool.num_threads for pool in pools] == before
