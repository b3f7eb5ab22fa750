"""Draw the pictures of the how-to pages: ``python -m docs.draw``, or of some of them by name.

Each is drawn from the names that the blocks of its page leave, so it shows what they compute.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.helpers.pages import run_page

sys.path.append(str(Path(__file__).parents[1] / "examples"))  # scripts, not a package
from picture import write

HOW_TO = Path(__file__).parent / "how-to"
FOLDER = Path(__file__).parent / "pictures"

Names = dict[str, Any]
# By page: the number of panels, and the function that fills them.
PICTURES: dict[str, tuple[int, Callable[..., None]]] = {}


def picture(page: str, n_panels: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function ``(names, *axes)`` that draws the picture of a page."""

    def register(draw: Callable[..., None]) -> Callable[..., None]:
        PICTURES[page] = n_panels, draw
        return draw

    return register


def draw(page: str, names: Names, path: Path) -> None:
    """Write the picture of a page, from the names that its blocks have left."""
    n_panels, fill = PICTURES[page]
    write(path, lambda *axes: fill(names, *axes), n_panels)


def main() -> None:
    for page in sys.argv[1:] or PICTURES:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)  # blocks may write files
            names = run_page(HOW_TO / f"{page}.md")
            draw(page, names, FOLDER / f"{page}.png")
            os.chdir(FOLDER)


if __name__ == "__main__":
    main()
