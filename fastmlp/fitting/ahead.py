"""Work that another thread does ahead."""

import os
import threading
import time
from collections.abc import Iterator
from contextvars import copy_context
from typing import Generic, TypeVar

from ..kernels.language.undisturbed import undisturbed

T = TypeVar("T")


class Ahead(Generic[T]):
    """Makes each item of an iterator in a thread while the one before is used.

    No queue and no pool, whose locks a signal handler or a fork may leave locked: each item has a
    thread of its own.

    Parameters
    ----------
    items : iterator
    """

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._process = os.getpid()
        self._is_ending = self._is_running = False
        # Begun by the first `take`, when the caller knows what to end.
        self._thread: threading.Thread | None = None
        self._is_done = False

    def _begin(self) -> threading.Thread:
        self._item: T | None = None
        self._error: BaseException | None = None
        self._is_done = False
        # With the warnings of the fit, and its interrupt if it is one of several.
        run = copy_context().run
        thread = threading.Thread(target=run, args=(self._work,), name="fastmlp-reader")
        undisturbed(thread.start)  # of which an interrupt makes a KeyError
        self._thread = thread
        return thread

    def _work(self) -> None:
        self._is_running = True
        try:
            if not self._is_ending:
                self._item = next(self._items, None)
        except BaseException as error:
            self._error = error
        finally:
            self._is_done, self._is_running = True, False

    @property
    def is_lost(self) -> bool:
        """Whether the thread was at work in another process, of which this one is a fork."""
        return os.getpid() != self._process and not self._is_done

    def take(self) -> T | None:
        """Wait for the next item, and have the one after it made; None after the last one.

        Raises what the iterator raises.
        """
        thread = self._thread or self._begin()
        while not self._is_done and thread.is_alive():
            thread.join(0.1)
        if self._error is not None:
            raise self._error
        item = self._item
        if item is not None:
            self._process = os.getpid()
            self._begin()
        return item

    @property
    def is_ending(self) -> bool:
        """Whether the iterator should stop."""
        return self._is_ending

    def end(self) -> None:
        """End the thread, after the present step of the iterator.

        An exception of a signal handler does not hasten that, and is raised afterwards.
        """
        raised: BaseException | None = None
        while True:
            try:
                self._is_ending = True
                # Not join: Python 3.11 forgets a thread whose join was interrupted.
                while self._is_running and os.getpid() == self._process:
                    time.sleep(0.001)
                self._error = None  # which keeps the thread's frames, and they this object
                break
            except BaseException as error:
                raised = error
        if raised is not None:
            raise raised
