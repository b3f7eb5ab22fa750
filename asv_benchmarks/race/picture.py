"""The race as a picture: a row of dots for each job, a dot for each system."""

from pathlib import Path
from typing import Any

from ..pictures import OUR_COLOUR, save
from .results import OURS, Race
from .systems import SYSTEMS

LIMIT_COLOUR = "#2b2d42"
# Where the column of ratios begins, in widths of the panel.
RIGHT = 1.03
# Told apart without colours, too (Okabe and Ito's palette).
PEERS = {
    "jax": ("s", "#0072b2"),
    "torch": ("^", "#e69f00"),
    "torch-compiled": ("v", "#a86f00"),
    "keras-jax": ("D", "#009e73"),
    "keras-torch": ("d", "#006b4f"),
    "sklearn": ("P", "#56b4e9"),
    "numpy": ("X", "#888888"),
}


def _row(ax: Any, race: Race, job: str, y: float) -> None:
    """The dots of a job, and how much faster ours is than the best peer's."""
    records = {record.system: record for record in race.of_job(job)}
    for name, record in records.items():
        marker, colour = PEERS.get(name, ("o", OUR_COLOUR))
        size = 190 if name == OURS else 90
        x = 100 * record.part_of_limit
        ax.scatter(x, y, size, colour, marker, edgecolors="white", zorder=3, label=name)
    peer = race.best_peer(job)
    if peer and OURS in records:
        ours = records[OURS]
        text = f"{peer.best / ours.best:.1f} × {SYSTEMS[peer.system].title}"
        ax.text(RIGHT, y, text, transform=ax.get_yaxis_transform(), va="center", color=OUR_COLOUR)


def draw(race: Race, path: Path, source: Path | None) -> None:
    """Write the picture; its format follows the suffix of ``path``."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    jobs = race.jobs()
    with rc_context({"font.size": 12}):
        figure = Figure(figsize=(6.5, 2.2 + 0.5 * len(jobs)), layout="constrained")
        ax = figure.subplots()
        for y, job in enumerate(jobs):
            _row(ax, race, job, y)
        ax.axvline(100, color=LIMIT_COLOUR, linestyle="--", linewidth=1)
        ax.set_yticks(range(len(jobs)), jobs)
        ax.set_ylim(len(jobs) - 0.5, -0.5)
        ax.set_xlim(left=0)
        ax.set_xlabel("multiply-adds, % of the limit (zeros count)")
        ax.text(
            RIGHT, -0.6, "speed over\nbest peer", transform=ax.get_yaxis_transform(), fontsize=11,
            color=OUR_COLOUR,
        )  # fmt: skip
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="y", alpha=0.4)
        handles, labels = ax.get_legend_handles_labels()
        first = {SYSTEMS[name].title: h for h, name in zip(handles, labels, strict=True)}
        titles = [system.title for system in SYSTEMS.values() if system.title in first]
        figure.legend(
            [first[title] for title in titles], titles, loc="outside upper center", ncols=3,
            frameon=False, handletextpad=0.1,
        )  # fmt: skip
        figure.supxlabel(race.where, fontsize=10)
        save(figure, path, source)
