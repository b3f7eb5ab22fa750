"""Draw the pictures of pages: ``python -m docs.draw``, or of some pages by name.

Each is drawn from the names that the blocks of its page leave, so it shows what they compute.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from docs import draw_models, draw_tables  # noqa: F401, register their pictures
from docs.registry import PICTURES, Names, picture
from tests.helpers.pages import run_page

sys.path.append(str(Path(__file__).parents[1] / "examples"))  # scripts, not a package
from picture import write

DOCS = Path(__file__).parent
FOLDER = DOCS / "pictures"


@picture("start", 2)
def first_fit(names: Names, losses: Any, scores: Any) -> None:
    trainer = names["trainer"]
    for ax, name, title in (
        (losses, "loss", "loss: cross-entropy"),
        (scores, "accuracy", "accuracy"),
    ):
        for key, rows in ((name, "training rows"), (f"val_{name}", "held-out rows")):
            values = trainer.history[key]
            ax.plot(range(1, len(values) + 1), values, label=rows)
        best = trainer.best_epoch_ + 1
        ax.axvline(best, color="black", linestyle=":", label=f"best epoch, {best}")
        ax.set(xlabel="epoch", title=title)
    losses.legend()


@picture("schedules", 2)
def schedules(names: Names, falling: Any, rising: Any) -> None:
    for name, factors in names["curves"].items():
        ax = rising if name in ("one_cycle", "coslog4") else falling
        ax.plot(names["updates"] / names["per_epoch"], factors, label=name)
    for ax in (falling, rising):
        ax.set(xlabel="epoch", ylabel="factor of the learning rate", ylim=(-0.02, 1.24))
        ax.legend(loc="upper right", ncols=3)


def draw(page: str, names: Names, path: Path) -> None:
    """Write the picture of a page, from the names that its blocks have left."""
    n_panels, fill = PICTURES[page]
    write(path, lambda *axes: fill(names, *axes), n_panels)


def main() -> None:
    for page in sys.argv[1:] or PICTURES:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)  # blocks may write files
            names = run_page(next(DOCS.rglob(f"{page}.md")))
            draw(page, names, FOLDER / f"{page}.png")
            os.chdir(FOLDER)


if __name__ == "__main__":
    main()
