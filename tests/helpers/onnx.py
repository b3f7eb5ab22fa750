"""Exported networks in onnxruntime, beside the trainers that they come from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from fastmlp import Ensemble, Trainer
from tests.helpers.basics import Array

# Largest difference, in the standard deviation of the outputs.
RELATIVE = {"float32": 1e-5, "float64": 1e-12}


def session_of(model: Any, folder: Path) -> Any:
    """What it exports, checked, as onnxruntime loads it."""
    file = folder / "model.onnx"
    model.to_onnx(file)
    onnx.checker.check_model(onnx.load(file), full_check=True)
    assert [path.name for path in folder.iterdir()] == [file.name]
    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


def outputs_of(session: Any, rows: Any) -> dict[str, Array]:
    """Outputs by name, for an array or for a tensor of each column."""
    feeds = rows if isinstance(rows, Mapping) else {"X": np.asarray(rows, np.float64)}
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds), strict=True))


def agree(model: Trainer | Ensemble, X: Any, folder: Path, rows: Any = None) -> dict[str, Array]:
    """Assert that both predict the same for X, given to ONNX as ``rows``; return its outputs."""
    got = outputs_of(session_of(model, folder), X if rows is None else rows)
    first = model.members[0] if isinstance(model, Ensemble) else model
    tolerance = RELATIVE[first.model_.network.dtype.name]
    predicted = model.predict(X)
    if "predictions" in got:
        assert list(got) == ["predictions"]
        wanted = predicted.reshape(len(predicted), -1)
        assert got["predictions"].dtype == np.float64
        close(got["predictions"], wanted, tolerance)
        return got
    assert list(got) == ["label", "probabilities"]
    wanted = model.predict_proba(X)
    close(got["probabilities"], wanted, tolerance)
    assert got["probabilities"].dtype == wanted.dtype
    assert got["label"].shape == predicted.shape
    # Where two probabilities are within rounding, either label is right.
    if predicted.ndim == 2:
        clear = np.abs(wanted - 0.5) > tolerance
    else:
        clear = np.diff(np.sort(wanted, axis=1)[:, -2:])[:, 0] > tolerance
    assert clear.mean() > 0.9
    assert (got["label"] == predicted)[clear].all()
    return got


def close(got: Array, wanted: Array, tolerance: float) -> None:
    assert got.shape == wanted.shape
    assert np.isfinite(got).all()
    spread = wanted.std()
    assert spread > 0
    assert np.abs(got - wanted).max() <= tolerance * spread
