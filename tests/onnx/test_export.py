"""Files of ONNX: of trainers in any state, ensembles and estimators."""

import copy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.exceptions import NotFittedError as SklearnNotFitted

import fastmlp
from fastmlp import Ensemble, MLPClassifier, MLPRegressor, Trainer
from fastmlp.inference.predictor import NotFittedError
from fastmlp.losses import Quantile
from fastmlp.onnx.graph import IR_VERSION, OPSETS
from tests.helpers.basics import needs_compiler
from tests.helpers.onnx import agree, outputs_of, session_of
from tests.onnx.test_inputs import TARGET, pandas_table, tensors
from tests.onnx.test_networks import LABELS, NUMBERS, X, trainer

pytestmark = needs_compiler


def test_versions(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    trainer(epochs=1).fit(X, LABELS).to_onnx(str(file))
    model = onnx.load(file)
    assert model.ir_version == IR_VERSION
    assert {opset.domain: opset.version for opset in model.opset_import} == OPSETS


def test_a_file_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model.onnx"
    first, second = (trainer(epochs=1, seed=seed).fit(X, LABELS) for seed in (0, 1))
    first.to_onnx(file)
    before = file.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="disk full"):
            second.to_onnx(file)
    assert file.read_bytes() == before
    second.to_onnx(file)
    assert file.read_bytes() != before
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize(("path", "error"), [(5, TypeError), (None, TypeError), ("", ValueError)])
def test_paths_that_are_none(path: Any, error: type[Exception]) -> None:
    model = trainer(epochs=1).fit(X, LABELS)
    with pytest.raises(error, match=f"path must be the path of a file; got {path!r}"):
        model.to_onnx(path)


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = trainer(epochs=1).fit(X, LABELS)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'fastmlp\[onnx\]'"):
        model.to_onnx(tmp_path / "model.onnx")
    monkeypatch.setitem(sys.modules, "onnx", ModuleType("onnx"))  # of a file onnx.py, say
    monkeypatch.delitem(sys.modules, "onnx.helper", raising=False)
    with pytest.raises(ImportError, match="cannot import name 'helper'"):
        model.to_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_before_a_fit(tmp_path: Path) -> None:
    for model in Trainer(), Ensemble(Trainer()):
        with pytest.raises(NotFittedError, match="no weights yet"):
            model.to_onnx(tmp_path / "model.onnx")


def test_given_weights(tmp_path: Path) -> None:
    """Scaled by factors, with an output far from zero, and labels of their own."""
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(5, 3)), np.zeros(3), rng.normal(size=(3, 2)), np.zeros(2)]
    rows = rng.normal(size=(50, 5))
    classes = Trainer(3, scaling=(1, 2, 3, 4, 5), activation="tanh")
    classes.set_weights(weights, classes=["a", "b"])
    agree(classes, rows, tmp_path)
    numbers = Trainer(3, loss="squared_error", activation="tanh")
    numbers.set_weights([*weights[:3], np.array([1.7e9, -1.0])])
    agree(numbers, rows, tmp_path)


def test_a_deep_network(tmp_path: Path) -> None:
    activation = ("relu", "tanh", "gelu", "identity", "mish", "selu")
    model = trainer((32, 16, 1, 16, 8, 4), activation=activation, dropout=0.1)
    agree(model.fit(X, NUMBERS), X, tmp_path)


def test_many_rows(tmp_path: Path) -> None:
    model = trainer().fit(X, LABELS)
    agree(model, np.tile(X, (200, 1)), tmp_path)


def test_saved_and_loaded(tmp_path: Path) -> None:
    """The same bytes, also of copies."""
    model = trainer(missing="impute").fit(pandas_table("impute"), TARGET)
    model.save(tmp_path / "model.safetensors")
    files = [tmp_path / f"{name}.onnx" for name in ("model", "loaded", "copied")]
    loaded = fastmlp.load(tmp_path / "model.safetensors")
    for one, file in zip((model, loaded, copy.deepcopy(model)), files, strict=True):
        one.to_onnx(file)
    assert files[0].read_bytes() == files[1].read_bytes() == files[2].read_bytes()


def test_what_a_fit_leaves(tmp_path: Path) -> None:
    """The network that predicts: the best one, the average, that of a stream or of a callback."""
    agree(trainer(epochs=20, early_stopping=True, refit=True).fit(X, LABELS), X, tmp_path)
    agree(trainer(weight_averaging=0.9).fit(X, LABELS), X, tmp_path)
    streamed = trainer().fit_stream(lambda: iter([(X, LABELS), (X[::2], LABELS[::2])]))
    agree(streamed.partial_fit(X, LABELS), X, tmp_path)
    files = tmp_path / "in callbacks"
    files.mkdir()

    def export(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        agree(model, X, files)

    trainer(callbacks=export).fit(X, LABELS)


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "binary_cross_entropy", "poisson"])
def test_an_ensemble(loss: str, tmp_path: Path) -> None:
    """Its members' scalings and medians differ, as each holds other rows out."""
    target = TARGET > 2 if loss != "poisson" else TARGET + 10
    table = pandas_table("impute")
    options: Any = {"loss": loss, "missing": "impute", "early_stopping": True, "scaling": "robust"}
    model = Ensemble(trainer(4, **options), k=3).fit(table, target)
    centres = [np.asarray(member.scaling_.centre).tolist() for member in model.members]
    assert centres[0] != centres[1]
    agree(model, table, tmp_path, tensors(table, session_of(model, tmp_path)))


def test_an_ensemble_of_one_or_of_sorted_quantiles(tmp_path: Path) -> None:
    agree(Ensemble(trainer(4), k=1).fit(X, LABELS), X, tmp_path)
    quantiles = trainer(4, loss=Quantile((0.1, 0.9)), dtype="float64")
    agree(Ensemble(quantiles, k=2).fit(X, NUMBERS), X, tmp_path)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer", "ignore:lbfgs failed to converge")
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_estimators(solver: str, kind: Any, tmp_path: Path) -> None:
    rows = X[:, :2].astype(kind)
    options: Any = {"solver": solver, "max_iter": 20, "random_state": 0}
    flags = np.column_stack([X[:, 0] > 0, X[:, 1] > 5])
    for target in (LABELS, X[:, 0] > 0, np.array([3, 7])[(X[:, 0] > 0) * 1], flags):
        model = MLPClassifier(8, **options).fit(rows, target)
        got = outputs_of(session_of(model, tmp_path), rows)
        np.testing.assert_allclose(got["probabilities"], model.predict_proba(rows), atol=1e-5)
        assert (got["label"] == model.predict(rows)).mean() > 0.99
        agree(model.trainer_, rows, tmp_path)
    for target in (NUMBERS, np.column_stack([NUMBERS, 1e3 * X[:, 0]])):
        model = MLPRegressor(hidden_layer_sizes=8, **options, scaling="standard").fit(rows, target)
        (got,) = outputs_of(session_of(model, tmp_path), rows).values()
        wanted = model.predict(rows).reshape(len(rows), -1)
        np.testing.assert_allclose(got, wanted, atol=1e-5 * wanted.std())


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_an_estimator_of_one_class(tmp_path: Path) -> None:
    model = MLPClassifier(4, max_iter=2)
    with pytest.raises(SklearnNotFitted):
        model.to_onnx(tmp_path / "model.onnx")
    model.fit(X[:, :2], np.full(len(X), "a"))
    with pytest.raises(ValueError, match="classes_ must be at least two for ONNX; got 'a'"):
        model.to_onnx(tmp_path / "model.onnx")
