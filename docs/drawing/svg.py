"""A drawing of boxes, lines and text, as an SVG file.

A page shows it 640 pixels wide at most. In a window of 500 it is 468 wide, and its text 11.7 high.
"""

from html import escape
from pathlib import Path

WIDTH, TEXT = 640, 16
INK, GREY, WHITE = "#222222", "#eeeeee", "#ffffff"
BLUE, ORANGE, GREEN, RED = "#cfe2f5", "#fbdcb8", "#d3ecd0", "#c62828"


class Drawing:
    """Shapes on a light background of its own, so that it can be read in a dark theme, too."""

    def __init__(self, title: str, height: float) -> None:
        self._height = height
        self._parts = [f"<title>{escape(title)}</title>"]
        self.box(0, 0, WIDTH, height, fill=WHITE, stroke="none")

    def box(
        self, x: float, y: float, width: float, height: float, words: str = "", *,
        fill: str = GREY, stroke: str = INK, dashed: bool = False,
    ) -> None:  # fmt: skip
        """A rectangle with words in its middle."""
        dashes = ' stroke-dasharray="4 3"' if dashed else ""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{fill}" '
            f'stroke="{stroke}"{dashes}/>'
        )
        lines = words.split("\n")
        first = y + height / 2 + 6 - (len(lines) - 1) * 10
        for number, line in enumerate(lines if words else []):
            self.text(x + width / 2, first + 20 * number, line, anchor="middle")

    def text(
        self, x: float, y: float, words: str, *, anchor: str = "start", fill: str = INK,
        bold: bool = False,
    ) -> None:  # fmt: skip
        """A line of text; ``anchor`` says whether x is its start, middle or end."""
        weight = ' font-weight="bold"' if bold else ""
        self._parts.append(
            f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{fill}"{weight}>'
            f"{escape(words)}</text>"
        )

    def line(
        self, *points: tuple[float, float], stroke: str = INK, width: float = 1.5,
        arrow: bool = False, dashed: bool = False,
    ) -> None:  # fmt: skip
        """A line through points, with a head at the last one if it is an arrow."""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        dashes = ' stroke-dasharray="4 3"' if dashed else ""
        head = f' marker-end="url(#head-{stroke[1:]})"' if arrow else ""
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="{width:g}"'
            f"{dashes}{head}/>"
        )

    def write(self, path: Path) -> None:
        """Write the file."""
        heads = "".join(
            f'<marker id="head-{fill[1:]}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
            f'markerHeight="8" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="{fill}"/></marker>'
            for fill in (INK, RED)
        )
        lines = "\n".join([f"<defs>{heads}</defs>", *self._parts])
        path.write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{self._height:g}" '
            f'viewBox="0 0 {WIDTH} {self._height:g}" font-family="sans-serif" '
            f'font-size="{TEXT}">\n{lines}\n</svg>\n',
            encoding="utf-8",
        )
