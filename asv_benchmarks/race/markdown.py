"""The outcome of a race in Markdown: a table for the docs, and one of each job."""

from .jobs import JOBS
from .results import OURS, Race, Record
from .systems import SYSTEMS

# The start of a process in the table for the docs is that of this job.
FIRST_EPOCH = "mnist"


def overview(race: Race) -> str:
    """Seconds of an epoch; the jobs are rows, the systems columns."""
    jobs = race.jobs()
    by_job = {job: {r.system: r for r in race.of_job(job)} for job in jobs}
    systems = [name for name in SYSTEMS if any(name in found for found in by_job.values())]
    titles = [f"{SYSTEMS[name].title}{' (of the limit)' * (name == OURS)}" for name in systems]
    lines = [f"| job | {' | '.join(titles)} |", "|---|" + "--:|" * len(systems)]
    for job, found in by_job.items():
        best = min(record.best for record in found.values())
        cells = [_cell(found[name], best) if name in found else "" for name in systems]
        lines.append(f"| {job} | {' | '.join(cells)} |")
    if FIRST_EPOCH in by_job:
        found = by_job[FIRST_EPOCH]
        cells = [f"{_start(found[name]):.1f}" if name in found else "" for name in systems]
        lines.append(f"| start | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(record: Record, best: float) -> str:
    seconds = f"**{record.best:.3f}**" if record.best == best else f"{record.best:.3f}"
    return seconds + f" ({record.part_of_limit:.0%})" * (record.system == OURS)


def _start(record: Record) -> float:
    """Seconds of the import and the first epoch, with nothing compiled."""
    return min(record.import_seconds) + record.first_epoch_seconds[0]


def job_list(race: Race) -> str:
    return "\n".join(f"- {job}: {JOBS[job]}" for job in race.jobs())


def tables(race: Race) -> str:
    """A table of each job, fastest system first."""
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
