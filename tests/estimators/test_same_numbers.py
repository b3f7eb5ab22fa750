"""The numbers of scikit-learn: loss curves, weights, scores, in every setting."""

from typing import Any

import numpy as np
import pytest

from tests.estimators.data import (
    WEIGHTS,
    X,
    Y,
    assert_close,
    assert_same,
    fitted,
    needs_weights,
    not_converged,
    pair,
)
from tests.helpers.basics import needs_compiler

pytestmark = [not_converged, needs_compiler]

SOLVERS: dict[str, dict[str, Any]] = {
    "adam": {"learning_rate_init": 0.01, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-6},
    "plain": {"solver": "sgd", "momentum": 0},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "nesterov": {"solver": "sgd"},
    "undamped": {"solver": "sgd", "momentum": 1, "learning_rate_init": 1e-6},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.02},
    "adaptive": {
        "solver": "sgd", "learning_rate": "adaptive", "tol": 0.1, "n_iter_no_change": 1,
        "learning_rate_init": 0.001,
    },
}  # fmt: skip


# scikit-learn cannot divide by the weights of a batch that has none, as of a row of weight 0.
BATCHES = [(1, None), (50, None), (50, WEIGHTS), ("auto", WEIGHTS), (230, None), (230, WEIGHTS)]


@pytest.mark.parametrize(("batch_size", "weights"), BATCHES, ids=range(len(BATCHES)))
@pytest.mark.parametrize("kind", Y)
@pytest.mark.parametrize("solver", SOLVERS)
def test_fits(solver: str, kind: str, batch_size: Any, weights: Any) -> None:
    max_iter = 5 if batch_size == 1 else 20
    options = {"batch_size": batch_size, "max_iter": max_iter, **SOLVERS[solver]}
    assert_same(*fitted(kind, weights, **options))


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("alpha", [0, 1e-3, 1.0])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("hidden", [(), 12, (3, 40), (5, 4, 3)], ids=repr)
def test_networks(hidden: Any, activation: str, alpha: float, shuffle: bool) -> None:
    options = {"activation": activation, "alpha": alpha, "shuffle": shuffle}
    assert_same(*fitted("classes", hidden_layer_sizes=hidden, batch_size=50, **options))


@pytest.mark.parametrize("kind", Y)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("solver", ["adam", "adaptive"])
def test_early_stopping(solver: str, weights: Any, kind: str) -> None:
    options = {**SOLVERS[solver], "early_stopping": True, "tol": 0.01, "n_iter_no_change": 3}
    theirs, ours = fitted(kind, weights, validation_fraction=0.2, max_iter=60, **options)
    assert_same(theirs, ours)
    if solver == "adam":
        assert ours.n_iter_ < 60


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}], ids=["", "early stopping"])
@pytest.mark.parametrize("kind", Y)
def test_convergence(kind: str, options: dict[str, Any]) -> None:
    """Both stop after the same epoch, with the same rate."""
    theirs, ours = fitted(kind, max_iter=400, learning_rate_init=0.02, tol=0.002, **options)
    assert ours.n_iter_ < 400
    assert_same(theirs, ours, rtol=1e-7)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", Y)
def test_warm_start(kind: str, solver: str) -> None:
    """The optimizer starts anew; what was recorded goes on."""
    for early_stopping in (False, True):
        options = {**SOLVERS[solver], "max_iter": 7, "early_stopping": early_stopping}
        estimators = pair(kind, warm_start=True, **options)
        n_epochs = 0
        for rows in (slice(0, 150), slice(80, None)):
            for one in estimators:
                one.fit(X[rows], Y[kind][rows])
            assert_same(*estimators)
            n_epochs += estimators[1].n_iter_
        history = estimators[1].trainer_.history["loss"]
        assert estimators[1].loss_curve_ == history
        assert len(history) == n_epochs > 7


@needs_weights
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", Y)
def test_partial_fit(kind: str, solver: str) -> None:
    """State and rate of the optimizer go on, also after a fit and with other weights."""
    theirs, ours = pair(kind, batch_size=30, **SOLVERS[solver])
    options = {}
    if kind in ("pair", "classes", "labels"):
        options["classes"] = np.arange(3) if kind == "labels" else np.unique(Y[kind])
    for start in (0, 60, 120, 180, 20):
        rows = slice(start, start + 50)
        for one in (theirs, ours):
            one.partial_fit(X[rows], Y[kind][rows], sample_weight=WEIGHTS[rows], **options)
        assert_same(theirs, ours)
    for one in (theirs, ours):
        one.fit(X, Y[kind]).partial_fit(X, Y[kind])
    assert_same(theirs, ours)


@pytest.mark.parametrize("kind", Y)
@pytest.mark.parametrize("options", [{}, {"early_stopping": True}], ids=["", "early stopping"])
def test_float32(kind: str, options: dict[str, Any]) -> None:
    """The same but for the rounding of float32, which grows with the epochs."""
    theirs, ours = fitted(kind, WEIGHTS, np.float32, tol=0, **options)
    assert ours.coefs_[0].dtype == ours.intercepts_[1].dtype == np.float32
    assert ours.n_iter_ == theirs.n_iter_ == 20
    assert_close(ours.loss_curve_, theirs.loss_curve_, 1e-4)
    single, double = (ours.predict(X.astype(dtype)) for dtype in (np.float32, np.float64))
    if kind in ("number", "numbers", "counts"):
        assert (single.dtype, double.dtype) == (np.float32, np.float64)


def test_generators() -> None:
    """A given generator is drawn from as by scikit-learn, and goes on from fit to fit."""
    ends = []
    estimators = pair("classes", early_stopping=True, max_iter=5)
    for one in estimators:
        generator = np.random.RandomState(7)
        one.set_params(random_state=generator).fit(X, Y["classes"])
        one.fit(X, Y["classes"])
        ends.append(generator.uniform())
    assert_same(*estimators)
    assert ends[0] == ends[1]


def test_no_seed() -> None:
    """Each fit is another one; with NumPy's global generator seeded, scikit-learn's."""
    theirs, ours = pair("pair", random_state=None, max_iter=3)
    curves = [ours.fit(X, Y["pair"]).loss_curve_ for _ in range(2)]
    assert curves[0] != curves[1]
    for one in (theirs, ours):
        np.random.seed(5)
        one.fit(X, Y["pair"])
    assert_same(theirs, ours)
