"""The tasks of one fit, so that none of them is left on the cluster when it ends."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from weakref import WeakSet

from distributed import Client, Future, get_worker, worker_client


class Tasks:
    """A client that remembers what it was asked for."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._futures: WeakSet[Future] = WeakSet()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def submit(self, *arguments: Any, **options: Any) -> Future:
        """As that of the client."""
        future = self._client.submit(*arguments, **options)
        self._futures.add(future)
        return future

    def map(self, *arguments: Any, **options: Any) -> list[Future]:
        """As that of the client."""
        return self._kept(self._client.map(*arguments, **options))

    def compute(self, collections: Sequence[Any], **options: Any) -> list[Future]:
        """As that of the client."""
        return self._kept(self._client.compute(collections, **options))

    def _kept(self, futures: list[Future]) -> list[Future]:
        self._futures.update(futures)
        return futures

    def cancel_all(self) -> None:
        """Cancel the tasks whose results are referred to."""
        if self._client.status == "running":
            self._client.cancel(list(self._futures))


@contextmanager
def tasks_on(client: Client) -> Iterator[Tasks]:
    """The tasks of a fit, which an error or an interrupt cancels.

    The traceback, which a notebook keeps, refers to them: Dask would go on with them and keep
    their results. In a task of Dask, its worker uses the thread for other tasks meanwhile: these
    would wait for it.
    """
    tasks = Tasks(client)
    try:
        get_worker()
        elsewhere: AbstractContextManager[Any] = worker_client()
    except ValueError:
        elsewhere = nullcontext()
    with elsewhere:
        try:
            yield tasks
        except BaseException:
            tasks.cancel_all()
            raise
