"""The results of the race: stored as JSON lines, compared in tables."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..race.jobs import Array
from .sets import Set
from .systems import LINEAR, OURS

# A system has lost a set on which it is so much worse than the linear model.
LOST = 0.02
WORST_SHOWN = 3

Key = tuple[str, str, int]


class Results:
    """One record for each (system, set, split): the last one written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.records: dict[Key, dict[str, Any]] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                self._take(json.loads(line))

    def _take(self, record: dict[str, Any]) -> None:
        self.records[record["system"], record["set"], record["split"]] = record

    def add(self, record: dict[str, Any]) -> None:
        """Add a record and write it at once, so that an interrupted race keeps its results."""
        self._take(record)
        with self._path.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def has(self, system: str, name: str, splits: int) -> bool:
        return not self.missing(system, name, splits)

    def missing(self, system: str, name: str, splits: int) -> list[int]:
        return [split for split in range(splits) if (system, name, split) not in self.records]


@dataclass(frozen=True)
class Comparison:
    """Scores and seconds of the systems on sets of one kind, of shape (systems, sets, splits)."""

    title: str
    kind: str
    systems: list[str]
    sets: list[str]
    scores: Array
    seconds: Array
    failures: int
    # Systems without all results.
    left_out: list[str]

    @property
    def means(self) -> Array:
        """Mean score of each system."""
        return np.asarray(self.scores.mean(axis=(1, 2)))

    @property
    def seconds_per_fit(self) -> Array:
        """Seconds of the processor, median over the splits, mean over the sets."""
        return np.asarray(np.median(self.seconds, axis=2).mean(axis=1))

    @property
    def ranks(self) -> Array:
        """Mean rank of each system over the sets; 1 is best, ties share their mean rank."""
        scores = self.scores.mean(axis=2)
        better = (scores[None] > scores[:, None]).sum(axis=1)
        equal = (scores[None] == scores[:, None]).sum(axis=1)
        return np.asarray((better + (equal + 1) / 2).mean(axis=1))

    def behind_linear(self) -> Array | None:
        """Score of the linear model minus that of each system on each set."""
        if LINEAR not in self.systems:
            return None
        scores = self.scores.mean(axis=2)
        return np.asarray(scores[self.systems.index(LINEAR)] - scores)


def compare(
    results: Results, title: str, sets: Sequence[Set], kind: str, systems: list[str], splits: int
) -> Comparison | None:
    """Compare the systems on the sets that the most complete of them finished; systems that
    lack any of these are left out, and listed.

    A split that failed counts as a score of 0.
    """
    finished = {
        system: [s.name for s in sets if s.kind == kind and results.has(system, s.name, splits)]
        for system in systems
    }
    names = max(finished.values(), key=len)
    if not names:
        return None
    present = [system for system in systems if set(names) <= set(finished[system])]
    partly = [system for system in systems if finished[system] and system not in present]
    records = [
        [[results.records[system, name, split] for split in range(splits)] for name in names]
        for system in present
    ]

    def values(of: Any) -> Array:
        return np.array([[[of(r) for r in row] for row in rows] for rows in records])

    return Comparison(
        title,
        kind,
        present,
        names,
        values(lambda record: record.get("score", 0.0)),
        values(lambda record: record["fit_seconds"] + record["predict_seconds"]),
        int(values(lambda record: "failure" in record).sum()),
        partly,
    )


def _spread(scores: Array) -> str:
    """Mean and standard deviation over the splits."""
    deviation = scores.std(ddof=1) if len(scores) > 1 else 0.0
    return f"{scores.mean():.4f} ± {deviation:.4f}"


def _range(seconds: Array) -> str:
    """Median and range over the splits."""
    return f"{np.median(seconds):.1f} ({seconds.min():.1f} to {seconds.max():.1f})"


def _worst(comparison: Comparison, behind: Array) -> str:
    order = np.argsort(-behind)[:WORST_SHOWN]
    return ", ".join(f"{comparison.sets[k]} {-behind[k]:+.3f}" for k in order if behind[k] > 0)


def table(comparison: Comparison) -> str:
    """Markdown, best system first."""
    score = "accuracy" if comparison.kind == "classes" else "R²"
    lines = [
        f"{comparison.title}, {comparison.kind}: {len(comparison.sets)} sets"
        + (f"; {comparison.failures} failed splits count as 0" if comparison.failures else ""),
        "",
        f"| system | mean {score} | mean rank | processor seconds a split, all sets | "
        f"sets > {LOST} below linear | worst sets, from linear |",
        "|---|--:|--:|--:|--:|---|",
    ]
    behind = comparison.behind_linear()
    for k in np.argsort(-comparison.means):
        name = comparison.systems[k]
        cells = [
            f"**{name}**" if name == OURS else name,
            _spread(comparison.scores[k].mean(axis=0)),
            f"{comparison.ranks[k]:.2f}",
            _range(comparison.seconds[k].sum(axis=0)),
        ]
        if behind is not None:
            cells += [str((behind[k] > LOST).sum()), _worst(comparison, behind[k])]
        else:
            cells += ["", ""]
        lines.append(f"| {' | '.join(cells)} |")
    if comparison.left_out:
        lines += ["", f"not on all of these sets: {', '.join(comparison.left_out)}"]
    return "\n".join(lines)


def threads_of(results: Results, comparisons: list[Comparison]) -> int:
    """Largest number of threads of the compared systems."""
    systems = {name for comparison in comparisons for name in comparison.systems}
    return max(int(r["threads"]) for r in results.records.values() if r["system"] in systems)


def each_set(comparison: Comparison) -> str:
    """Markdown: the mean score of every system on every set."""
    lines = [
        f"| {comparison.title}, {comparison.kind} | {' | '.join(comparison.systems)} |",
        "|---|" + "--:|" * len(comparison.systems),
    ]
    for name, row in zip(comparison.sets, comparison.scores.mean(axis=2).T, strict=True):
        lines.append(f"| {name} | {' | '.join(f'{value:.4f}' for value in row)} |")
    return "\n".join(lines)
