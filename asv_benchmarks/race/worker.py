"""Run one system on one job in a new process; print a line of JSON.

``python -m asv_benchmarks.race.worker --system jax --job dense --threads 2``
"""

import json
import os
import time
from importlib import import_module
from typing import Any

from .. import options
from .systems import SYSTEMS

# Libraries read these when they are imported.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


def limit_threads(threads: int) -> None:
    """Limit every library to ``threads`` threads; XLA by the processors that it may use."""
    for name in THREAD_VARIABLES:
        os.environ[name] = str(threads)
    if hasattr(os, "sched_setaffinity"):
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, processors[:threads])


def measure(system_name: str, job_name: str, epochs: int, threads: int) -> dict[str, Any]:
    """Train for 1 + ``epochs`` epochs; return the record for the parent."""
    from .jobs import JOBS
    from .run import Run, mean_loss

    system, job = SYSTEMS[system_name], JOBS[job_name]
    os.environ.update(system.environment)
    module = import_module(f".{system.module}", __package__)
    start = time.perf_counter()
    imported = [import_module(name) for name in module.IMPORTS]
    import_seconds = time.perf_counter() - start

    run = Run(job, *job.load(), epochs=1 + epochs, threads=threads)
    weights = module.train(run, *imported)
    return {
        "system": system_name,
        "job": job_name,
        "import_seconds": import_seconds,
        "first_epoch_seconds": run.seconds[0],
        "epoch_seconds": run.seconds[1:],
        "loss": mean_loss(weights, run.X[:5_000], run.Y[:5_000]),
        "versions": system.versions(),
    }


def main() -> None:
    parser = options.parser_of(__file__, __doc__)
    parser.add_argument("--system", required=True, choices=SYSTEMS, metavar="NAME")
    parser.add_argument("--job", required=True, metavar="NAME")
    options.add_count(parser, "--epochs", 3, "after the first")
    options.add_count(parser, "--threads", options.processors(), "of every library")
    parser.add_argument("--cache", help="folder for compiled code, in place of the usual ones")
    args = parser.parse_args()
    limit_threads(args.threads)
    from .jobs import JOBS  # imports numpy

    if args.job not in JOBS:
        parser.error(f"argument --job: there are {', '.join(JOBS)}")
    if args.cache:
        os.environ["NUMBA_CACHE_DIR"] = os.path.join(args.cache, "numba")
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.path.join(args.cache, "inductor")
    print(json.dumps(measure(args.system, args.job, args.epochs, args.threads)))


if __name__ == "__main__":
    main()
