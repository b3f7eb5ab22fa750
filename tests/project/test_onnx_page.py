"""The examples in docs/onnx.md run, and print that all is as it says."""

import re
from pathlib import Path

import pytest

from tests.helpers.basics import needs_compiler

PAGE = Path(__file__).parents[2] / "docs" / "onnx.md"


@needs_compiler
def test_examples(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert len(blocks) == 2
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for code in blocks:
        exec(compile(code, str(PAGE), "exec"), names)
    assert capsys.readouterr().out.split() == ["True"] * 3
