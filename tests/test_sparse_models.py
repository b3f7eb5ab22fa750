"""A network that was fitted to sparse rows is one like any other."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from fastmlp import Ensemble, MLPClassifier, Trainer, load
from tests.helpers.basics import Array, needs_compiler
from tests.helpers.onnx import agree
from tests.helpers.processes import ROOT
from tests.helpers.scripts import loaded

pytestmark = [
    needs_compiler,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

SCALING = "max_abs scaling (auto: sparse rows)"
X = 50 * sparse.random_array(
    (90, 30), density=0.2, random_state=np.random.default_rng(0), format="csr"
)
LABELS = np.array(["a", "b", "c"])[(X @ np.eye(30, 3)).argmax(axis=1)]
NUMBERS = 50 + X @ np.linspace(-1, 1, 30)


@pytest.fixture(scope="module", params=["classes", "numbers"])
def model(request: pytest.FixtureRequest) -> Trainer:
    trainer = Trainer(
        8, epochs=20, seed=0, learning_rate=0.02, dtype="float64", early_stopping=False
    )
    trainer.fit(X, LABELS if request.param == "classes" else NUMBERS)
    assert str(trainer.scaling_) == SCALING
    return trainer


def predicted(model: Any, rows: Any) -> Array:
    method = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    return np.asarray(getattr(model, method)(rows))


def test_dense_rows(model: Trainer) -> None:
    for rows in (X.toarray(), X.toarray().astype(np.float32), X.toarray()[:1], [X.toarray()[0]]):
        given = sparse.csr_array(np.asarray(rows))
        np.testing.assert_allclose(predicted(model, rows), predicted(model, given), rtol=1e-12)


def test_files_and_pickles(model: Trainer, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors")
    for same in (load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(predicted(same, X), predicted(model, X))
        assert str(same.scaling_) == SCALING


def test_onnx(model: Trainer, tmp_path: Path) -> None:
    agree(model, X.toarray(), tmp_path)


def test_onnx_of_estimators(tmp_path: Path) -> None:
    estimator = MLPClassifier(8, max_iter=5, random_state=0).fit(X, LABELS)
    agree(estimator.trainer_, X.toarray(), tmp_path)


def test_onnx_of_an_ensemble(tmp_path: Path) -> None:
    ensemble = Ensemble(Trainer(8, epochs=3, seed=0, early_stopping=False), 2).fit(X, LABELS)
    agree(ensemble, X.toarray(), tmp_path)


def test_compiled_calls(model: Trainer) -> None:
    predict = model.compiled()
    got = predict(X.toarray()).reshape(90, -1)
    np.testing.assert_allclose(got, predicted(model, X).reshape(90, -1), rtol=1e-9)
    with pytest.raises(TypeError, match=r"x must be dense; got a csr_array: give x.toarray\(\)"):
        predict(X)


def test_a_server(model: Trainer) -> None:
    """That of the examples reads dense rows."""
    server = loaded(ROOT / "examples" / "server.py")
    method = "predict_proba" if hasattr(model, "classes_") else "predict"
    body = X.toarray()[:3].astype(np.float32).tobytes()
    *_, got = server.answer(server.ready(model), method, body, server.BYTES).values()
    np.testing.assert_allclose(got, predicted(model, X[:3]), rtol=1e-5)
