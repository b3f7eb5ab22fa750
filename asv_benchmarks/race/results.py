"""The outcome of a race: the best of each system on each job, tables and warnings."""

import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from .jobs import JOBS

OURS = "fastmlp"
# Different orders of rows change the loss by some percent; a wrong rate or update by far more.
LOSS_TOLERANCE = 0.25
# Below this fraction of the highest rate of the race, something else ran on the machine.
BUSY = 0.9


@dataclass
class Record:
    """What one system did on one job, over all its processes with one number of threads."""

    system: str
    job: str
    threads: int
    epoch_seconds: list[float] = field(default_factory=list)
    # The fastest epoch of each process after the first, and the limit measured around it.
    process_seconds: list[float] = field(default_factory=list)
    process_limits: list[float] = field(default_factory=list)
    first_epoch_seconds: list[float] = field(default_factory=list)
    import_seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    def add(self, measured: dict[str, Any], limit: float) -> None:
        """Take in what a worker printed, and the limit in GFLOP/s at that time."""
        self.epoch_seconds += measured["epoch_seconds"]
        self.process_seconds.append(min(measured["epoch_seconds"]))
        self.process_limits.append(limit)
        self.first_epoch_seconds.append(measured["first_epoch_seconds"])
        self.import_seconds.append(measured["import_seconds"])
        self.losses.append(measured["loss"])
        self.versions.update(measured["versions"])

    @property
    def best(self) -> float:
        """Seconds of the fastest epoch after the first."""
        return min(self.epoch_seconds)

    @property
    def gflops(self) -> float:
        return self._gflops(self.best)

    @property
    def part_of_limit(self) -> float:
        """Of the process that came nearest: the clock of a machine is not always the same."""
        pairs = zip(self.process_seconds, self.process_limits, strict=True)
        return max(self._gflops(seconds) / limit for seconds, limit in pairs)

    def _gflops(self, seconds: float) -> float:
        return JOBS[self.job].flops_per_epoch / seconds / 1e9


@dataclass
class Race:
    """All records, and the limits in GFLOP/s that were measured before and after processes."""

    threads: int
    limits: list[float] = field(default_factory=list)
    records: dict[tuple[str, str, int], Record] = field(default_factory=dict)

    @property
    def limit(self) -> float:
        return max(self.limits)

    def add(self, threads: int, measured: dict[str, Any], limit: float) -> Record:
        key = measured["system"], measured["job"], threads
        record = self.records.setdefault(key, Record(*key))
        record.add(measured, limit)
        return record

    def jobs(self) -> list[str]:
        return list(dict.fromkeys(record.job for record in self.records.values()))

    def of_job(self, job: str) -> list[Record]:
        """Each system at the number of threads that suited it best, fastest first."""
        chosen: dict[str, Record] = {}
        for record in sorted(self.records.values(), key=lambda record: record.best):
            if record.job == job:
                chosen.setdefault(record.system, record)
        return list(chosen.values())

    def best_peer(self, job: str) -> Record | None:
        return next((r for r in self.of_job(job) if r.system != OURS), None)

    def warnings(self) -> Iterator[str]:
        """What makes the numbers doubtful."""
        busy = sum(limit < BUSY * self.limit for limit in self.limits)
        if busy:
            yield (
                f"{busy} of {len(self.limits)} times the limit was measured below "
                f"{BUSY:.0%} of its best: the machine may have been busy"
            )
        for job in self.jobs():
            records = self.of_job(job)
            middle = median(record.losses[-1] for record in records)
            for record in records:
                loss = record.losses[-1]
                if not abs(loss - middle) <= LOSS_TOLERANCE * middle:
                    yield f"{job}: {record.system} ended at loss {loss:.4g}, median {middle:.4g}"


def tables(race: Race) -> str:
    """Markdown: a table per job, fastest system first."""
    return "\n\n".join(_table(race, job) for job in race.jobs())


def _table(race: Race, job: str) -> str:
    peer = race.best_peer(job)
    lines = [
        f"{job}: {JOBS[job]}",
        "",
        "| system | threads | s/epoch | GFLOP/s | of the limit | speed over best peer "
        "| first epoch, s | import, s | loss |",
        "|---|" + 8 * "--:|",
    ]
    for record in race.of_job(job):
        ratio = f"{peer.best / record.best:.2f}" if peer else ""
        cells = (
            record.system,
            str(record.threads),
            f"{record.best:.4f}",
            f"{record.gflops:.1f}",
            f"{record.part_of_limit:.0%}",
            ratio,
            _from_to(record.first_epoch_seconds),
            f"{min(record.import_seconds):.2f}",
            f"{record.losses[-1]:.4f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _from_to(seconds: list[float]) -> str:
    """The first process, with nothing compiled; and the best of the later ones."""
    first, *later = seconds
    return f"{first:.2f}, then {min(later):.2f}" if later else f"{first:.2f}"


def machine() -> str:
    """Processor and operating system, as known to Python."""
    from fastmlp.cli.bench import processor  # not in older versions, which asv measures too

    return f"{processor()}, {platform.system()}, Python {platform.python_version()}"


def versions_of(several: Iterable[dict[str, str]]) -> str:
    """All packages with their versions, the last where they differ."""
    found: dict[str, str] = {}
    for versions in several:
        found.update(versions)
    return ", ".join(f"{name} {version}" for name, version in sorted(found.items()))
