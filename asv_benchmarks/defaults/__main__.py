"""fastmlp and its peers with their defaults on raw tables: scores and seconds of the processor.

Systems whose first fit compiles or loads code (fastmlp, ChimeraBoost) fit a split once before it is
timed. Keras compiles each new model, which is timed.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from .. import options
from ..race.results import machine
from .markdown import each_set, overview, table
from .results import SCORES, Comparison, Results, compare
from .sets import GROUPS
from .systems import SYSTEMS

WORKER_SECONDS = 3_600


def run_worker(system: str, name: str, splits: list[int], threads: int) -> str | None:
    """Return the output of a worker; None, after printing the reason, if it failed."""
    command = [sys.executable, "-m", f"{__package__}.worker", "--system", system, "--set", name]
    command += ["--threads", str(threads), "--splits", *map(str, splits)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=WORKER_SECONDS)
    except subprocess.TimeoutExpired:
        print(f"{name:32} {system:18} skipped: took over {WORKER_SECONDS} s")
        return None
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"{name:32} {system:18} skipped: {reason}")
        return None
    return done.stdout


def _records(printed: str) -> Iterator[str]:
    """The records among the lines of output, as libraries print too."""
    return (line for line in printed.splitlines() if line.startswith('{"system"'))


def hold_race(results: Results, args: argparse.Namespace, systems: list[str]) -> None:
    """Run the missing results, one process after the other."""
    where = {"machine": machine(), "date": str(date.today())}
    for group in args.sets:
        for chosen in GROUPS[group]:
            for system in systems:
                splits = results.missing(system, chosen.name, args.splits)
                if args.again:
                    splits = list(range(args.splits))
                if not splits:
                    continue
                printed = run_worker(system, chosen.name, splits, args.threads)
                for line in _records(printed or ""):
                    record = json.loads(line) | where
                    results.add(record)
                    shown = record.get("failure") or f"{record['score']:.4f}"
                    seconds = record["fit_seconds"] + record["predict_seconds"]
                    print(f"{chosen.name:32} {system:18} {seconds:8.2f} s CPU  {shown}", flush=True)


def comparisons(results: Results, args: argparse.Namespace) -> list[Comparison]:
    """One of classes and one of numbers, on the sets of all chosen groups."""
    title, sets = ", ".join(args.sets), [each for group in args.sets for each in GROUPS[group]]
    found = [compare(results, title, sets, kind, args.systems, args.splits) for kind in SCORES]
    return [comparison for comparison in found if comparison]


def parse_args() -> argparse.Namespace:
    parser = options.parser_of(__file__, __doc__)
    options.add_names(parser, "--sets", GROUPS, default=("tune", "check"))
    options.add_names(parser, "--systems", SYSTEMS, default=SYSTEMS)
    options.add_count(parser, "--splits", 3, "splits of every set")
    options.add_count(parser, "--threads", options.processors(), "at the most")
    parser.add_argument("--again", action="store_true", help="run what is there, too")
    parser.add_argument("--each", action="store_true", help="show the scores on every set")
    options.add_outcome(parser, Path("defaults.jsonl"))
    options.add_output(parser, "--write", help="write the results on these sets in short")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    results = Results(args.results)
    if not args.no_run:
        hold_race(results, args, options.installed(args.systems, SYSTEMS))
    found = comparisons(results, args)
    if not found:
        sys.exit("no system finished all splits of a set")
    for comparison in found:
        print(f"\n{table(comparison)}")
        if args.each:
            print(f"\n{each_set(comparison)}")
    where, versions = results.about(found)
    print(f"\n{overview(found)}\n\n{where}\n{versions}")
    if args.write:
        results.write(args.write, [each for group in args.sets for each in GROUPS[group]])
    if args.plot:
        from .picture import draw

        draw(found, args.plot, where, args.results)


if __name__ == "__main__":
    main()
