"""Relative links of pages lead to files and headings, as the repository's host shows them."""

import json
import re
from pathlib import Path

import pytest

from tests.helpers.processes import ROOT

PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "examples").glob("*.md"),
    *(ROOT / "examples").glob("*.ipynb"),
    *(page for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts),
]
LINK = re.compile(r"(?:\]\(|(?:href|src)=\")(?!https?:)([^)\s\"]+)")
# Made beside the pages of the site.
ONLY_ON_THE_SITE = {"../asv/index.html"}


def text_of(page: Path) -> str:
    """Without blocks of code; with the file that a page of the site includes."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    if included := re.match(r"```{include} (\S+)", text):
        return text_of(page.parent / included[1])
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """Of its headings: lower case, without punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    found = []
    for link in set(LINK.findall(re.sub(r"`[^`\n]*`", "", text_of(page)))) - ONLY_ON_THE_SITE:
        name, _, anchor = link.partition("#")
        file = page.parent / name if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("## A heading, with `code`\n", encoding="utf-8")
    page = tmp_path / "page.md"
    good = "[a](there.md) [b](there.md#a-heading-with-code) [c](https://x.org) ![d](there.md)"
    page.write_text(f"# One\n{good} [e](#one)\n", encoding="utf-8")
    assert broken(page) == []
    for bad in ("[a](no.md)", "![a](no.png)", '<img src="no.png">', "[a](there.md#no)", "[a](#no)"):
        page.write_text(bad, encoding="utf-8")
        assert len(broken(page)) == 1, bad
