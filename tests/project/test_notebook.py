"""examples/mnist.ipynb: what it shows holds, as saved and when it is run."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

import fastmlp
from tests.helpers.basics import needs_compiler

pytest.importorskip("nbclient")

import nbformat

from docs.notebook import NOTEBOOK, code_digest, executed


def text_of(notebook: Any) -> str:
    """All that its cells print; nothing else but pictures may come out of them."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = [output for output in outputs if output.output_type == "stream"]
    assert {output.name for output in printed} == {"stdout"}  # no warnings
    pictures = [output for output in outputs if output.output_type == "display_data"]
    assert all("image/png" in picture.data for picture in pictures)
    assert len(pictures) == 2
    assert len(printed) + len(pictures) == len(outputs)
    return "".join(output.text for output in printed)


def numbers_of(text: str, start: str) -> list[float]:
    """Of the first line that starts so, behind that."""
    line = next(line for line in text.splitlines() if line.startswith(start))
    return [float(n) for n in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", line.removeprefix(start))]


def check(text: str) -> None:
    """That the numbers support what the text between them says."""
    # The loop in NumPy and fastmlp's kernels compute the same.
    assert numbers_of(text, "largest difference in the first 60 steps:")[0] < 0.005
    ours, published = (numbers_of(text, start) for start in ("settings of Keras:", "Keras itself:"))
    assert ours == pytest.approx(published, abs=0.006)
    # The six reasons.
    *_, times = numbers_of(text, "an epoch in NumPy:")
    assert times > 1.5
    assert numbers_of(text, "validation accuracy after 3 epochs:")[0] > 0.95
    wrong, true = (
        numbers_of(text, f"loss of the untrained network with the {name} class:")[0]
        for name in ("predicted", "true")
    )
    assert wrong < 0.1 * true
    for name in ("W1", "b1", "W2", "b2"):
        by_hand, by_kernels, quotient = numbers_of(text, f"{name}  ")
        assert by_hand == pytest.approx(by_kernels, abs=2e-8)
        assert quotient == pytest.approx(by_kernels, rel=1e-4)
    assert numbers_of(text, "largest difference between from scratch and fastmlp")[-1] < 1e-12
    rules = ("one step on all rows", "SGD  ", "SGD with momentum", "Adam  ")
    by_rule = [numbers_of(text, rule)[-1] for rule in rules]
    assert by_rule == sorted(by_rule)
    normal, glorot = (numbers_of(text, name) for name in ("normal", "glorot_uniform"))
    assert all(a < b - 0.03 for a, b in zip(normal, glorot, strict=True))
    (_, loss, accuracy), (epochs, stopped_loss, _), (_, dropout_loss, dropout_accuracy) = (
        numbers_of(text, f"{name} ") for name in ("none", "early stopping", "dropout")
    )
    assert epochs < 30
    assert max(stopped_loss, dropout_loss) < loss - 0.02
    assert dropout_accuracy > accuracy
    # The summary.
    assert numbers_of(text, "NumPy, from scratch  ")[2] < 0.85
    assert numbers_of(text, "Keras, published")[1] == 0.9395
    epochs, _, validation, test = numbers_of(text, "fastmlp, defaults")
    assert epochs < 30
    assert min(validation, test) > 0.97


def test_saved_output_is_whole() -> None:
    """Of one run of this code from top to bottom, without a path of the machine."""
    source = NOTEBOOK.read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|tmp|work|Users)/", source)
    notebook = nbformat.reads(source, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]
    assert notebook.metadata["code"] == code_digest(notebook)
    for cell in code:
        if any(output.output_type == "display_data" for output in cell.outputs):
            assert len(cell.metadata["mystnb"]["image"]["alt"]) > 20
    check(text_of(notebook))


@pytest.mark.full
@needs_compiler
def test_run() -> None:
    # the notebook imports the very fastmlp that the tests import, installed or not
    path = [str(Path(fastmlp.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))}
    check(text_of(executed(env=environment)))
