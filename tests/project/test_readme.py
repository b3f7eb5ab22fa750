"""The examples in README.md run, and print what it shows."""

from pathlib import Path

import pytest

from tests.helpers.basics import needs_compiler
from tests.helpers.pages import python_blocks, run_page
from tests.helpers.processes import ROOT

README = ROOT / "README.md"


@needs_compiler
def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(README)


def test_first_example_is_ten_lines_and_shows_its_output() -> None:
    code, shown = python_blocks(README.read_text(encoding="utf-8"))[0]
    assert len(code.splitlines()) <= 10
    assert shown
