"""The examples in docs/compiled-calls.md run, and print that all is as it says."""

import re
from pathlib import Path

import pytest

from tests.helpers.basics import needs_compiler

PAGE = Path(__file__).parents[2] / "docs" / "compiled-calls.md"


@needs_compiler
def test_examples(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert len(blocks) == 3
    names = {"__name__": "__main__"}
    for code in blocks:
        exec(compile(code, str(PAGE), "exec"), names)
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines[1:] == ["True", "True"]
    assert 0.4 < float(lines[0].removeprefix("share of same sign: ")) < 0.6
    assert 0.8 < float(last.removeprefix("probability of the same sign, on average: ")) < 1
