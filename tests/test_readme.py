"""The example in README.md runs, and prints what a reader may expect."""

import os
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT", "0") != "0", reason="only compiled kernels can run"
)

README = Path(__file__).parents[1] / "README.md"


def example() -> str:
    section = README.read_text(encoding="utf-8").partition("\n## Use it\n")[2]
    found = re.search(r"^```python\n(.*?)^```$", section, re.M | re.S)
    assert found, "README.md has no Python block under '## Use it'"
    return found[1]


def test_example_learns(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(example(), str(README), "exec"), {"__name__": "__main__"})
    printed = capsys.readouterr().out
    accuracy = re.search(r"^validation accuracy: (\d\.\d+)$", printed, re.M)
    assert accuracy, printed
    assert 0.95 < float(accuracy[1]) <= 1
    assert "predicted: ['same sign' 'opposite']" in printed


def test_example_is_ten_lines() -> None:
    assert len(example().splitlines()) <= 10
