"""Draw the pictures of the site, or some of them by name: ``python -m docs.drawing``.

Those of docs/performance/ are drawn by the races.
"""

import hashlib
import inspect
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from docs.drawing import kernels, programs
from docs.drawing.plots import Names, networks, targets, training
from tests.helpers.pages import python_blocks, run_page

sys.path.append(str(Path(__file__).parents[2] / "examples"))  # scripts, not a package
from picture import write

DOCS = Path(__file__).parents[1]
PICTURES, EXAMPLES = DOCS / "pictures", DOCS.parent / "examples"

DRAWINGS = kernels.DRAWINGS | programs.DRAWINGS
# By page. A plot is drawn from the names that the blocks of its page leave, so it shows what they
# compute.
PLOTS = training.PLOTS | targets.PLOTS | networks.PLOTS
# Scripts in examples/ whose pictures pages show.
SCRIPTS = "cluster", "mnist", "monte_carlo", "text"


def page_of(name: str) -> Path:
    """The page whose blocks a plot is drawn from."""
    return next(DOCS.rglob(f"{name}.md"))


def digest(name: str) -> str:
    """Of the code that draws a plot: the blocks of its page, and its function."""
    blocks = [code for code, _ in python_blocks(page_of(name).read_text(encoding="utf-8"))]
    return hashlib.sha256("".join([*blocks, inspect.getsource(PLOTS[name])]).encode()).hexdigest()


def plot(name: str, names: Names, path: Path) -> None:
    """Write a picture from the names that the blocks of its page have left.

    It tells the digest of its code, so that a test finds a picture that is out of date.
    """
    write(path, lambda *axes: PLOTS[name](names, *axes), 2, {"Code": digest(name)})


def draw(name: str) -> None:
    """Write a picture of the site."""
    if name in DRAWINGS:
        DRAWINGS[name]().write(PICTURES / f"{name}.svg")
        return
    path = PICTURES / f"{name}.png"
    if name in SCRIPTS:
        subprocess.run([sys.executable, EXAMPLES / f"{name}.py", "--plot", path], check=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # blocks may write files
        plot(name, run_page(page_of(name)), path)
        os.chdir(PICTURES)


def main() -> None:
    every = [*DRAWINGS, *PLOTS, *SCRIPTS]
    if unknown := set(sys.argv[1:]) - set(every):
        sys.exit(f"no picture {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    for name in sys.argv[1:] or every:
        draw(name)


if __name__ == "__main__":
    main()
