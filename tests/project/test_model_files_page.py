"""The examples in docs/model-files.md run, and print that all is as it says."""

import re
from pathlib import Path

import pytest

from tests.helpers.basics import needs_compiler

PAGE = Path(__file__).parents[2] / "docs" / "model-files.md"


@needs_compiler
def test_examples(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after another, as a reader would run them."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for code in blocks:
        exec(compile(code, str(PAGE), "exec"), names)
    assert capsys.readouterr().out.split() == ["True"] * 6
