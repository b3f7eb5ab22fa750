"""Draw the pictures of the site, or some of them by name: ``python -m docs.drawing``.

Those of docs/performance/ are drawn by the races.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from docs.drawing import kernels, programs
from docs.drawing.plots import Names, networks, targets, training
from tests.helpers.pages import run_page

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


def plot(page: str, names: Names, path: Path) -> None:
    """Write the picture of a page, from the names that its blocks have left."""
    write(path, lambda *axes: PLOTS[page](names, *axes), 2)


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
        plot(name, run_page(next(DOCS.rglob(f"{name}.md"))), path)
        os.chdir(PICTURES)


def main() -> None:
    every = [*DRAWINGS, *PLOTS, *SCRIPTS]
    if unknown := set(sys.argv[1:]) - set(every):
        sys.exit(f"no picture {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    for name in sys.argv[1:] or every:
        draw(name)


if __name__ == "__main__":
    main()
