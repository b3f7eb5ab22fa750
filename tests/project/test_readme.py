"""The examples in README.md run, and print what a reader may expect."""

import re
from pathlib import Path

import pytest

from tests.helpers.basics import needs_compiler
from tests.helpers.pages import python_blocks, run_blocks

pytestmark = needs_compiler

README = Path(__file__).parents[2] / "README.md"


def examples() -> list[str]:
    section = README.read_text(encoding="utf-8").partition("\n## Use it\n")[2].partition("\n## ")[0]
    found = python_blocks(section)
    assert found, "README.md has no Python block under '## Use it'"
    return found


def number(name: str, printed: str) -> float:
    found = re.search(rf"^{name}: (\d\.\d+)$", printed, re.M)
    assert found, printed
    return float(found[1])


def test_examples_learn(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after another, as a reader would run them."""
    monkeypatch.chdir(tmp_path)
    run_blocks(examples(), README)
    printed = capsys.readouterr().out
    assert 0.95 < number("validation accuracy", printed) <= 1
    assert "predicted: ['same sign' 'opposite']" in printed
    assert 0.77 < number("share of the prices in the band", printed) < 0.83
    assert 0.85 < number("balanced accuracy", printed) <= 1
    assert 0.02 < number("share called dear", printed) < 0.2


def test_first_example_is_ten_lines() -> None:
    assert len(examples()[0].splitlines()) <= 10
