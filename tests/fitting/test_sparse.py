"""Fits of sparse rows equal those of the same rows as an array, wherever rows come in."""

import copy
import re
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import fastmlp
from fastmlp import Ensemble, FitWarning, Trainer, fit_many
from fastmlp.losses import Huber
from fastmlp.optimizers import SGD
from tests.helpers.basics import needs_compiler
from tests.helpers.models import numbers, same_weights, state

pytestmark = needs_compiler

_rng = np.random.default_rng(5)
SPARSE = sp.random(
    180, 70, 0.08, format="csr", random_state=1, data_rvs=lambda n: _rng.lognormal(size=n)
)
SPARSE.data[::9] *= -1
SPARSE.data[slice(*SPARSE.indptr[7:9])] = 0  # a row without entries
SPARSE.eliminate_zeros()
DENSE = SPARSE.toarray()
SCORES = DENSE @ _rng.normal(size=70)
Y = np.digitize(SCORES, np.quantile(SCORES, [0.3, 0.6]))
WEIGHTS = _rng.uniform(0, 2, 180).round(1)
CLOSE = {"rtol": 1e-9, "atol": 1e-12}


def trainer(**settings: Any) -> Trainer:
    given = {
        "hidden": 6, "seed": 0, "epochs": 4, "batch_size": 32, "dtype": "float64",
        "scaling": "max_abs", "threads": 2,
    }  # fmt: skip
    return Trainer(**given | settings)


def assert_equal(one: Trainer, other: Trainer, **close: float) -> None:
    """Equal weights, histories and predictions, of sparse and dense rows."""
    close = close or CLOSE
    assert numbers(one.history).keys() == numbers(other.history).keys()
    assert one.n_iter_ == other.n_iter_
    for name, values in numbers(one.history).items():
        np.testing.assert_allclose(values, other.history[name], **close, err_msg=name)
    for own, wanted in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(own, wanted, **close)
    np.testing.assert_array_equal(one.predict(SPARSE[:0:-1]), one.predict(DENSE[:0:-1]))
    outputs = [model.decision_function(X) for model in (one, other) for X in (SPARSE, DENSE)]
    for output in outputs[1:]:
        np.testing.assert_allclose(output, outputs[0], **close)


def top(y_true: Any, y_pred: Any, sample_weight: Any) -> float:
    """A metric of the user's own."""
    return float(np.average(y_true == y_pred, weights=sample_weight) + len(y_true))


SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {}, "linear": {"hidden": ()}, "deep": {"hidden": (9, 5), "activation": "tanh"},
    "momentum": {"optimizer": SGD(0.05, momentum=0.9), "l2": 0.01},
    "clipped": {"clip_norm": 0.5, "l1": 1e-4}, "adamw": {"optimizer": "adamw"},
    "dropout": {"dropout": (0.2, 0.3)}, "averaged": {"weight_averaging": 0.9},
    "one batch": {"batch_size": 1000}, "single rows": {"batch_size": 1, "epochs": 1},
    "in order": {"shuffle": False}, "factor": {"scaling": 0.5}, "as is": {"scaling": None},
    "balanced": {"class_weight": "balanced"}, "smooth": {"label_smoothing": 0.1},
    "classes": {"class_weight": {0: 0.0, 1: 2.0}},
    "stopping": {"early_stopping": True, "epochs": 30, "learning_rate": 0.05},
    "last": {"validation_fraction": 0.2, "validation_split": "last", "class_weight": "balanced"},
    "shuffled": {"validation_fraction": 0.2, "validation_split": "shuffled"},
    "stratified": {"validation_fraction": 0.2, "metrics": ("roc_auc", "log_loss", top)},
    "refit": {"refit": True, "early_stopping": True, "epochs": 30, "learning_rate": 0.05},
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::fastmlp.FitWarning")
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weights"])
@pytest.mark.parametrize("name", SETTINGS)
def test_fits(name: str, weights: Any) -> None:
    models = [trainer(**SETTINGS[name]).fit(X, Y, sample_weight=weights) for X in (SPARSE, DENSE)]
    assert_equal(*models)
    sparse, dense = (model.evaluate(X, Y, weights) for model in models for X in (SPARSE,))
    assert sparse == pytest.approx(dense, rel=1e-9)
    assert sparse == pytest.approx(models[0].evaluate(DENSE, Y, weights), rel=1e-9)
    assert models[0].score(SPARSE, Y, weights) == models[0].score(DENSE, Y, weights)


TARGETS: dict[str, tuple[Any, Any]] = {
    "pair": (np.array(["a", "b"])[(Y > 0).astype(int)], "binary_cross_entropy"),
    "labels": (np.stack([SCORES > 0, SCORES > 1], 1).astype(int), "auto"),
    "numbers": (SCORES, "auto"), "columns": (np.stack([SCORES, SCORES**2], 1), Huber(0.5)),
    "counts": (np.abs(SCORES).round(), "poisson"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::fastmlp.FitWarning")
@pytest.mark.parametrize("name", TARGETS)
def test_targets(name: str) -> None:
    targets, loss = TARGETS[name]
    models = [trainer(loss=loss, validation_fraction=0.1).fit(X, targets) for X in (SPARSE, DENSE)]
    assert_equal(*models)
    gradients = [models[0].loss_and_gradient(X, targets, WEIGHTS) for X in (SPARSE, DENSE)]
    assert gradients[0][0] == pytest.approx(gradients[1][0], rel=1e-9)
    for own, wanted in zip(gradients[0][1], gradients[1][1], strict=True):
        np.testing.assert_allclose(own, wanted, **CLOSE)


def test_float32_and_threads() -> None:
    """Bit for bit the same for any number of threads."""
    models = [trainer(dtype="float32", threads=n).fit(SPARSE, Y) for n in (1, 2)]
    assert same_weights(*(model.get_weights() for model in models))
    assert_equal(models[0], trainer(dtype="float32").fit(DENSE, Y), rtol=1e-4, atol=1e-5)


def test_formats_give_the_same_bits() -> None:
    """Also with columns in any order, and with parts of values."""
    shuffled = SPARSE.copy()
    for row in range(180):
        own = slice(*shuffled.indptr[row : row + 2])
        order = _rng.permutation(own.stop - own.start)
        shuffled.indices[own], shuffled.data[own] = (
            a[own][order] for a in (shuffled.indices, shuffled.data)
        )
    shuffled.has_sorted_indices = False
    coordinates = SPARSE.tocoo()
    halves = sp.coo_array(
        (np.tile(coordinates.data / 2, 2), np.tile(np.stack(coordinates.coords), 2)), SPARSE.shape
    )
    frame = pd.DataFrame.sparse.from_spmatrix(SPARSE)
    wanted = trainer().fit(SPARSE, Y)
    for X in (shuffled, halves, sp.csc_array(SPARSE), SPARSE.tolil(), frame):
        model = trainer().fit(X, Y, validation_data=(X, Y))
        assert same_weights(model.get_weights(), wanted.get_weights())
        np.testing.assert_array_equal(model.predict_proba(X), wanted.predict_proba(SPARSE))
        assert model.history["val_loss"][-1] == wanted.evaluate(X, Y)["loss"]


def test_validation_rows_of_the_other_kind() -> None:
    held = slice(140, None)
    fits = [
        trainer(metrics=("accuracy", top)).fit(
            train[:140], Y[:140], validation_data=(other[held], Y[held], WEIGHTS[held])
        )
        for train in (SPARSE, DENSE)
        for other in (SPARSE, DENSE)
    ]
    for model in fits[1:]:
        assert_equal(model, fits[0])


def test_single_rows() -> None:
    model = trainer().fit(SPARSE, Y)
    every = model.predict_proba(SPARSE)
    one_by_one = [model.predict_proba(SPARSE[row]) for row in range(180)]
    np.testing.assert_allclose(np.concatenate(one_by_one), every, **CLOSE)
    single = [
        trainer(scaling=None).partial_fit(X[:1], Y[:1], classes=[0, 1, 2]) for X in (SPARSE, DENSE)
    ]
    assert_equal(*single)


# ----------------------------------------------------------------------- fits that continue others


def stops_after(epochs: int) -> Callable[..., None]:
    def callback(model: Trainer, epoch: int, logs: Any) -> None:
        if epoch + 1 == epochs:
            raise KeyboardInterrupt

    return callback


@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}], ids=str)
def test_an_interrupted_fit_goes_on(settings: dict[str, Any]) -> None:
    whole = trainer(**settings).fit(SPARSE, Y, sample_weight=WEIGHTS)
    model = trainer(**settings, warm_start=True, callbacks=stops_after(1))
    with pytest.raises(KeyboardInterrupt):
        model.fit(SPARSE, Y, sample_weight=WEIGHTS)
    assert model.n_iter_ == 1
    model.callbacks, model.epochs = (), 3
    model.fit(SPARSE, Y, sample_weight=WEIGHTS)
    assert same_weights(model.get_weights(), whole.get_weights())
    assert numbers(model.history) == numbers(whole.history)


def test_a_fit_of_other_rows_does_not_go_on() -> None:
    other = SPARSE.copy()
    other.data[:] *= 2  # the same columns
    moved = sp.csr_matrix((SPARSE.data, SPARSE.indices[::-1], SPARSE.indptr), SPARSE.shape)
    for X in (other, moved):
        model = trainer(warm_start=True, callbacks=stops_after(2))
        with pytest.raises(KeyboardInterrupt):
            model.fit(SPARSE, Y)
        model.callbacks = ()
        assert model.fit(X, Y).n_iter_ == 4


def test_warm_starts_with_rows_of_the_other_kind() -> None:
    models = []
    for kinds in ((SPARSE, SPARSE), (SPARSE, DENSE), (DENSE, SPARSE), (DENSE, DENSE)):
        model = trainer(warm_start=True)
        for X in kinds:
            model.fit(X, Y)
        models.append(model)
    for model in models[1:]:
        for own, wanted in zip(model.get_weights(), models[0].get_weights(), strict=True):
            np.testing.assert_allclose(own, wanted, **CLOSE)
    assert [model.n_iter_ for model in models] == [8, 4, 4, 8]  # other rows begin a history


def test_given_weights() -> None:
    weights = trainer().fit(DENSE, Y).get_weights()
    models = []
    for _ in range(2):
        model = trainer(scaling=None, warm_start=True)
        model.set_weights(weights, scaling=0.5)
        models.append(model)
    assert_equal(*models)
    for model, X in zip(models, (SPARSE, DENSE), strict=True):
        model.scaling = 0.5
        model.fit(X, Y)
    assert_equal(*models)
    with pytest.raises(ValueError, match="X must have 70 features; got 69"):
        models[0].predict(SPARSE[:, 1:])
    model = trainer(scaling=0.5, warm_start=True)
    model.set_weights(weights)
    with pytest.raises(ValueError, match="X must have 70 features; got 69"):
        model.fit(SPARSE[:, 1:], Y)


@pytest.mark.parametrize("scaling", [None, 0.25, "auto"])
def test_partial_fits(scaling: Any) -> None:
    """Of rows of both kinds, in any order."""
    models = []
    for kinds in ((SPARSE, SPARSE, SPARSE), (SPARSE, DENSE, SPARSE), (SPARSE, SPARSE, DENSE)):
        model = trainer(scaling=scaling)
        for X, start in zip(kinds, (0, 60, 120), strict=True):
            rows = slice(start, start + 60)
            model.partial_fit(X[rows], Y[rows], classes=[0, 1, 2], sample_weight=WEIGHTS[rows])
        models.append(model)
    for model in models[1:]:
        assert_equal(model, models[0])
    assert models[0].scaling_.kind == ("factor" if scaling == 0.25 else "none")
    model = trainer(scaling=None if scaling == "auto" else scaling)
    for start in (0, 60, 120):
        rows = slice(start, start + 60)
        model.partial_fit(DENSE[rows], Y[rows], classes=[0, 1, 2], sample_weight=WEIGHTS[rows])
    assert_equal(model, models[0])


def chunks(*kinds: Any) -> Iterator[tuple[Any, Any, Any]]:
    for number, X in enumerate(kinds):
        rows = slice(60 * number, 60 * number + 60)
        yield X[rows], Y[rows], WEIGHTS[rows]


def test_chunks() -> None:
    held = {"validation_data": (SPARSE[100:], Y[100:]), "classes": [0, 1, 2]}
    models = [
        trainer(scaling=0.5).fit_stream(lambda kinds=kinds: chunks(*kinds), **held)
        for kinds in ((SPARSE, SPARSE, SPARSE), (DENSE, SPARSE, DENSE), (DENSE, DENSE, DENSE))
    ]
    for model in models[1:]:
        assert_equal(model, models[0])
    once = trainer(scaling=0.5, epochs="auto").fit_stream(chunks(SPARSE, SPARSE), classes=[0, 1, 2])
    assert once.n_iter_ == 1


def test_constant_columns_of_the_first_chunk() -> None:
    model = trainer()  # scaling="max_abs"
    with pytest.raises(ValueError, match=r"in every column of the first chunk.*scaling=None or a"):
        model.fit_stream(lambda: chunks(SPARSE[:, :50], SPARSE[:, :50]))
    assert not hasattr(model, "model_")


def test_whole_matrices_are_not_read_in_groups() -> None:
    with pytest.raises(TypeError, match="not a sparse csr_matrix, which is in memory: call fit"):
        trainer().fit_stream(SPARSE, target=Y)


# ------------------------------------------------------------------------------------ several fits


@pytest.mark.filterwarnings("ignore::fastmlp.FitWarning")
def test_ensembles() -> None:
    settings = trainer(metrics=("accuracy", "log_loss"), validation_fraction=0.2)
    one, other = (Ensemble(settings, 3).fit(X, Y, sample_weight=WEIGHTS) for X in (SPARSE, DENSE))
    for own, wanted in zip(one.members, other.members, strict=True):
        assert_equal(own, wanted)
    np.testing.assert_allclose(one.predict_proba(SPARSE), other.predict_proba(DENSE), **CLOSE)
    np.testing.assert_allclose(one.spread(SPARSE), other.spread(DENSE), rtol=1e-6)
    np.testing.assert_array_equal(one.predict(SPARSE), other.predict(DENSE))
    assert one.evaluate(SPARSE, Y, WEIGHTS) == pytest.approx(other.evaluate(DENSE, Y, WEIGHTS))
    assert one.score(SPARSE, Y) == other.score(DENSE, Y)


@pytest.mark.filterwarnings("ignore::fastmlp.FitWarning")
@pytest.mark.parametrize("form", ["csr", "csc"])
def test_fits_of_some_rows(form: str) -> None:
    rows = [np.arange(0, 180, 2), np.arange(180) % 3 > 0, None]
    X = SPARSE.asformat(form)
    models = fit_many([trainer() for _ in rows], X, Y, rows, sample_weight=WEIGHTS)
    for model, own in zip(models, rows, strict=True):
        own = slice(None) if own is None else own
        wanted = trainer().fit(DENSE[own], Y[own], sample_weight=WEIGHTS[own])
        assert_equal(model, wanted)


# ---------------------------------------------------------------------------------- other features


def test_copies_and_files(tmp_path: Any) -> None:
    model = trainer(scaling="auto").fit(SPARSE, Y)
    model.save(tmp_path / "model.safetensors")
    for other in (copy.deepcopy(model), fastmlp.load(tmp_path / "model.safetensors")):
        np.testing.assert_array_equal(other.predict_proba(SPARSE), model.predict_proba(SPARSE))
        assert str(other.scaling_) == "features as they come (auto: sparse rows of about unit size)"


def test_time_budget_and_lines(capsys: pytest.CaptureFixture[str]) -> None:
    model = trainer(scaling="auto", epochs=100_000, time_budget=0.3, verbose=2)
    model.fit(SPARSE, Y, validation_data=(SPARSE, Y))
    assert model.stop_reason_ == "time_budget"
    assert 0 < model.n_iter_ < 100_000
    assert "features as they come (auto: sparse rows of about unit size)" in capsys.readouterr().out


def test_callbacks_set_weights() -> None:
    def halve(model: Trainer, epoch: int, logs: Any) -> None:
        model.set_weights([w / 2 for w in model.get_weights()])

    assert_equal(*(trainer(callbacks=halve).fit(X, Y) for X in (SPARSE, DENSE)))


def with_dead_units() -> Trainer:
    def kill(model: Trainer, epoch: int, logs: Any) -> None:
        model.set_weights([np.full_like(w, -1.0) for w in model.get_weights()])

    return trainer(epochs=20, scaling=0.5, callbacks=kill)


def test_dead_units() -> None:
    with pytest.warns(FitWarning, match="6 of 6 units of hidden layer 1 are 0 for all rows"):
        with_dead_units().fit(abs(SPARSE), Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trainer(epochs=120).fit(SPARSE, Y)


def test_other_chunks_may_be_dense_in_diagnostics() -> None:
    """The sample of rows that diagnostics look at has rows of both kinds."""
    model = with_dead_units()
    with pytest.warns(FitWarning, match="6 of 6 units of hidden layer 1 are 0 for all rows"):
        model.fit_stream(lambda: chunks(abs(SPARSE), abs(DENSE), abs(SPARSE)), classes=[0, 1, 2])


def test_memory() -> None:
    """Rows that dense would be 8 GB, in a fit, a prediction and diagnostics."""
    n_rows, n_columns, entries = 100_000, 20_000, 20
    rng = np.random.default_rng(0)
    columns = rng.integers(0, n_columns, (n_rows, entries)).astype(np.int32)
    ends = np.arange(0, n_rows * entries + 1, entries)
    X = sp.csr_matrix((rng.random(columns.size, np.float32), columns.ravel(), ends))
    X.sum_duplicates()
    targets = (rng.random(n_rows) > 0.5).astype(int)
    size = sum(array.nbytes for array in (X.data, X.indices, X.indptr))
    given = {"hidden": 4, "epochs": 6, "batch_size": 1024, "validation_fraction": 0.2}
    model = trainer(**given, dtype="float32", scaling="auto")
    model.fit(X[:2000], targets[:2000])  # kernels are compiled
    for call, most in (
        (lambda: model.fit(X, targets), 3), (lambda: model.predict(X), 1.2),
        (lambda: model.evaluate(X, targets, np.ones(n_rows)), 2),
    ):  # fmt: skip
        tracemalloc.start()
        call()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < most * size, (peak, size)


REFUSED: dict[str, tuple[Any, str]] = {
    "columns": (lambda: SPARSE[:, 1:], "X must have 70 features; got 69"),
    "a dimension": (lambda: sp.coo_array(np.ones(70)), r"X must be 2-D .*reshape\(1, -1\)"),
    "no rows": (lambda: SPARSE[:0], r"X must be 2-D and not empty; got shape \(0, 70\)"),
    "gaps": (lambda: SPARSE * np.nan, r"X\[0, \d+\] is missing"),
    "infinite": (lambda: SPARSE * np.inf, r"X\[0, \d+\] is -?inf; it must be finite"),
    "complex": (lambda: SPARSE * 1j, "X must hold real numbers; got dtype complex128"),
    "broken": (
        lambda: sp.csr_matrix((SPARSE.data, SPARSE.indices, SPARSE.indptr), (180, 70)),
        "X must be a valid sparse matrix; got indices that are not between 0 and 69",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_rows_change_nothing(name: str) -> None:
    make, match = REFUSED[name]
    X = make()
    if name == "broken":
        X.indices = X.indices.copy()
        X.indices[40] = 1 << 30
    model = trainer(warm_start=True).fit(SPARSE, Y)
    before = state(model)
    calls = [
        lambda: model.fit(X, Y[: X.shape[0]]), lambda: model.partial_fit(X, Y[: X.shape[0]]),
        lambda: model.predict(X), lambda: model.evaluate(X, Y[: X.shape[0]]),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises((TypeError, ValueError), match=match):
            call()
    with pytest.raises((TypeError, ValueError), match=f"validation {match}"):
        model.fit(SPARSE, Y, validation_data=(X, Y[: X.shape[0]]))
    assert state(model) == before


def test_sparse_targets_and_weights_are_refused() -> None:
    for targets, weights, what in ((SPARSE, None, "Y"), (Y, SPARSE, "sample_weight")):
        with pytest.raises(TypeError, match=f"{what} must be dense; got a sparse csr_matrix"):
            trainer().fit(SPARSE, targets, sample_weight=weights)


def test_networks_of_other_scalings_name_the_way() -> None:
    model = trainer(scaling="standard").fit(DENSE, Y)
    wanted = (
        "X must be dense for a network with standard scaling, which makes other numbers of zeros"
    )
    with pytest.raises(ValueError, match=re.escape(wanted) + r".*\.toarray\(\)"):
        model.predict(SPARSE)
    with pytest.raises(ValueError, match=r"scaling must be .* for sparse X"):
        trainer(scaling="standard").fit(SPARSE, Y)
