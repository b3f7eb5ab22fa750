"""The examples in pages of docs/ run, print what the page shows, and are drawn as its picture."""

import re
from pathlib import Path

import pytest

from docs.drawing import __main__ as drawing
from tests.helpers.basics import needs_compiler
from tests.helpers.pages import python_blocks, run_page, same_output
from tests.helpers.processes import ROOT

DOCS = ROOT / "docs"
# Run by test_server and by tests/cli/test_page.py.
RUN_ELSEWHERE = {"serving", "command-line"}
PAGES = {
    page.stem: page
    for page in sorted(DOCS.rglob("*.md"))
    if python_blocks(page.read_text(encoding="utf-8")) and page.stem not in RUN_ELSEWHERE
}
OF_RACES = "race", "defaults"
HOW_TO = [page for page in sorted((DOCS / "how-to").glob("*.md")) if page.stem != "index"]


@needs_compiler
@pytest.mark.parametrize("page", PAGES)
def test_examples(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = run_page(PAGES[page])
    if page in drawing.PLOTS:
        image = pytest.importorskip("PIL.Image")
        drawing.plot(page, names, tmp_path / "picture.png")
        with image.open(drawing.PICTURES / f"{page}.png") as saved:
            assert saved.info["Code"] == drawing.digest(page)


@pytest.mark.parametrize("page", HOW_TO, ids=lambda page: page.stem)
def test_how_to_pages_have_a_picture(page: Path) -> None:
    """With a text for readers who do not see it."""
    text = page.read_text(encoding="utf-8")
    pictures = re.findall(r"!\[([^\]]{20,})\]\(\.\./pictures/([\w-]+\.(?:png|svg))\)", text)
    assert pictures
    assert [name for _, name in pictures if not (DOCS / "pictures" / name).is_file()] == []


@pytest.mark.parametrize("name", drawing.DRAWINGS)
def test_drawings_are_those_of_the_script(name: str, tmp_path: Path) -> None:
    drawing.DRAWINGS[name]().write(tmp_path / "drawn.svg")
    saved = drawing.PICTURES / f"{name}.svg"
    assert (tmp_path / "drawn.svg").read_bytes() == saved.read_bytes()


def test_pictures_are_drawn_and_shown() -> None:
    saved = {path.name for path in drawing.PICTURES.iterdir()}
    drawn = {f"{name}.svg" for name in drawing.DRAWINGS}
    drawn |= {f"{name}.png" for name in (*drawing.PLOTS, *drawing.SCRIPTS, *OF_RACES)}
    pages = [ROOT / "README.md", *DOCS.rglob("*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    shown = set(re.findall(r"pictures/([\w-]+\.\w+)\)", text))
    assert saved == drawn == shown


def test_shares_of_the_limit_are_those_of_the_race() -> None:
    race, kernels = (
        dict(re.findall(pattern, (DOCS / page).read_text(encoding="utf-8"), re.M))
        for page, pattern in (
            ("performance/speed.md", r"^\| (\w+) \| \*\*[\d.]+\*\* \((\d+%)\)"),
            ("background/kernels.md", r"^\| (\w+) \| .* \| (\d+%) \|$"),
        )
    )
    assert len(kernels) == 5
    assert kernels.items() <= race.items()


def test_other_output_is_not_the_same() -> None:
    assert same_output("score: 0.951\n(2, 3)\n", "score:  0.96\n(2, 3)\n")
    for other in ("score: 0.85\n(2, 3)\n", "loss: 0.951\n(2, 3)\n", "score: 0.951\n", ""):
        assert not same_output(other, "score: 0.96\n(2, 3)\n")
