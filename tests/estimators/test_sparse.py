"""Sparse rows: the numbers of scikit-learn's sparse fits, and no dense array of them."""

import pickle
import tracemalloc
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from fastmlp import MLPClassifier, MLPRegressor, load
from tests.estimators.data import (
    WEIGHTS,
    Y,
    assert_close,
    assert_same,
    assert_same_network,
    fitted,
    needs_weights,
    not_converged,
    pair,
)
from tests.estimators.test_same_numbers import SOLVERS
from tests.helpers.basics import Array, needs_compiler

pytestmark = [
    not_converged,
    needs_compiler,
    pytest.mark.filterwarnings("ignore:.*iprint:DeprecationWarning"),
]

# Of 40 columns four say something of the targets; some rows and columns are empty.
_rng = np.random.default_rng(1)
_values = _rng.normal(size=(230, 40)) * (_rng.random((230, 40)) < 0.1)
_values[:, :4] = np.eye(3, 4)[np.searchsorted([-1, 1], Y["number"])] * _rng.uniform(1, 3, (230, 1))
_values[::9], _values[:, [7, 39]] = 0, 0
X = sparse.csr_matrix(_values)


def dense(rows: Any) -> Array:
    return np.asarray(rows.todense())


def weights(model: Any) -> list[bytes]:
    return [array.tobytes() for array in model.coefs_ + model.intercepts_]


@pytest.mark.parametrize(("batch_size", "given"), [(50, None), ("auto", WEIGHTS), (7, None)])
@pytest.mark.parametrize("kind", Y)
@pytest.mark.parametrize("solver", SOLVERS)
def test_fits(solver: str, kind: str, batch_size: Any, given: Any) -> None:
    options = {"batch_size": batch_size, "max_iter": 4}
    estimators = fitted(kind, given, rows=X, alpha=0.01, **options, **SOLVERS[solver])
    assert_same(*estimators, rtol=1e-9, rows=X)
    assert_close(estimators[1].predict(dense(X)), estimators[1].predict(X), 1e-12)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("alpha", [0, 0.1])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("hidden", [(), 12, (3, 40)], ids=repr)
def test_networks(hidden: Any, activation: str, alpha: float, shuffle: bool) -> None:
    options = {"activation": activation, "alpha": alpha, "shuffle": shuffle, "max_iter": 10}
    models = fitted("classes", rows=X, hidden_layer_sizes=hidden, batch_size=50, **options)
    assert_same(*models, rtol=1e-9, rows=X)


@pytest.mark.parametrize("given", [None, WEIGHTS], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("kind", Y)
def test_lbfgs(kind: str, given: Any) -> None:
    options = {"solver": "lbfgs", "activation": "tanh", "alpha": 0.01, "max_iter": 2}
    theirs, ours = fitted(kind, given, rows=X, **options)
    assert ours.n_iter_ == theirs.n_iter_ == 2
    assert_close(ours.loss_, theirs.loss_, 1e-9)
    assert_same_network(theirs, ours, 1e-6, X)


@pytest.mark.parametrize("solver", ["adam", "nesterov"])
@pytest.mark.parametrize("kind", Y)
def test_early_stopping(kind: str, solver: str) -> None:
    """Held-out rows are sparse, too."""
    options = {"early_stopping": True, "validation_fraction": 0.2, "max_iter": 12}
    assert_same(*fitted(kind, rows=X, **options, **SOLVERS[solver]), rtol=1e-9, rows=X)


def test_rows_to_validate_on() -> None:
    options = {"early_stopping": True, "max_iter": 8, "random_state": 0, "scoring": "accuracy"}
    models = []
    for form in (sparse.csr_matrix, dense):
        train, held = form(X[:180]), form(X[180:])
        model = MLPClassifier(**options)
        models.append(model.fit(train, Y["pair"][:180], X_val=held, y_val=Y["pair"][180:]))
        assert model.validation_scores_[-1] == model.score(held, Y["pair"][180:])
    assert_same(*models, rtol=1e-9, rows=X)


@needs_weights
@pytest.mark.parametrize("kind", Y)
def test_dense_and_sparse_in_turn(kind: str) -> None:
    """``partial_fit`` and warm starts take both."""
    theirs, ours = pair(kind, batch_size=30, warm_start=True, max_iter=4)
    options = {}
    if kind in ("pair", "classes", "labels"):
        options["classes"] = np.arange(3) if kind == "labels" else np.unique(Y[kind])
    for start in (0, 60, 120, 180):
        rows = slice(start, start + 50)
        for one in (theirs, ours):
            given = dense(X[rows]) if start % 120 else X[rows]
            one.partial_fit(given, Y[kind][rows], sample_weight=WEIGHTS[rows], **options)
        assert_same(theirs, ours, rtol=1e-9, rows=X)
    for given in (X, dense(X), X):
        assert_same(*(one.fit(given, Y[kind]) for one in (theirs, ours)), rtol=1e-9, rows=X)


def test_float32() -> None:
    theirs, ours = fitted("classes", WEIGHTS, np.float32, rows=X, max_iter=10)
    assert ours.coefs_[0].dtype == ours.predict_proba(X.astype(np.float32)).dtype == np.float32
    assert ours.predict_proba(X).dtype == np.float64
    assert_close(ours.loss_curve_, theirs.loss_curve_, 1e-4)


def with_duplicates(rows: Any) -> Any:
    """Halves of each value, the columns of a row in falling order."""
    doubled = sparse.csr_matrix(
        (np.repeat(rows.data / 2, 2), np.repeat(rows.indices, 2), 2 * rows.indptr), rows.shape
    )
    for first, last in zip(doubled.indptr, doubled.indptr[1:], strict=False):
        for array in (doubled.data, doubled.indices):
            array[first:last] = array[first:last][::-1].copy()
    return doubled


def with_long_indices(rows: Any) -> Any:
    copy = rows.copy()
    copy.indices, copy.indptr = copy.indices.astype(np.int64), copy.indptr.astype(np.int64)
    return copy


def with_zeros(rows: Any) -> Any:
    """The values 0 of some columns are stored."""
    kept = dense(rows)
    kept[:, :9] += 7
    stored = sparse.csr_matrix(kept)
    stored.data[stored.indices < 9] -= 7
    return stored


FORMS: dict[str, Any] = {
    "csr_array": sparse.csr_array, "csc": sparse.csc_matrix, "coo": sparse.coo_array,
    "bsr": sparse.bsr_matrix, "lil": sparse.lil_matrix, "dok": sparse.dok_array,
    "int64": with_long_indices, "duplicates": with_duplicates,
    "zeros": with_zeros,
}  # fmt: skip


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("form", FORMS)
def test_forms(form: str, solver: str) -> None:
    """The same bit for bit, in any form, which stays as it is."""
    whole = X.multiply(16).floor().tocsr() / 16  # sums of halves are exact
    given = FORMS[form](whole)
    before = pickle.dumps(given)
    options = {"solver": solver, "max_iter": 4, "random_state": 0}
    one, other = (MLPRegressor(**options).fit(rows, Y["number"]) for rows in (whole, given))
    assert (one.predict(whole) == other.predict(given)).all()
    assert pickle.dumps(given) == before
    if form != "zeros":
        assert weights(one) == weights(other)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int64"])
def test_types_of_values(dtype: str) -> None:
    whole = abs(X).ceil()
    one, other = (
        MLPClassifier(max_iter=3, random_state=0).fit(rows, Y["pair"])
        for rows in (whole.astype(bool).astype(float), whole.astype(bool).astype(dtype))
    )
    assert weights(one) == weights(other)


def test_frames_of_sparse_columns() -> None:
    pandas = pytest.importorskip("pandas")
    names = [f"word {k}" for k in range(40)]
    frame = pandas.DataFrame.sparse.from_spmatrix(X, columns=names)
    model = MLPClassifier(max_iter=3, random_state=0).fit(frame, Y["pair"])
    assert model.feature_names_in_.tolist() == names
    plain = MLPClassifier(max_iter=3, random_state=0).fit(X, Y["pair"])
    assert weights(model) == weights(plain)
    assert (model.predict(frame) == plain.predict(X)).all()


def with_value(value: float) -> Any:
    rows = X.copy()
    rows.data[17] = value
    return rows


# As scikit-learn says it.
WRONG: dict[str, tuple[Any, str]] = {
    "NaN": (with_value(np.nan), "Input X contains NaN"),
    "infinity": (with_value(np.inf), "Input X contains infinity"),
    "a row less": (X[1:], "inconsistent numbers of samples"),
    "no rows": (X[:0], "Found array with 0 sample"),
    "no columns": (X[:, :0], "Found array with 0 feature"),
    "complex": (X.astype(complex), "X must hold real numbers"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_rows(wrong: str) -> None:
    rows, message = WRONG[wrong]
    model = MLPClassifier(max_iter=3, random_state=0).fit(X, Y["pair"])
    before = weights(model)
    with pytest.raises((TypeError, ValueError), match=message):
        model.fit(rows, Y["pair"])
    assert weights(model) == before


def test_other_columns() -> None:
    model = MLPClassifier(max_iter=3, random_state=0).fit(X, Y["pair"])
    for call in (model.predict, lambda rows: model.partial_fit(rows, Y["pair"])):
        with pytest.raises(ValueError, match="X has 39 features, but MLPClassifier is expecting"):
            call(X[:, :39])


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("scaling", ["max_abs", "auto", 0.25, [0.5] * 40], ids=str)
def test_scaling(scaling: Any, solver: str) -> None:
    wild = X @ sparse.diags_array(10.0 ** np.resize([-3, 0, 3], 40))
    options = {"max_iter": 5, "random_state": 0, "solver": solver}
    model = MLPRegressor(scaling=scaling, **options).fit(wild, Y["number"])
    factors = model.trainer_.scaling_.factor
    plain = MLPRegressor(**options).fit(wild.multiply(factors).tocsr(), Y["number"])
    assert_close(model.coefs_[0], plain.coefs_[0], 1e-9 if solver == "adam" else 1e-4)
    if isinstance(scaling, str):
        scaled = wild.multiply(factors).tocsr()
        assert set(abs(scaled).max(axis=0).toarray().ravel().round(12)) == {0, 1}


@pytest.mark.parametrize("scaling", ["standard", "robust", "piecewise", "quantile"])
def test_scalings_with_a_centre(scaling: str) -> None:
    """They would make numbers of zeros."""
    model = MLPRegressor(scaling=scaling, max_iter=3, random_state=0)
    with pytest.raises(ValueError, match=f"scaling must be .* for sparse X.*got {scaling!r}"):
        model.fit(X, Y["number"])
    model.fit(dense(X), Y["number"])
    before = weights(model)
    for call in (model.predict, lambda rows: model.partial_fit(rows, Y["number"])):
        with pytest.raises(ValueError, match="X must be dense for a network with"):
            call(X)
    assert weights(model) == before


def test_threads() -> None:
    for solver in ("adam", "sgd", "lbfgs"):
        options = {"solver": solver, "max_iter": 4, "random_state": 0}
        runs = [MLPRegressor(threads=k, **options).fit(X, Y["numbers"]) for k in (1, 2, 3)]
        assert weights(runs[0]) == weights(runs[1]) == weights(runs[2])


def test_one_row() -> None:
    """Of a fit, and of a prediction, where it is empty, too."""
    model = MLPClassifier(max_iter=3, random_state=0).fit(X, Y["pair"])
    every = model.predict_proba(X)
    for row in (0, 1, 9):  # the first one has no entry
        assert_close(model.predict_proba(X[row]), every[row : row + 1], 1e-12)
    assert model.partial_fit(X[0], Y["pair"][:1]).partial_fit(X[1], Y["pair"][:1]).t_ == 692


def test_copies_and_files(tmp_path: Any) -> None:
    model = MLPClassifier(max_iter=3, random_state=0).fit(X, Y["classes"])
    model.save(tmp_path / "model.safetensors")
    for same in (pickle.loads(pickle.dumps(model)), load(tmp_path / "model.safetensors")):
        assert (same.predict_proba(X) == model.predict_proba(X)).all()
        copy = pickle.loads(pickle.dumps(model))
        same.partial_fit(X, Y["classes"])
        assert weights(same) == weights(copy.partial_fit(X, Y["classes"]))


def test_callbacks_and_dropout() -> None:
    """A callback sees rows as they were given; dropout of features drops the same ones."""
    seen = []

    def watch(trainer: Any, epoch: int, logs: Any) -> None:
        seen.append(trainer.predict(X).tolist())
        trainer.stop_training = epoch == 2

    options = {"dropout": [0.3, 0.2], "callbacks": watch, "random_state": 0}
    one, other = (MLPClassifier(**options).fit(rows, Y["pair"]) for rows in (X, dense(X)))
    assert one.n_iter_ == 3
    assert seen[2] == one.predict(X).tolist()
    assert_same(other, one, rtol=1e-9, rows=X)


@pytest.mark.parametrize(
    "options",
    [{"early_stopping": True}, {"solver": "sgd", "scaling": "max_abs"}, {"solver": "lbfgs"}],
)
def test_memory(options: dict[str, Any]) -> None:
    """Neither fits nor predictions make rows dense, which would take 2.4 GB."""
    rng = np.random.default_rng(0)
    rows = sparse.random_array((3000, 100_000), density=2e-4, random_state=rng, format="csr")
    model = MLPClassifier(4, max_iter=2, random_state=0, batch_size=500, **options)
    tracemalloc.start()
    try:
        model.fit(rows, rng.integers(2, size=3000)).predict(rows)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 400e6  # SciPy's L-BFGS makes 80 arrays of the size of the weights
