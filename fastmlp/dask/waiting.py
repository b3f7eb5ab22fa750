"""Results of tasks, whatever happens to the workers meanwhile."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from distributed import CancelledError, Client, Future, wait
from distributed.scheduler import KilledWorker

# Seconds between two looks at the workers.
_TICK = 0.5
# Seconds in which a nanny starts a worker again, or a scheduler of jobs a new one.
PATIENCE = 60.0
# Seconds for the results of finished tasks; if they are lost meanwhile, Dask makes them again.
_TRANSFER = 120.0


def gathered(
    client: Client, futures: list[Future], tick: Callable[[], Any] = lambda: None
) -> list[Any]:
    """The results of tasks, which Dask repeats on other workers if theirs die.

    ``tick`` is called twice a second.

    Raises
    ------
    RuntimeError
        If no worker is left, or their data are lost and cannot be computed again.
    """
    seen = time.monotonic()
    while True:
        try:
            with client.as_current():  # it may not be the default one
                wait(futures, timeout=_TICK)
            gather = partial(client.gather, futures, asynchronous=True)
            results: list[Any] = client.sync(gather, callback_timeout=_TRANSFER)
            return results
        except TimeoutError:
            tick()
            if client.nthreads():
                seen = time.monotonic()
            elif time.monotonic() > seen + PATIENCE:
                raise RuntimeError(
                    f"no worker is left: the cluster has had none for {PATIENCE:g} seconds"
                ) from None
        except CancelledError as error:
            raise RuntimeError(
                "rows of the fit are lost, as a worker died, and cannot be computed again: build "
                "the collection from files or arrays instead of scattered data"
            ) from error
        except KilledWorker as error:
            raise RuntimeError(f"workers die in training: {error}") from error
