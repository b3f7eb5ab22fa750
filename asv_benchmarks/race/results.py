"""The outcome of a race: the best of each system on each job, and warnings; its file."""

import json
import platform
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
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
    machine: str
    day: str = ""
    limits: list[float] = field(default_factory=list)
    records: dict[tuple[str, str, int], Record] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Race":
        found = json.loads(path.read_text(encoding="utf-8"))
        records = [Record(**record) for record in found.pop("records")]
        return cls(**found, records={(r.system, r.job, r.threads): r for r in records})

    def write(self, path: Path) -> None:
        found = asdict(self) | {"records": [asdict(record) for record in self.records.values()]}
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

    def only(self, jobs: list[str], systems: list[str]) -> "Race":
        """The part of it with these jobs and systems, in the order of the jobs."""
        chosen = [r for job in jobs for r in self.records.values() if r.job == job]
        records = {(r.system, r.job, r.threads): r for r in chosen if r.system in systems}
        return replace(self, records=records)

    def processes(self, *key: Any) -> int:
        """Number of processes that were run of a system on a job with a number of threads."""
        return len(self.records[key].process_seconds) if key in self.records else 0

    @property
    def where(self) -> str:
        return f"{self.machine}, at most {self.threads} threads, {self.day}"

    @property
    def versions(self) -> str:
        return versions_of(record.versions for record in self.records.values())

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
