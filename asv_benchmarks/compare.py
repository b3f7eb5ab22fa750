"""Which of two commits is faster on the jobs of the race? Measured in turn.

``python -m asv_benchmarks.compare 007d553 . --jobs dense,big`` prints, for each job and number of
threads, the time of the second commit over that of the first: median and range of the pairs, and
the best time of each. A ``.`` stands for the working tree. Below 1, the second commit is faster.

Each commit has its own process and cache of kernels. The processes take turns of some tenths of a
second, and the order within a pair alternates, so that the clock rate of the machine and its other
load are about the same for both halves of a pair. After three
pairs both processes are replaced, since even processes of one commit may differ by 5%.
A turn is one fit, always from the same weights; its first epoch does not count. Both commits run
the jobs of the files beside this one; only ``fastmlp`` is that of the commit.
The time of ``one-row`` is that of a prediction.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from statistics import mean, median
from typing import Any

from asv_benchmarks import as_they_come, options
from asv_benchmarks.fma_limit import fma_limit
from asv_benchmarks.options import ROOT
from asv_benchmarks.race import fastmlp_trainer
from asv_benchmarks.race.jobs import JOBS, MAIN_JOBS, Array, Job
from asv_benchmarks.race.run import Run

WORKING_TREE = "."
# Target time of the epochs of a turn.
TURN_SECONDS = 0.3
PAIRS_OF_A_PROCESS = 3
# Threads may spin for some milliseconds after their work.
PAUSE_SECONDS = 0.05

ONE_ROW = "one-row"
ONE_ROW_CALLS = 1_000
COMPARED = JOBS | {ONE_ROW: Job((784, 128, 10), 1_000, 32, "sgd", 0.01)}

Worker = subprocess.Popen[str]


def predict_one_row(run: Run, fastmlp: Any) -> None:
    """Predict in place of a fit: an "epoch" is 1,000 predictions of a single row."""
    trainer = fastmlp.Trainer(
        hidden=run.job.layer_sizes[1:-1], epochs=1, batch_size=run.job.batch_size,
        threads=run.threads, seed=1, **as_they_come(fastmlp.Trainer),
    ).fit(run.X, run.Y)  # fmt: skip
    row = run.X[:1]
    run.start()
    for _ in range(run.epochs):
        for _ in range(ONE_ROW_CALLS):
            trainer.predict_proba(row)
        run.lap()


@lru_cache(1)
def load(name: str) -> tuple[Array, Array]:
    return COMPARED[name].load()


def own_package() -> Any:
    """Import ``fastmlp`` of the commit in the current folder, with its own cache."""
    os.environ["NUMBA_CACHE_DIR"] = str(Path("cache").absolute())
    warnings.simplefilter("ignore")  # about fits that are too short to learn
    fastmlp = import_module("fastmlp")
    assert Path(str(fastmlp.__file__)).parents[1] == Path.cwd(), fastmlp.__file__
    return fastmlp


def serve() -> None:
    """Run as the process of a commit: answer each line of input with seconds of epochs as JSON."""
    fastmlp = own_package()
    for line in sys.stdin:
        name, threads, epochs = json.loads(line)
        run = Run(COMPARED[name], *load(name), epochs=1 + epochs, threads=threads)
        (predict_one_row if name == ONE_ROW else fastmlp_trainer.train)(run, fastmlp)
        print(json.dumps(run.seconds[1:]), flush=True)


def check_out(commit: str, folder: Path) -> None:
    """Copy the package of a commit to a folder, with the present benchmarks and data."""
    folder.mkdir()
    if commit == WORKING_TREE:
        shutil.copytree(ROOT / "fastmlp", folder / "fastmlp")
    else:
        archive = folder / "commit.zip"
        command = ["git", "archive", "--output", str(archive), commit, "fastmlp"]
        subprocess.run(command, cwd=ROOT, check=True)
        shutil.unpack_archive(archive, folder)
    for name in ("asv_benchmarks", "examples"):
        (folder / name).symlink_to(ROOT / name)


@contextmanager
def workers(folders: list[Path], script: str = "compare") -> Iterator[list[Worker]]:
    """Start new processes of a script, one in each folder."""
    command = [sys.executable, "-c", f"from asv_benchmarks.{script} import serve; serve()"]
    pipe = subprocess.PIPE
    started = [
        subprocess.Popen(
            command, cwd=folder, stdin=pipe, stdout=pipe, text=True, start_new_session=True
        )
        for folder in folders
    ]
    try:  # only this process gets Ctrl-C, and ends them
        yield started
    finally:
        for worker in started:
            worker.kill()
            worker.communicate()


def send(worker: Worker, *request: Any) -> None:
    """Send a request to a worker; :func:`receive` returns the answer."""
    assert worker.stdin is not None
    with suppress(BrokenPipeError):
        print(json.dumps(request), file=worker.stdin, flush=True)


def receive(worker: Worker) -> Any:
    assert worker.stdout is not None
    answer = worker.stdout.readline()
    if not answer:
        sys.exit("the process of a commit ended, see above")
    return json.loads(answer)


def turn(worker: Worker, *request: Any) -> list[float]:
    """Seconds of each epoch of a worker."""
    time.sleep(PAUSE_SECONDS)
    send(worker, *request)
    seconds: list[float] = receive(worker)
    return seconds


def turns(
    folders: list[Path], name: str, threads: int, pairs: int
) -> Iterator[tuple[list[float], list[float]]]:
    """For each pair, seconds of the epochs of the first commit and of the second."""
    for start in range(0, pairs, PAIRS_OF_A_PROCESS):
        with workers(folders) as (first, second):
            # Including compilation; the seconds of a turn exclude its first epoch.
            [epoch] = min(turn(worker, name, threads, 1) for worker in (first, second))
            request = name, threads, math.ceil(TURN_SECONDS / epoch)
            for number in range(start, min(start + PAIRS_OF_A_PROCESS, pairs)):
                if number % 2 == 0:
                    yield turn(first, *request), turn(second, *request)
                else:
                    later = turn(second, *request)
                    yield turn(first, *request), later


def compare(folders: list[Path], name: str, threads: int, pairs: int) -> str:
    """The line of the report for a job."""
    before = fma_limit("float32", threads)
    firsts, seconds = zip(*turns(folders, name, threads, pairs), strict=True)
    limit = max(before, fma_limit("float32", threads))
    ratios = [mean(b) / mean(a) for a, b in zip(firsts, seconds, strict=True)]
    line = f"{name:18}{threads:7}{median(ratios):8.2f}{min(ratios):8.2f} to {max(ratios):4.2f}"
    for epochs in (firsts, seconds):
        best = min(map(min, epochs))
        fraction = COMPARED[name].flops_per_epoch / best / 1e9 / limit
        if name == ONE_ROW:
            line += f"{1e6 * best / ONE_ROW_CALLS:9.2f} us     "
        else:
            line += f"{1e3 * best:9.2f} ms{fraction:5.0%}"
    return line


def commit(text: str) -> str:
    """Type of an argument: a commit for git, or the working tree."""
    if text != WORKING_TREE:
        command = ["git", "rev-parse", "--quiet", "--verify", f"{text}^{{commit}}"]
        if subprocess.run(command, cwd=ROOT, capture_output=True).returncode != 0:
            raise argparse.ArgumentTypeError(f"no commit {text}")
    return text


def counts(text: str) -> list[int]:
    """Type of an option: numbers separated by commas."""
    return [options.at_least_one(number) for number in text.split(",")]


def main() -> None:
    parser = options.parser_of(__file__, __doc__)
    parser.add_argument("first", type=commit, help="a commit, or . for the working tree")
    parser.add_argument("second", type=commit, nargs="?", default=".", help="default: .")
    options.add_names(parser, "--jobs", COMPARED, default=MAIN_JOBS)
    options.add_count(parser, "--pairs", 9, "of turns, for each job and number of threads")
    parser.add_argument(
        "--threads", type=counts, default=[options.processors()], metavar="N,...",
        help=f"default: {options.processors()}",
    )  # fmt: skip
    args = parser.parse_args()
    print(f"first {args.first}, second {args.second}; times of epochs, shares of the limit")
    print(f"{'job':18}{'threads':>7}{'ratio':>8}{'range':>16}{'first':>17}{'second':>17}")
    with tempfile.TemporaryDirectory() as work:
        folders = [Path(work, name) for name in ("first", "second")]
        check_out(args.first, folders[0])
        check_out(args.second, folders[1])
        for name in args.jobs:
            for threads in args.threads:
                print(compare(folders, name, threads, args.pairs), flush=True)


if __name__ == "__main__":
    main()
