"""The tasks of one fit, so that none of them is left on the cluster when it ends."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any
from weakref import WeakSet

from distributed import Client, Future


class Tasks:
    """A client that remembers what it was asked for.

    An error or an interrupt in a ``with`` statement cancels it: the traceback, which a notebook
    keeps, refers to the tasks, so that Dask would go on with them and keep their results.
    """

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

    def __enter__(self) -> "Tasks":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:  # fmt: skip
        if error is not None and self._client.status == "running":
            self._client.cancel(list(self._futures))
