"""The Python blocks in pages of the docs, and the output that stands below them."""

import io
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

# Accuracies and losses differ a little between processors, which round differently.
RELATIVE, ABSOLUTE = 0.05, 0.02

_PYTHON = re.compile(r"^```python\n(.*?)^```$(?:\n\n^```text\n(.*?)^```$)?", re.M | re.S)
_SPEED = re.compile(r"[\d.]+ s +[\d,]+ samples/s")  # in lines of progress
_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d*)?(?:e[-+]?\d+)?")


def python_blocks(text: str) -> list[tuple[str, str]]:
    """Each Python block, with the output shown directly below it, or an empty string."""
    return _PYTHON.findall(text)


def same_output(printed: str, shown: str) -> bool:
    """Whether words and layout agree but for spaces, and numbers but for rounding; not speeds."""
    printed, shown = (_SPEED.sub("", text) for text in (printed, shown))
    if re.sub(r"\s+", "", _NUMBER.sub("0", printed)) != re.sub(r"\s+", "", _NUMBER.sub("0", shown)):
        return False
    ours, theirs = (
        [float(number.replace(",", "")) for number in _NUMBER.findall(text)]
        for text in (printed, shown)
    )
    return ours == pytest.approx(theirs, rel=RELATIVE, abs=ABSOLUTE)


def run_block(code: str, page: Path, names: dict[str, Any] | None = None) -> str:
    """What it prints; its names come from ``names`` and are left there."""
    names = {"__name__": "__main__"} if names is None else names
    with redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, str(page), "exec"), names)
    return printed.getvalue()


def run_page(page: Path) -> dict[str, Any]:
    """Run the blocks one after another, as a reader would; each prints what is shown, no more.

    Returns the names that they leave.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    for code, shown in python_blocks(page.read_text(encoding="utf-8")):
        printed = run_block(code, page, names)
        assert same_output(printed, shown), f"{code}\nprinted\n{printed}"
    return names
