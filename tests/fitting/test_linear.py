"""Without hidden layers the optimum is known: that of scikit-learn's linear models.

Theirs are sums over the samples, ours means: ``l2 = 1 / (C n)``, or ``alpha / n``.
"""

from typing import Any

import numpy as np
import pytest
from sklearn import linear_model

from fastmlp import Trainer, losses
from fastmlp.optimizers import SGD
from fastmlp.schedules import Cosine
from tests.helpers.basics import Array, needs_compiler

pytestmark = needs_compiler

ROWS = 151
_rng = np.random.default_rng(0)
X = _rng.normal(size=(ROWS, 4)) @ (np.eye(4) + 0.3) + [0.5, -0.3, 0, 0]
WEIGHTS = _rng.uniform(0.2, 3, ROWS)
SIGNAL = X @ [1.0, -2, 0.5, 0]
CLASSES = np.array(["a", "b", "c"])[
    np.argmax(X[:, :3] * [1, 1.5, 0.7] + _rng.gumbel(size=(ROWS, 3)) + [0, 0.4, 0], axis=1)
]
YES = SIGNAL + 2 * _rng.logistic(size=ROWS) > 0.7
NOISY = 40 * (SIGNAL + _rng.standard_t(2, ROWS)) + 1000
COLUMNS = (X @ _rng.normal(size=(4, 3)) + _rng.normal(size=(ROWS, 3))) * [1e-3, 1, 1e4] + 5


def trained(Y: Array, sample_weight: Array | None = None, **options: Any) -> Trainer:
    """One that has gone downhill on all rows until it rests."""
    settings: dict[str, Any] = {
        "hidden": (), "optimizer": SGD(0.15, momentum=0.9, nesterov=True), "epochs": 1000,
        "batch_size": ROWS, "dtype": "float64", "seed": 0, "scaling": None,
    }  # fmt: skip
    return Trainer(**settings | options).fit(X, Y, sample_weight=sample_weight)


def falling(Y: Array, rate: float, epochs: int = 2000, **options: Any) -> Trainer:
    """The same where the gradient jumps: the last steps are as short as the error may be."""
    schedule = Cosine(final=1e-6)
    return trained(Y, optimizer=SGD(rate), schedule=schedule, epochs=epochs, **options)


def assert_same(trainer: Trainer, model: Any, tolerance: float = 1e-6) -> None:
    """Coefficients and intercepts, each in the size of those of its output."""
    W, b = trainer.get_weights()
    wanted = np.atleast_2d(model.coef_).T
    scale = np.abs(wanted).max(axis=0)
    assert W.shape == wanted.shape
    assert (np.abs(W - wanted) <= tolerance * scale).all(), (W, wanted)
    assert (np.abs(b - model.intercept_) <= tolerance * (scale + np.abs(model.intercept_))).all()


# ---------------------------------------------------------------------------------------- classes


@pytest.mark.parametrize("sample_weight", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize("C", [0.05, 10.0])
def test_logistic_regression(C: float, sample_weight: Array | None) -> None:
    model = linear_model.LogisticRegression(C=C, tol=1e-10, max_iter=10_000)
    model.fit(X, YES, sample_weight)
    total = ROWS if sample_weight is None else sample_weight.sum()
    trainer = trained(YES, sample_weight, loss="binary_cross_entropy", l2=1 / (C * total))
    assert_same(trainer, model)
    np.testing.assert_allclose(trainer.predict_proba(X), model.predict_proba(X), rtol=1e-6)
    np.testing.assert_allclose(
        trainer.decision_function(X), model.decision_function(X), rtol=1e-5, atol=1e-6
    )
    assert np.array_equal(trainer.predict(X), model.predict(X))


def test_logistic_regression_of_balanced_classes() -> None:
    model = linear_model.LogisticRegression(C=0.5, class_weight="balanced", tol=1e-10).fit(X, YES)
    options = {"loss": "binary_cross_entropy", "class_weight": "balanced"}
    assert_same(trained(YES, l2=1 / (0.5 * ROWS), **options), model)


def test_two_columns_of_a_softmax() -> None:
    """Only their difference counts, the penalty of which is half of that of one column."""
    model = linear_model.LogisticRegression(C=2.0, tol=1e-10).fit(X, YES)
    trainer = trained(YES, l2=2 / (2.0 * ROWS))
    W, b = trainer.get_weights()
    np.testing.assert_allclose(W[:, 1] - W[:, 0], model.coef_[0], rtol=1e-5)
    np.testing.assert_allclose(b[1] - b[0], model.intercept_[0], rtol=1e-5)
    np.testing.assert_allclose(W.sum(axis=1), 0, atol=1e-4)  # the least penalty
    np.testing.assert_allclose(trainer.predict_proba(X), model.predict_proba(X), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_multinomial_regression(dtype: str) -> None:
    model = linear_model.LogisticRegression(C=0.5, tol=1e-10, max_iter=10_000).fit(X, CLASSES)
    trainer = trained(CLASSES, l2=1 / (0.5 * ROWS), dtype=dtype)
    W, b = trainer.get_weights()
    tolerance = 1e-5 if dtype == "float64" else 1e-4
    np.testing.assert_allclose(W, model.coef_.T, rtol=0, atol=tolerance * np.abs(model.coef_).max())
    # One number may be added to all intercepts.
    ours, theirs = b - b.mean(), model.intercept_ - model.intercept_.mean()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)
    assert trainer.classes_.tolist() == model.classes_.tolist()
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(trainer.predict_proba(X), probabilities, rtol=0, atol=tolerance)


# ---------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize("sample_weight", [None, WEIGHTS], ids=["equal", "weighted"])
def test_least_squares(sample_weight: Array | None) -> None:
    """Columns of sizes as different as these have optima of their own."""
    model = linear_model.LinearRegression().fit(X, COLUMNS, sample_weight)
    trainer = trained(COLUMNS, sample_weight, loss="squared_error")
    assert_same(trainer, model)
    assert trainer.score(X, COLUMNS) == pytest.approx(model.score(X, COLUMNS))


@pytest.mark.parametrize("alpha", [1.0, 300.0])
@pytest.mark.parametrize("columns", [1, 3])
def test_ridge(columns: int, alpha: float) -> None:
    """The loss is the mean of the columns, the penalty is not."""
    Y = COLUMNS[:, 0] if columns == 1 else COLUMNS
    model = linear_model.Ridge(alpha=alpha, solver="cholesky").fit(X, Y)
    assert_same(trained(Y, loss="squared_error", l2=alpha / (ROWS * columns)), model)


def test_ridge_of_weighted_samples() -> None:
    model = linear_model.Ridge(alpha=30.0, solver="cholesky").fit(X, NOISY, WEIGHTS)
    trainer = trained(NOISY, WEIGHTS, loss="squared_error", l2=30.0 / WEIGHTS.sum())
    assert_same(trainer, model)


def test_mini_batches_find_what_is_exact() -> None:
    """Where a plane goes through all targets, no batch leads away from it."""
    model = linear_model.LinearRegression().fit(X, 7 * SIGNAL + 3)
    trainer = trained(7 * SIGNAL + 3, loss="squared_error", batch_size=16, optimizer=SGD(0.05))
    assert_same(trainer, model)


def test_lasso() -> None:
    """The penalty acts on the scaled problem. Weights that are 0 stay within the last steps."""
    model = linear_model.Lasso(alpha=15.0, tol=1e-12).fit(X, NOISY)
    assert (model.coef_ == 0).any()
    assert not (model.coef_ == 0).all()
    trainer = falling(NOISY, 0.2, loss="squared_error", l1=15.0 / NOISY.std())
    assert_same(trainer, model, tolerance=1e-3)


def test_elastic_net() -> None:
    model = linear_model.ElasticNet(alpha=10.0, l1_ratio=0.4, tol=1e-12).fit(X, NOISY)
    penalties = {"l1": 10.0 * 0.4 / NOISY.std(), "l2": 10.0 * 0.6}
    assert_same(falling(NOISY, 0.05, loss="squared_error", **penalties), model, tolerance=1e-4)


def test_poisson_regression() -> None:
    counts = np.random.default_rng(1).poisson(np.exp(0.2 * SIGNAL + 2))
    model = linear_model.PoissonRegressor(alpha=0, tol=1e-10, solver="newton-cholesky")
    model.fit(X, counts, WEIGHTS)
    # Of the first weights exp makes large gradients.
    options = {"optimizer": SGD(0.05, momentum=0.9), "clip_norm": 1.0}
    trainer = trained(counts, WEIGHTS, loss="poisson", **options)
    assert_same(trainer, model)
    np.testing.assert_allclose(trainer.predict(X), model.predict(X), rtol=1e-5)
    logarithms = np.log(model.predict(X))
    np.testing.assert_allclose(trainer.decision_function(X), logarithms, rtol=1e-5, atol=1e-6)


def quantile_model(q: float) -> Any:
    return linear_model.QuantileRegressor(quantile=q, alpha=0, solver="highs").fit(X, NOISY)


@pytest.mark.parametrize("q", [0.1, 0.5, 0.85])
def test_quantile_regression(q: float) -> None:
    assert_same(falling(NOISY, 0.5, loss=losses.Quantile(q)), quantile_model(q), tolerance=1e-3)


def test_absolute_error_is_the_median() -> None:
    trainer = falling(NOISY, 0.3, loss="absolute_error")
    assert_same(trainer, quantile_model(0.5), tolerance=1e-3)


def test_several_quantiles_at_once() -> None:
    quantiles = 0.1, 0.5, 0.85
    trainer = falling(NOISY, 1.5, loss=losses.Quantile(quantiles))
    models = [quantile_model(q) for q in quantiles]
    W, b = trainer.get_weights()
    for k, model in enumerate(models):
        scale = np.abs(model.coef_).max()
        np.testing.assert_allclose(W[:, k], model.coef_, rtol=0, atol=1e-3 * scale)
        np.testing.assert_allclose(b[k], model.intercept_, rtol=1e-3)
    lines = np.stack([model.predict(X) for model in models], axis=1)
    np.testing.assert_allclose(trainer.predict(X), np.sort(lines, axis=1), rtol=1e-3)


def test_huber_regression() -> None:
    """scikit-learn's scale of the residuals comes with its coefficients; for what it is at their
    optimum, the coefficients minimise the loss whose delta is that of the scale."""
    model = linear_model.HuberRegressor(epsilon=1.35, alpha=0, tol=1e-9, max_iter=10_000)
    model.fit(X, NOISY)
    trainer = trained(NOISY, loss=losses.Huber(1.35 * model.scale_), epochs=2000)
    assert_same(trainer, model, tolerance=1e-3)
