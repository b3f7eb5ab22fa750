"""The race as a picture: mean score against processor time, a panel per kind of sets."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..pictures import DPI, OUR_COLOUR, PEER_COLOUR, save
from .markdown import shown
from .results import SCORES, Comparison
from .systems import OURS, SYSTEMS

# Scores further below the best are drawn at the edge, with their values.
SPAN = {"classes": 0.03, "numbers": 0.13}
# Positions of a label, in points from its dot; the one that hides least is used, with a line to the
# dot if it is not beside it.
PLACES = [
    (x, y, side)
    for y in (0, 13, -13, 24, -24, 36, -36, 48, -48, 60, -60)
    for x, side in ((10, "left"), (-10, "right"), (0, "center"))
    if x or y
]


def _points(ax: Any, comparison: Comparison) -> Iterator[tuple[str, float, float, str]]:
    """Draw the dots; yield (label, x, y, colour) of each."""
    means, seconds = comparison.means, comparison.seconds_per_fit
    floor = means.max() - SPAN[comparison.kind]
    for k, name in enumerate(comparison.systems):
        colour = OUR_COLOUR if name.startswith(OURS) else PEER_COLOUR
        outside = means[k] < floor
        y = max(means[k], floor)
        ax.plot(seconds[k], y, "v" if outside else "o", color=colour, markersize=9)
        title = SYSTEMS[name].title.removeprefix(f"{OURS}, ")
        yield f"{title} ({shown(means[k])})" if outside else title, seconds[k], y, colour


def _panel(ax: Any, comparison: Comparison) -> list[tuple[str, float, float, str]]:
    points = list(_points(ax, comparison))
    ax.set_xscale("log")
    ax.margins(x=0.15, y=0.15)
    ax.autoscale()
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    title = f"mean {SCORES[comparison.kind]} on {len(comparison.sets)} tables"
    ax.set_title(title, fontsize=13, loc="left", weight="bold")
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.3)
    return points


def _hidden(box: Any, taken: Sequence[Any], panel: Any) -> float:
    """Area of a box over others, or outside of its panel."""
    overlaps = filter(None, (type(box).intersection(box, other) for other in taken))
    inside = type(box).intersection(box, panel)
    outside = box.width * box.height - (inside.width * inside.height if inside else 0)
    return float(outside + sum(part.width * part.height for part in overlaps))


def _label(ax: Any, points: Sequence[tuple[str, float, float, str]]) -> None:
    """Write each name where it hides least of dots and other names, in a panel of final size."""
    from matplotlib.transforms import Bbox

    dots = [ax.transData.transform((x, y)) for _, x, y, _ in points]
    taken = [Bbox.from_extents(x - 12, y - 12, x + 12, y + 12) for x, y in dots]
    for text, x, y, colour in points:
        settings = {"textcoords": "offset points", "va": "center", "color": colour}
        found = []
        for dx, dy, side in PLACES:
            label = ax.annotate(text, (x, y), (dx, dy), ha=side, **settings)
            found.append((_hidden(label.get_window_extent(), taken, ax.bbox), dx, dy, side))
            label.remove()
        _, dx, dy, side = min(found, key=lambda each: each[0])
        label = ax.annotate(text, (x, y), (dx, dy), ha=side, **settings)
        taken.append(label.get_window_extent())
        if dy:
            line = {
                "arrowstyle": "-",
                "color": colour,
                "shrinkA": 8 if side == "center" else 0,
                "shrinkB": 5,
            }
            ax.annotate("", (x, y), (dx, dy), textcoords="offset points", arrowprops=line)


def draw(comparisons: Sequence[Comparison], path: Path, where: str, results: Path) -> None:
    """Write the picture; its format follows the suffix of ``path``."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"font.size": 12}):
        figure = Figure(figsize=(6.5, 0.8 + 3.6 * len(comparisons)), layout="constrained", dpi=DPI)
        axes = figure.subplots(len(comparisons), squeeze=False)[:, 0]
        panels = [(ax, _panel(ax, c)) for ax, c in zip(axes, comparisons, strict=True)]
        axes[-1].set_xlabel("processor seconds to fit and predict a table, mean")
        axes[0].set_title("● fastmlp", fontsize=13, color=OUR_COLOUR, loc="right")
        figure.supxlabel(where, fontsize=10)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # labels do not move the panels
        for ax, points in panels:
            _label(ax, points)
        save(figure, path, results)
