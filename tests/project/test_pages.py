"""The examples in pages of docs/ run, and print that all is as the page says."""

import re
from pathlib import Path

import pytest

from tests.helpers.basics import needs_compiler
from tests.helpers.pages import python_blocks, run_blocks
from tests.helpers.processes import ROOT

# What the blocks of each page print.
PRINTED = {
    "dask": r"accuracy: 0\.9\d\d\n\(1000,\)\nTrue\n0\.01\n0\.01\n",
    "model-files": r"(True\s){6}",
    "onnx": r"(True\n){3}",
    "sparse": (
        r"True\nfeatures as they come \(auto: sparse rows of about unit size\)\nTrue\n"
        r"\['pets' 'money'\]\n"
        r"True True\n\[[56]\d\.\d*\]\n"
    ),
    "streaming": r"(True\n){3}",
    "compiled-calls": (
        r"share of same sign: 0\.[45]\d*\n(True\n){2}"
        r"probability of the same sign, on average: 0\.[89]\d*\n"
    ),
}


@needs_compiler
@pytest.mark.parametrize("page", PRINTED)
def test_examples(
    page: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ROOT / "docs" / f"{page}.md"
    monkeypatch.chdir(tmp_path)
    run_blocks(python_blocks(file.read_text(encoding="utf-8")), file)
    printed = capsys.readouterr().out
    assert re.fullmatch(PRINTED[page], printed), printed


def test_every_page_with_examples_is_run() -> None:
    """``test_server`` runs docs/serving.md, ``tests/cli/test_page.py`` docs/command-line.md."""
    pages = {
        file.stem for file in (ROOT / "docs").glob("*.md")
        if python_blocks(file.read_text(encoding="utf-8"))
    }  # fmt: skip
    assert pages == {*PRINTED, "serving", "command-line"}
