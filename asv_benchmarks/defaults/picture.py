"""The race as a picture: mean score against seconds per fit, a panel per group and kind."""

from pathlib import Path
from typing import Any

from .results import Comparison

OUR_COLOUR, PEER_COLOUR = "#d1495b", "#4a5568"
# Scores further below the best are drawn at the edge, with their values.
SPAN = {"classes": 0.2, "numbers": 0.4}


def _panel(ax: Any, comparison: Comparison) -> None:
    means, seconds = comparison.means, comparison.seconds_per_fit
    floor = means.max() - SPAN[comparison.kind]
    spread = comparison.scores.mean(axis=1).std(axis=1)
    for k, name in enumerate(comparison.systems):
        colour = OUR_COLOUR if name.startswith("fastmlp") else PEER_COLOUR
        outside = means[k] < floor
        y = floor if outside else means[k]
        ax.errorbar(
            seconds[k], y, None if outside else spread[k],
            color=colour, marker="v" if outside else "o", markersize=6, capsize=2,
        )  # fmt: skip
        label = f"{name} ({means[k]:.2f})" if outside else name
        ax.annotate(
            label, (seconds[k], y), (6, 4), textcoords="offset points", fontsize=8, color=colour
        )
    ax.set_xscale("log")
    low = min(floor, *means) if means.min() >= floor else floor
    ax.set_ylim(max(low, means.min()) - 0.06 * SPAN[comparison.kind], None)
    ax.margins(x=0.25, y=0.12)
    score = "accuracy" if comparison.kind == "classes" else "R²"
    ax.set_ylabel(f"mean {score}", fontsize=8)
    title = f"{comparison.title}: {len(comparison.sets)} sets of {comparison.kind}"
    ax.set_title(title, fontsize=9, loc="left")
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)
    ax.grid(alpha=0.3)


def draw(comparisons: list[Comparison], path: Path, title: str) -> None:
    """Write the picture; its format follows the suffix of ``path``."""
    import matplotlib

    matplotlib.use("Agg")  # draws to files: needs no display
    from matplotlib import pyplot as plt

    columns = min(2, len(comparisons))
    rows = -(-len(comparisons) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(6 * columns, 0.6 + 4 * rows), dpi=120,
        layout="constrained", squeeze=False,
    )  # fmt: skip
    for ax in axes.flat[len(comparisons) :]:
        ax.remove()
    for ax, comparison in zip(axes.flat, comparisons, strict=False):
        _panel(ax, comparison)
        ax.set_xlabel("seconds to fit and predict a set, mean", fontsize=8)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path)
    plt.close(figure)
