"""How many requests does examples/server.py answer, and how fast, with each of three systems?

``python -m asv_benchmarks.serving`` runs the server with one worker, for networks of fastmlp, and
for the same weights in onnxruntime and in scikit-learn's MLPClassifier, all on one thread. Eight
clients, processes with a connection each, send one row at a time and check each answer against the
right one for the version of the model that it names. The servers take turns; "refitting" is that of
fastmlp while it refits all the time. It prints medians over the turns: of requests per second,
their median and 99th percentile in milliseconds, and the milliseconds of the worker's processor for
each. An error or a wrong answer ends it.

Needs the extras ``serve``, ``safetensors`` and ``onnx``, onnxruntime and scikit-learn.
"""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from multiprocessing import get_context
from pathlib import Path
from threading import Event

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
SYSTEMS = {**dict(zip(FILES, FILES, strict=True)), "refitting": "fastmlp"}  # and their servers
TOLERANCE = 1e-5  # of probabilities
CASES = {  # network, and type of the requests
    "784-128-10 bytes": ("784-128-10", "application/octet-stream"),
    "784-128-10 JSON": ("784-128-10", "application/json"),
    "20-64-3 JSON": ("20-64-3", "application/json"),
}


@dataclass
class Turn:
    """Seconds of requests, of all and of the worker's processor; versions that answered; refits."""

    seconds: list[float] = field(default_factory=list)
    versions: Counter[str] = field(default_factory=Counter)
    elapsed: float = 0.0
    processor: float = 0.0
    refits: int = 0

    def numbers(self) -> tuple[float, ...]:
        count, (middle, most) = len(self.seconds), np.quantile(self.seconds, (0.5, 0.99))
        rate, refits = count / self.elapsed, self.refits / self.elapsed
        return rate, 1e3 * middle, 1e3 * most, 1e3 * self.processor / count, refits


def line(turns: list[Turn]) -> str:
    """Medians over the turns."""
    rate, middle, most, processor, refits = np.median([turn.numbers() for turn in turns], axis=0)
    return (
        f"{rate:5.0f} requests/s, median {middle:5.2f} ms, 99th percentile {most:5.2f} ms, "
        f"processor {processor:.3f} ms, {refits:4.1f} refits/s"
    )


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

    with ThreadPoolExecutor(1) as pool:
        task = pool.submit(refit)
        try:
            yield versions
        finally:
            ending.set()
        task.result()


class Bench:
    """Servers of all systems, and the clients."""

    def __init__(self, stack: ExitStack, cases: list[str], systems: list[str]) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        networks = {CASES[case][0] for case in cases}
        self._served = {name: Served(name, folder) for name in networks}
        self._servers = {
            (name, system): stack.enter_context(running(system, served.folder))
            for name, served in self._served.items()
            for system in {SYSTEMS[system] for system in systems}
        }
        self._loads = {case: self._served[CASES[case][0]].load(CASES[case][1]) for case in cases}
        spawn = get_context("spawn")  # clients need nothing of this process
        self._pool = stack.enter_context(ProcessPoolExecutor(CLIENTS, spawn))
        list(self._pool.map(time.sleep, [0.5] * CLIENTS))  # starts them

    def turn(self, case: str, system: str, seconds: float) -> Turn:
        """Let all clients send requests to a server."""
        name, turn = CASES[case][0], Turn()
        port, process = self._servers[name, SYSTEMS[system]]
        [worker] = workers_of(process)
        with ExitStack() as stack:
            is_refitting = system == "refitting"
            versions = stack.enter_context(refits(self._served[name], port)) if is_refitting else []
            start, before = time.monotonic() + 0.1, processor_seconds(worker)
            arguments = port, self._loads[case], start, seconds
            for task in [self._pool.submit(client, *arguments) for _ in range(CLIENTS)]:
                times, answered = task.result()
                turn.seconds += times
                turn.versions += answered
            turn.elapsed = time.monotonic() - start
            turn.processor = processor_seconds(worker) - before
        turn.refits = len(versions)
        return turn


def results(
    cases: list[str], systems: list[str], seconds: float, rounds: int
) -> dict[tuple[str, str], list[Turn]]:
    """Turns by case and system, which take ``seconds`` together."""
    jobs = [(case, system) for case in cases for system in systems]
    with ExitStack() as stack:
        bench = Bench(stack, cases, systems)
        turns = [[bench.turn(*job, seconds / rounds) for job in jobs] for _ in range(rounds)]
    return dict(zip(jobs, map(list, zip(*turns, strict=True)), strict=True))


def main() -> None:
    parser = options.parser_of(__file__, __doc__)
    options.add_names(parser, "--cases", CASES, CASES)
    options.add_names(parser, "--systems", SYSTEMS, SYSTEMS)
    options.add_count(parser, "--seconds", 60, "of load for each line, in all rounds")
    options.add_count(parser, "--rounds", 15, "number of turns")
    args = parser.parse_args()
    for (case, system), turns in results(**vars(args)).items():
        print(f"{case:16}  {system:12}  {line(turns)}")


if __name__ == "__main__":
    main()
