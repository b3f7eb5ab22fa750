"""How many requests does examples/server.py answer, and how fast, with each of three systems?

``python -m asv_benchmarks.serving`` runs the server with one worker, for networks of fastmlp, and
for the same weights in onnxruntime and in scikit-learn's MLPClassifier, all on one thread. Eight
clients, processes with a connection each, send one row at a time and check each answer against the
right one for the version of the model that it names. The servers take turns. For each it prints
requests per second, the median and 99th percentile of their milliseconds, and the processor time of
the worker; at last those of fastmlp that refits all the time on the same worker. An error or a
wrong answer ends it.

Needs the extras ``serve``, ``safetensors`` and ``onnx``, onnxruntime and scikit-learn.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from multiprocessing import get_context
from pathlib import Path
from threading import Event, Thread

import numpy as np

from asv_benchmarks import options
from asv_benchmarks.served import (
    FILES,
    VERSIONS,
    Load,
    Served,
    ask,
    processor_seconds,
    running,
    workers_of,
)

CLIENTS = 8
TOLERANCE = 1e-5  # of probabilities
CASES = {  # network, and type of the requests
    "784-128-10, bytes": ("784-128-10", "application/octet-stream"),
    "784-128-10, JSON": ("784-128-10", "application/json"),
    "20-64-3, JSON": ("20-64-3", "application/json"),
}


@dataclass
class Result:
    """Seconds of requests and of the worker's processor; versions that answered; refits."""

    seconds: list[float] = field(default_factory=list)
    versions: Counter[str] = field(default_factory=Counter)
    elapsed: float = 0.0
    processor: float = 0.0
    refits: int = 0

    def __str__(self) -> str:
        middle, most = 1e3 * np.quantile(self.seconds, (0.5, 0.99))
        count = len(self.seconds)
        return (
            f"{count / self.elapsed:6.0f} requests/s, median {middle:6.2f}, 99th percentile "
            f"{most:6.2f} ms, processor {1e3 * self.processor / count:.3f} ms"
        ) + f", {self.refits / self.elapsed:.1f} refits/s" * (self.refits > 0)


def client(port: int, load: Load, start: float, span: float) -> tuple[list[float], Counter[str]]:
    """Send one request after another for some seconds from ``start``, by the monotonic clock."""
    seconds, versions, headers = list[float](), Counter[str](), {"Content-Type": load.kind}
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    time.sleep(max(0, start - time.monotonic()))
    end = time.monotonic() + span
    while (sent := time.monotonic()) < end:
        index = len(seconds) % len(load.bodies)
        connection.request("POST", "/predict_proba", load.bodies[index], headers)
        response = connection.getresponse()
        body = response.read()
        seconds.append(time.monotonic() - sent)
        versions[check(response.status, body, load, index)] += 1
    connection.close()
    return seconds, versions


def check(status: int, body: bytes, load: Load, index: int) -> str:
    """Raise an error unless the answer is the right one of the version that it names."""
    found = json.loads(body) if status == 200 else {}
    version: str = found.get("model", "")
    if version not in load.answers:
        raise RuntimeError(f"request {index}: {status}, {body!r}")
    [probabilities], wanted = found["probabilities"], load.answers[version][index]
    if max(map(abs, map(float.__sub__, probabilities, wanted))) > TOLERANCE:
        raise RuntimeError(f"request {index}: {body!r} instead of {wanted}")
    return version


@contextmanager
def refits(served: Served, port: int) -> Iterator[list[str]]:
    """Refits on other rows, one after another; the versions so far."""
    ending, versions = Event(), list[str]()

    def refit() -> None:
        while not ending.is_set():
            served.put_rows((len(versions) + 1) % VERSIONS)
            versions.append(ask(port, "POST", "/refit")["model"])

    thread = Thread(target=refit)
    thread.start()
    try:
        yield versions
    finally:
        ending.set()
        thread.join()


class Bench:
    """Servers of all systems, and the clients."""

    def __init__(self, stack: ExitStack, cases: list[str], systems: list[str]) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        networks = {CASES[case][0] for case in cases}
        self._served = {name: Served(name, folder) for name in networks}
        self._servers = {
            (name, system): stack.enter_context(running(system, served.folder))
            for name, served in self._served.items()
            for system in systems
        }
        self._loads = {case: self._served[CASES[case][0]].load(CASES[case][1]) for case in cases}
        spawn = get_context("spawn")  # clients need nothing of this process
        self._pool = stack.enter_context(ProcessPoolExecutor(CLIENTS, spawn))
        list(self._pool.map(time.sleep, [0.5] * CLIENTS))  # starts them

    def run(self, case: str, system: str, seconds: float, result: Result, *, refit: bool) -> None:
        """Let all clients send requests, and add to the result."""
        name = CASES[case][0]
        port, process = self._servers[name, system]
        [worker] = workers_of(process)
        with ExitStack() as stack:
            refitted = stack.enter_context(refits(self._served[name], port)) if refit else []
            start, before = time.monotonic() + 0.3, processor_seconds(worker)
            arguments = port, self._loads[case], start, seconds
            tasks = [self._pool.submit(client, *arguments) for _ in range(CLIENTS)]
            for task in tasks:
                times, versions = task.result()
                result.seconds += times
                result.versions += versions
            result.elapsed += time.monotonic() - start
            result.processor += processor_seconds(worker) - before
        result.refits += len(refitted)


def results(
    cases: list[str], systems: list[str], seconds: float, rounds: int
) -> dict[tuple[str, str, bool], Result]:
    """Results by case, system, and whether it refits meanwhile."""
    jobs = [(case, system, False) for case in cases for system in systems]
    jobs += [(case, "fastmlp", True) for case in cases if "fastmlp" in systems]
    found = {job: Result() for job in jobs}
    with ExitStack() as stack:
        bench = Bench(stack, cases, systems)
        for _ in range(rounds):
            for case, system, refit in jobs:
                bench.run(case, system, seconds / rounds, found[case, system, refit], refit=refit)
    return found


def main() -> None:
    parser = options.parser_of(__file__, __doc__)
    options.add_names(parser, "--cases", CASES, CASES)
    options.add_names(parser, "--systems", FILES, FILES)
    options.add_count(parser, "--seconds", 60, "of load for each line, in all rounds")
    options.add_count(parser, "--rounds", 3, "number of turns")
    args: argparse.Namespace = parser.parse_args()
    for key, result in results(args.cases, args.systems, args.seconds, args.rounds).items():
        case, system, refit = key
        print(f"{case:17}  {'refitting' if refit else system:12}  {result}")


if __name__ == "__main__":
    main()
