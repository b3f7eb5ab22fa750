"""``fastmlp bench``: the limit of this machine, and the share of it that fastmlp reaches."""

import json
import platform
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import RATE, one_of
from ..kernels.language.backend import thread_limit, versions
from ..kernels.language.target import VECTOR_BYTES
from ..kernels.runs.threads import usable_threads
from .parser import Commands, add_command, value
from .standard_jobs import JOBS, measure

_DTYPES = "float32", "float64"
# A change of the limit by more makes the shares doubtful.
_NOISE = 0.1

_JOBS = "\n".join(f"  {name:12} {job}" for name, job in JOBS.items())
_TEXT = f"""Measure how fast this machine multiplies and adds, and what share of it fastmlp reaches.

The limit is the rate of multiply-adds on whole vectors in registers, on as many threads as the
jobs may use: no dense network can be faster. It is measured before and after each job. The share
of a job is the rate of its matrix products over the larger of the two. A multiply-add counts as
two operations; activations, loss, updates and the reading of rows count as none. Products with
zeros count too, although fastmlp skips many of them: a sparse job may exceed 100%.

Times are the shortest ones measured, without compilation. Nothing else should run meanwhile.

jobs, on random numbers, if sparse with zeros as in the images of MNIST:
{_JOBS}
"""
_EXAMPLES = """\
  fastmlp bench                             all jobs, in half a minute
  fastmlp bench --jobs dense,big --threads 1
  fastmlp bench --jobs tabular --dtype float64 --seconds 0.1 --json
"""

_FACTS = "{processor}, usable cores: {cores}, vectors of {vector_bits} bits\n{versions}\n"
_TITLES = f"{'job':12} {'what':21} {'seconds':>10} {'GFLOP/s':>9} {'share':>6}"
_LINE = "{job:12} {what:21} {seconds:10.3g} {gflops:9.1f} {share:6.0%}"


def add(commands: Commands) -> None:
    """Add the command and its arguments."""
    parser = add_command(
        commands, "bench", run, short="measure the speed of this machine and of fastmlp on it",
        text=_TEXT, examples=_EXAMPLES,
    )  # fmt: skip
    parser.add_argument("--jobs", type=value, metavar="NAME,...", help="by default all")
    parser.add_argument("--dtype", choices=_DTYPES, help="by default float32")
    parser.add_argument("--threads", type=int, metavar="N", help="by default as for fits")
    parser.add_argument(
        "--seconds", type=float, metavar="S",
        help="of training for each job, at least an epoch; by default 1",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(given: dict[str, Any]) -> None:
    """Measure, and print each result at once, or all of them as JSON."""
    jobs, threads = _names(given.get("jobs", tuple(JOBS))), _threads(given.get("threads"))
    seconds = RATE["check"]("seconds", given.get("seconds", 1.0))
    bench = _Bench(given.get("dtype", "float32"), threads)
    if given.get("json"):
        results = [result for name in jobs for result in bench.results(name, seconds)]
        print(json.dumps({**bench.facts(), "limits": bench.limits, "results": results}, indent=1))
        return
    print(_FACTS.format(**bench.facts()) + bench.limit(), _TITLES, sep="\n\n")
    for name in jobs:
        for result in bench.results(name, seconds):
            print(_LINE.format(**result), flush=True)
    print(bench.noise(), end="")


class _Bench:
    """Measurements of one dtype and number of threads."""

    def __init__(self, dtype: str, threads: int) -> None:
        # Not before: ``fastmlp warmup`` compiles the kernels of all modules that are imported.
        from ..kernels.runs.fma_limit import fma_rates

        self._rates, self._dtype, self._threads = fma_rates, dtype, threads
        self.limits = [self._rates(dtype, threads)]  # GFLOP/s, before the jobs and after each one

    def facts(self) -> dict[str, Any]:
        """What the measurements depend on."""
        return {
            "processor": processor(), "cores": usable_threads(None),
            "vector_bits": 8 * VECTOR_BYTES, "versions": _versions(), "dtype": self._dtype,
            "threads": self._threads,
        }  # fmt: skip

    def results(self, name: str, seconds: float) -> Iterator[dict[str, Any]]:
        """Measure a job."""
        measured = list(measure(JOBS[name], seconds, self._dtype, self._threads))
        self.limits.append(self._rates(self._dtype, self._threads))
        limit = max(self.limits[-2] + self.limits[-1])
        for one in measured:
            yield {"job": name, **asdict(one), "gflops": one.gflops, "share": one.gflops / limit}

    def limit(self) -> str:
        """The first limit, in words."""
        [rates] = self.limits
        return (
            f"limit: {max(rates):.1f} GFLOP/s {self._dtype}, threads: {self._threads} "
            f"({min(rates):.1f} to {max(rates):.1f} in {len(rates)} runs)"
        )

    def noise(self) -> str:
        """A line if the limit has changed."""
        first, *_, last = map(max, self.limits)
        if abs(first - last) <= _NOISE * max(first, last):
            return ""
        return (
            f"\nThe limit was {first:.1f} GFLOP/s at first and {last:.1f} at last: the machine was "
            "busy, or its clock rate has changed.\n"
        )


def _names(given: Any) -> tuple[str, ...]:
    names = given if isinstance(given, tuple) else (given,)
    return tuple(one_of(tuple(JOBS))["check"]("jobs", name) for name in names)


def _threads(given: int | None) -> int:
    most = thread_limit()
    if given is not None and not 1 <= given <= most:
        raise ValueError(f"threads must be from 1 to {most}, the limit of Numba; got {given}")
    return usable_threads(given)


def processor() -> str:
    """Name of the processor, as the system gives it."""
    with suppress(OSError):  # not Linux
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _versions() -> str:
    own = "fastmlp"
    with suppress(PackageNotFoundError):  # in a clone
        own += f" {version(own)}"
    return f"{own}, {versions()}, NumPy {np.__version__}, Python {platform.python_version()}"
