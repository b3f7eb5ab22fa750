"""Pictures of results, each with the digest of the file that it was drawn from."""

import hashlib
from pathlib import Path
from typing import Any

DPI = 125
OUR_COLOUR, PEER_COLOUR = "#d1495b", "#4a5568"


def digest(results: Path) -> str:
    # As text, since git may change the ends of lines on Windows.
    return hashlib.sha256(results.read_text(encoding="utf-8").encode()).hexdigest()


def save(figure: Any, path: Path, results: Path | None) -> None:
    """Write a figure; a PNG says from which results, so that a test can check it."""
    known = {"Results": digest(results)} if results and path.suffix == ".png" else None
    figure.savefig(path, dpi=DPI, metadata=known)


def results_of(picture: Path) -> str:
    """The digest that ``save`` has written."""
    from PIL import Image

    with Image.open(picture) as image:
        return str(image.info["Results"])
