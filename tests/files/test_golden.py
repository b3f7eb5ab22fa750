"""Files of each format that there has been are read, predict the same, and train further."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.network.saved_state import FORMAT
from tests.files.make_golden import FOLDER, LABELS, ROWS, answers, table
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, Y

pytestmark = [
    needs_compiler,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

FILES = sorted(FOLDER.rglob("*.safetensors"))
KINDS = {
    "trainer": fastmlp.Trainer, "linear": fastmlp.Trainer, "ensemble": fastmlp.Ensemble,
    "classifier": fastmlp.MLPClassifier, "regressor": fastmlp.MLPRegressor,
}  # fmt: skip


def test_there_are_files_of_the_present_format() -> None:
    folder = FOLDER / f"format_{FORMAT}"
    assert {file.stem for file in FILES if file.parent == folder} == set(KINDS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_golden_files(file: Path, tmp_path: Path) -> None:
    model = fastmlp.load(file)
    assert type(model) is KINDS[file.stem]
    rows: Any = ROWS
    if file.stem == "trainer":
        pytest.importorskip("pandas")
        rows = table()[::6]
    wanted = json.loads((file.parent / "predictions.json").read_text())[file.stem]
    # Other processors add up in another order.
    np.testing.assert_allclose(answers(model, rows), wanted, rtol=0, atol=2e-6)
    model.save(tmp_path / "m.safetensors")
    assert answers(fastmlp.load(tmp_path / "m.safetensors"), rows) == answers(model, rows)
    targets = {"linear": X[:, 0], "regressor": X[:, :2], "ensemble": Y}.get(file.stem, LABELS)
    before = losses(model)[-1]
    model.fit(table() if file.stem == "trainer" else X, targets)
    assert losses(model)[-1] < before


def losses(model: Any) -> list[float]:
    """The loss of each epoch."""
    first = getattr(model, "members", [model])[0]
    values: list[float] = getattr(first, "trainer_", first).history["loss"]
    return values
