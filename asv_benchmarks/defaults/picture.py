"""The race as a picture: mean score against seconds per fit, a panel per group and kind."""

from pathlib import Path
from typing import Any

from .results import Comparison

OUR_COLOUR, PEER_COLOUR = "#d1495b", "#4a5568"
# Scores further below the best are drawn at the edge, with their values.
SPAN = {"classes": 0.15, "numbers": 0.3}
# Positions of a label, in points from its dot; the first free one is used.
PLACES = [
    (6 * side, y, "left" if side > 0 else "right")
    for y in (4, -11, 14, -21, 24, -31)
    for side in (1, -1)
]


def _points(ax: Any, comparison: Comparison) -> list[tuple[str, float, float, str]]:
    """Draw the dots with the spread of the splits; return (label, x, y, colour) of each."""
    means, seconds = comparison.means, comparison.seconds_per_fit
    floor = means.max() - SPAN[comparison.kind]
    spread = comparison.scores.mean(axis=1).std(axis=1)
    points = []
    for k, name in enumerate(comparison.systems):
        colour = OUR_COLOUR if name.startswith("fastmlp") else PEER_COLOUR
        outside = means[k] < floor
        y = max(means[k], floor)
        ax.errorbar(
            seconds[k], y, None if outside else spread[k],
            color=colour, marker="v" if outside else "o", markersize=6, capsize=2,
        )  # fmt: skip
        points.append((f"{name} ({means[k]:.2f})" if outside else name, seconds[k], y, colour))
    return points


def _panel(ax: Any, comparison: Comparison) -> list[tuple[str, float, float, str]]:
    points = _points(ax, comparison)
    ax.set_xscale("log")
    ax.margins(x=0.2, y=0.12)
    ax.autoscale()
    score = "accuracy" if comparison.kind == "classes" else "R²"
    ax.set_ylabel(f"mean {score}", fontsize=8)
    ax.set_xlabel("processor seconds to fit and predict a set, mean", fontsize=8)
    title = f"{comparison.title}: {len(comparison.sets)} sets of {comparison.kind}"
    ax.set_title(title, fontsize=9, loc="left")
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)
    ax.grid(alpha=0.3)
    return points


def _label(ax: Any, points: list[tuple[str, float, float, str]]) -> None:
    """Write names beside the dots without overlap, in a panel of final size."""
    from matplotlib.transforms import Bbox

    dots = [ax.transData.transform((x, y)) for _, x, y, _ in points]
    taken = [Bbox.from_extents(x - 5, y - 5, x + 5, y + 5) for x, y in dots]
    for text, x, y, colour in points:
        for dx, dy, side in PLACES:
            label = ax.annotate(
                text, (x, y), (dx, dy), textcoords="offset points", ha=side,
                fontsize=8, color=colour,
            )  # fmt: skip
            box = label.get_window_extent()
            inside = ax.bbox.x0 <= box.x0 and box.x1 <= ax.bbox.x1
            if inside and not any(box.overlaps(other) for other in taken):
                break
            label.remove()
        else:  # no position is free: use the first
            label = ax.annotate(text, (x, y), PLACES[0][:2], textcoords="offset points", fontsize=8)
        taken.append(label.get_window_extent())


def draw(comparisons: list[Comparison], path: Path, title: str) -> None:
    """Write the picture; its format follows the suffix of ``path``."""
    import matplotlib

    matplotlib.use("Agg")  # draws to files: needs no display
    from matplotlib import pyplot as plt

    columns = min(2, len(comparisons))
    rows = -(-len(comparisons) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(6 * columns, 0.6 + 3.6 * rows), dpi=120,
        layout="constrained", squeeze=False,
    )  # fmt: skip
    for ax in axes.flat[len(comparisons) :]:
        ax.remove()
    figure.suptitle(title, fontsize=10)
    panels = [(ax, _panel(ax, c)) for ax, c in zip(axes.flat, comparisons, strict=False)]
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # labels do not move the panels
    for ax, points in panels:
        _label(ax, points)
    figure.savefig(path)
    plt.close(figure)
