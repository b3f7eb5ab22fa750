"""Rows and targets of each kind, and what two fitted estimators must have in common."""

from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn import neural_network
from sklearn.utils.fixes import parse_version

import fastmlp

_rng = np.random.default_rng(0)
X = _rng.normal(size=(230, 7))
_signal = X @ _rng.normal(size=(7, 3)) + np.sin(X[:, :3])
Y = {
    "pair": np.where(_signal[:, 0] > 0, 5, 2),
    "classes": np.array([3, 7, 11, 20])[np.digitize(_signal[:, 0], [-2, 0, 2])],
    "labels": (_signal > 0.5).astype(int),
    "number": _signal[:, 0],
    "numbers": _signal,
    "counts": _rng.poisson(np.exp(_signal[:, 0] / 3)).astype(float),
}
# A fifth of the rows has no weight.
WEIGHTS = _rng.uniform(0.2, 3, len(X)) * (np.arange(len(X)) % 5 > 0)

# Of scikit-learn's; ours have them with 1.6 too.
HAS_WEIGHTS = parse_version(sklearn.__version__) >= parse_version("1.7")  # and loss="poisson"
needs_weights = pytest.mark.skipif(not HAS_WEIGHTS, reason="sample_weight came in 1.7")

# Fits with few epochs have not converged.
not_converged = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def pair(kind: str, **options: Any) -> list[Any]:
    """scikit-learn's estimator for targets of a kind, and ours, with the same options."""
    is_classifier = kind in ("pair", "classes", "labels")
    name = "MLPClassifier" if is_classifier else "MLPRegressor"
    options = {"hidden_layer_sizes": (9, 5), "random_state": 0, "max_iter": 20, **options}
    if kind == "counts":
        if not HAS_WEIGHTS:
            pytest.skip("loss='poisson' came in scikit-learn 1.7")
        options["loss"] = "poisson"
    return [getattr(package, name)(**options) for package in (neural_network, fastmlp)]


def fitted(
    kind: str, sample_weight: Any = None, dtype: Any = np.float64, *, rows: Any = X, **options: Any
) -> Any:
    if sample_weight is not None and not HAS_WEIGHTS:
        pytest.skip("sample_weight came in scikit-learn 1.7")
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    return [one.fit(rows.astype(dtype), Y[kind], **weights) for one in pair(kind, **options)]


def assert_close(ours: Any, theirs: Any, rtol: float) -> None:
    """Equal up to ``rtol`` of the largest number."""
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=rtol * np.abs(theirs).max())


def assert_same(theirs: Any, ours: Any, rtol: float = 1e-10, rows: Any = X) -> None:
    """The same fit, up to rounding, with the same predictions of some rows."""
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.t_ == theirs.t_
    for name in ("n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name)
    names = ["loss_curve_", "loss_"]
    if theirs.early_stopping:
        assert ours.best_loss_ is None
        names += ["validation_scores_", "best_validation_score_"]
    else:
        assert ours.validation_scores_ is None
        assert ours.best_validation_score_ is None
        names.append("best_loss_")
    for name in names:
        assert_close(getattr(ours, name), getattr(theirs, name), rtol)
    assert_same_network(theirs, ours, rtol, rows)


def assert_same_network(theirs: Any, ours: Any, rtol: float, rows: Any = X) -> None:
    for name in ("coefs_", "intercepts_"):
        for mine, its in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            assert_close(mine, its, rtol)
    predicted, wanted = ours.predict(rows), theirs.predict(rows)
    if hasattr(theirs, "classes_"):
        assert (predicted == wanted).all()
        assert predicted.dtype == wanted.dtype
        predicted, wanted = ours.predict_proba(rows), theirs.predict_proba(rows)
    assert predicted.shape == wanted.shape
    assert predicted.dtype == wanted.dtype
    assert_close(predicted, wanted, rtol)
