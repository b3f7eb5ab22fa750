"""fastmlp and its peers on the same jobs, as a table for each job and a picture."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from .. import options
from ..fma_limit import fma_limit
from .jobs import JOBS, MAIN_JOBS
from .markdown import overview, tables
from .results import BUSY, OURS, Race, machine
from .systems import SYSTEMS

WORKER_SECONDS = 600
# Number of checks, and wait between them, if the machine seems busy.
LOOKS, WAIT_SECONDS = 5, 2


def run_worker(
    system: str, job: str, epochs: int, threads: int, cache: Path
) -> dict[str, Any] | None:
    """Return the output of a worker; None, after printing the reason, if it failed."""
    command = [sys.executable, "-m", f"{__package__}.worker", "--system", system, "--job", job]
    command += ["--epochs", str(epochs), "--threads", str(threads), "--cache", str(cache)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=WORKER_SECONDS)
    except subprocess.TimeoutExpired:
        print(f"{job:10} {system:14} skipped: took over {WORKER_SECONDS} s")
        return None
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"{job:10} {system:14} skipped: {reason}")
        return None
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def thread_counts(race: Race, system: str, job: str, number: int) -> list[int]:
    """Numbers of threads to try: all for fastmlp, which chooses itself; 1 and all for a peer, of
    which the better one goes on after the first round.
    """
    if system == OURS or race.threads == 1:
        return [race.threads]
    if number == 0:
        return [race.threads, 1]
    return [record.threads for record in race.of_job(job) if record.system == system]


def measure_limit(race: Race) -> float:
    """Measure the limit when the machine is idle, or after waiting in vain."""
    for _ in range(LOOKS):
        limit = fma_limit("float32", race.threads)
        if limit >= BUSY * max(race.limits, default=0):
            break
        time.sleep(WAIT_SECONDS)
    return limit


def rotated(systems: list[str], by: int) -> list[str]:
    by %= len(systems)
    return systems[by:] + systems[:by]


def turns(jobs: list[str], systems: list[str], rounds: int) -> Iterator[tuple[int, str, str]]:
    """Yield (round, job, system): systems alternate, and each round starts with another one."""
    for number in range(rounds):
        for job in jobs:
            for system in rotated(systems, number):
                yield number, job, system


def hold_race(race: Race, args: argparse.Namespace, systems: list[str], cache: Path) -> None:
    """Run the missing processes in sequence."""
    failed = set()
    for number, job, system in turns(args.jobs, systems, args.rounds):
        if (system, job) in failed:
            continue
        for threads in thread_counts(race, system, job, number):
            if race.processes(system, job, threads) > number:
                continue
            before = measure_limit(race)
            # A new folder, so that the first process of every job finds no compiled kernels.
            folder = cache / f"{system}-{job}-{threads}"
            measured = run_worker(system, job, args.epochs, threads, folder)
            if measured is None:
                failed.add((system, job))
                break
            after = fma_limit("float32", race.threads)
            race.limits += [before, after]
            race.day = str(date.today())
            record = race.add(threads, measured, max(before, after))
            if args.results:  # each time, so that an interrupted race keeps its results
                race.write(args.results)
            print(
                f"round {number + 1}  {job:10} {system:14} {threads} threads  "
                f"{min(measured['epoch_seconds']):8.4f} s  {record.gflops:6.1f} GFLOP/s  "
                f"{record.process_limits[-1]:.0f} at the limit",
                flush=True,
            )


def parse_args() -> argparse.Namespace:
    parser = options.parser_of(__file__, __doc__)
    options.add_names(parser, "--jobs", JOBS, default=MAIN_JOBS)
    options.add_names(parser, "--systems", SYSTEMS, default=SYSTEMS)
    options.add_count(parser, "--rounds", 3, "processes per system")
    options.add_count(parser, "--epochs", 3, "timed, after the first")
    options.add_count(parser, "--threads", options.processors(), "at the most")
    options.add_outcome(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    old = args.results and args.results.exists()
    race = Race.read(args.results) if old else Race(args.threads, machine())
    if not args.no_run:
        with tempfile.TemporaryDirectory() as cache:
            hold_race(race, args, options.installed(args.systems, SYSTEMS), Path(cache))
    race = race.only(args.jobs, args.systems)
    if not race.records:
        sys.exit("no system finished")
    print(f"\n{tables(race)}\n\n{overview(race)}\n\n{race.where}")
    print(f"limit {race.limit:.0f} GFLOP/s float32; {race.versions}")
    for warning in race.warnings():
        print(f"warning: {warning}")
    if args.plot:
        from .picture import draw

        draw(race, args.plot, args.results)


if __name__ == "__main__":
    main()
