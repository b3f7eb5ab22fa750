"""The Python blocks in pages of the docs."""

import re
from pathlib import Path


def python_blocks(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)


def run_blocks(blocks: list[str], page: Path) -> None:
    """Run the blocks one after another, as a reader would."""
    names = {"__name__": "__main__"}
    for code in blocks:
        exec(compile(code, str(page), "exec"), names)
