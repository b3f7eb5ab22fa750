"""The race as a picture: GFLOP/s of each system, a panel per job, with the limit."""

from pathlib import Path
from typing import Any

from .jobs import JOBS
from .results import OURS, Race

OUR_COLOUR, PEER_COLOUR, LIMIT_COLOUR = "#d1495b", "#8d99ae", "#2b2d42"
# Keeps a label readable where it crosses the line of the limit.
ON_LINE = {"facecolor": "white", "edgecolor": "none", "pad": 1}


def _panel(ax: Any, race: Race, job: str) -> None:
    records = race.of_job(job)
    peer = race.best_peer(job)
    names = [record.system for record in records]
    colours = [OUR_COLOUR if name == OURS else PEER_COLOUR for name in names]
    bars = ax.barh(names, [record.gflops for record in records], color=colours)
    labels = [f"{record.gflops:.0f}" for record in records]
    if peer and OURS in names:
        ours = records[names.index(OURS)]
        labels[names.index(OURS)] += f"  ({peer.best / ours.best:.1f}× best peer)"
    ax.bar_label(bars, labels, padding=3, fontsize=8, bbox=ON_LINE)
    ax.axvline(race.limit, color=LIMIT_COLOUR, linestyle="--", linewidth=1)
    ax.invert_yaxis()
    ax.set_title(f"{job}\n{JOBS[job]}", fontsize=9, loc="left")
    ax.set_xlim(0, 1.25 * max(race.limit, *(record.gflops for record in records)))
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)


def draw(race: Race, path: Path, title: str) -> None:
    """Write the picture; its format follows the suffix of ``path``."""
    import matplotlib

    matplotlib.use("Agg")  # draws to files: needs no display
    from matplotlib import pyplot as plt

    jobs = race.jobs()
    columns = min(2, len(jobs))
    rows = -(-len(jobs) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(5.5 * columns, 0.6 + 2.3 * rows), dpi=120,
        layout="constrained", squeeze=False,
    )  # fmt: skip
    for ax in axes.flat[len(jobs) :]:
        ax.remove()
    for ax, job in zip(axes.flat, jobs, strict=False):
        _panel(ax, race, job)
    for ax in axes[-1]:
        ax.set_xlabel(
            f"GFLOP/s, zeros counted; dashed: limit, {race.limit:.0f} GFLOP/s", fontsize=8
        )
    figure.suptitle(title, fontsize=10)
    figure.savefig(path)
    plt.close(figure)
