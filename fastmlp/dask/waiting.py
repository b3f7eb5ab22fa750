"""Results of tasks, with clear errors for what may happen to a cluster."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

# Its TimeoutError is not Python's own before 3.11.
from distributed import CancelledError, Future, TimeoutError, wait
from distributed.scheduler import KilledWorker

from .tasks import Tasks

# Seconds between two looks at the workers.
_TICK = 0.5
# Seconds without a running task until a fit fails: a nanny starts a worker again in a few.
PATIENCE = 60.0
# Seconds for the results of finished tasks; if they are lost meanwhile, Dask makes them again.
_TRANSFER = 120.0


@contextmanager
def clear_errors(client: Tasks) -> Iterator[None]:
    """Raise a RuntimeError for what happens to the cluster; errors of training pass through."""
    try:
        yield
    except Exception as error:
        if client.status != "running":
            raise RuntimeError("the client was closed, or its scheduler is gone") from error
        if isinstance(error, CancelledError):
            raise RuntimeError(
                "rows are lost with a worker that died, and Dask cannot compute them again: make "
                "the collection from files or arrays instead of scattered data"
            ) from error
        if isinstance(error, KilledWorker):
            raise RuntimeError(
                f"workers die while they train, as for want of memory: {error}"
            ) from error
        raise


def gathered(
    client: Tasks, futures: list[Future], tick: Callable[[], Any] = lambda: None
) -> list[Any]:
    """The results of tasks, which Dask repeats on other workers if theirs die.

    ``tick`` is called twice a second.

    Raises
    ------
    RuntimeError
        If no worker is left that may run them, or as :func:`clear_errors`.
    """
    seen = time.monotonic()
    with clear_errors(client):
        while True:
            try:
                with client.as_current():  # it may not be the default one
                    wait(futures, timeout=_TICK)
                gather = partial(client.gather, futures, asynchronous=True)
                results: list[Any] = client.sync(gather, callback_timeout=_TRANSFER)
                return results
            except TimeoutError:
                tick()
            if client.nthreads():  # those of others may be at work
                client.run_on_scheduler(_let_others_run)
            if any(client.processing().values()):
                seen = time.monotonic()
            elif time.monotonic() > seen + PATIENCE:
                there = "the workers of the rows are gone" if client.nthreads() else "there is none"
                raise RuntimeError(f"no worker has run a task for {PATIENCE:g} seconds: {there}")


def _let_others_run(dask_scheduler: Any) -> None:
    """Run tasks that prefer workers that are gone on others.

    Dask does so itself, unless all its workers were gone at the same time: of the tasks that had
    none, a worker that joins only gets the ones that prefer it.
    """
    stuck = [task for task in dask_scheduler.unrunnable if task.loose_restrictions]
    for task in stuck:
        task.worker_restrictions = None
    dask_scheduler.transitions({task.key: "processing" for task in stuck}, "let-others-run")
