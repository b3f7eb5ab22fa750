"""The results of the race: stored as JSON lines, and compared."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..race.jobs import Array
from ..race.results import versions_of
from .sets import Set
from .systems import LINEAR

SCORES = {"classes": "accuracy", "numbers": "R²"}
# A system has lost a set on which it is so much worse than the linear model.
LOST = 0.02

# What most records of a system have in common; a record without them is like the one before.
SHARED = ("threads", "versions", "machine", "date")

Key = tuple[str, str, int]


class Results:
    """One record for each (system, set, split): the last one written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.records: dict[Key, dict[str, Any]] = {}
        self._shared: dict[str, dict[str, Any]] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                self._take(json.loads(line))

    def _take(self, record: dict[str, Any]) -> None:
        record = self._shared.get(record["system"], {}) | record
        self._shared[record["system"]] = {k: record[k] for k in SHARED if k in record}
        self.records[record["system"], record["set"], record["split"]] = record

    def add(self, record: dict[str, Any]) -> None:
        """Add a record and write it at once, so that an interrupted race keeps its results."""
        self._take(record)
        with self._path.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def write(self, path: Path, sets: Sequence[Set]) -> None:
        """Write the results on these sets in short: rounded, and shared values once."""
        names = {each.name for each in sets}
        shared: dict[str, dict[str, Any]] = {}
        lines = []
        for record in self.records.values():
            if record["set"] in names:
                known = shared.setdefault(record["system"], {})
                new = {k: v for k, v in record.items() if k not in SHARED or known.get(k) != v}
                known.update(new)
                lines.append(json.dumps({name: _rounded(value) for name, value in new.items()}))
        path.write_text("\n".join([*lines, ""]), encoding="utf-8")

    def about(self, comparisons: Sequence["Comparison"]) -> tuple[str, str]:
        """Machine, threads and last day of the compared results; versions of the packages."""
        keys = {(system, name) for c in comparisons for system in c.systems for name in c.sets}
        records = [record for key, record in self.records.items() if key[:2] in keys]
        threads = max(record["threads"] for record in records)
        day = max(record["date"] for record in records)
        where = f"{records[-1]['machine']}, {threads} thread{'s' * (threads > 1)}, {day}"
        return where, versions_of(record["versions"] for record in records)

    def has(self, system: str, name: str, splits: int) -> bool:
        return not self.missing(system, name, splits)

    def missing(self, system: str, name: str, splits: int) -> list[int]:
        return [split for split in range(splits) if (system, name, split) not in self.records]


def _rounded(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value


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

    def behind_linear(self) -> Array:
        """Score of the linear model, which is needed, minus that of each system on each set."""
        scores = self.scores.mean(axis=2)
        return np.asarray(scores[self.systems.index(LINEAR)] - scores)

    def of(self, systems: list[str]) -> "Comparison":
        """The same of these systems alone."""
        rows = [self.systems.index(name) for name in systems]
        scores, seconds = self.scores[rows], self.seconds[rows]
        return replace(self, systems=systems, scores=scores, seconds=seconds)


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
