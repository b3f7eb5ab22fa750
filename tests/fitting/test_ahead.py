"""Items that another thread makes ahead."""

import gc
import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from fastmlp.fitting.ahead import Ahead
from tests.helpers.basics import needs_compiler

pytestmark = needs_compiler


class InterruptError(Exception):
    """What a signal handler raises."""


@pytest.mark.parametrize("start", [1, 2, 3])
def test_an_interrupt_while_a_thread_starts(start: int) -> None:
    """It is raised as it is, and ends the work of that thread, too."""
    left = start

    def interrupt(frame: Any, event: str, function: Any) -> None:
        nonlocal left
        if event == "c_return" and function.__name__ in (
            "start_new_thread",
            "start_joinable_thread",
        ):
            left -= 1
            if left == 0:
                time.sleep(0.01)  # the thread is running
                raise InterruptError

    ahead = Ahead(count())
    sys.setprofile(interrupt)
    with pytest.raises(InterruptError):
        list(iter(ahead.take, None))
    ahead.end()
    time.sleep(0.01)
    assert "fastmlp-reader" not in {thread.name for thread in threading.enumerate()}


def test_an_interrupt_during_the_end() -> None:
    """It is raised when the thread has ended, not lost."""
    finished: list[float] = []

    def items() -> Iterator[int]:
        yield 1
        time.sleep(0.1)
        finished.append(time.perf_counter())
        yield 2

    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    ahead = Ahead(items())
    assert ahead.take() == 1
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        with pytest.raises(KeyboardInterrupt):
            ahead.end()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert len(finished) == 1


def test_an_error_keeps_nothing() -> None:
    """Neither the iterator nor what it holds."""

    class Held:
        pass

    def items(held: Held) -> Iterator[int]:
        yield 1
        raise OSError(f"the disk is gone: {held}")

    held = Held()
    kept = weakref.ref(held)
    ahead = Ahead(items(held))
    del held
    gc.disable()
    try:
        assert ahead.take() == 1
        with pytest.raises(OSError, match="the disk is gone"):
            ahead.take()
        ahead.end()
        del ahead
        assert kept() is None
    finally:
        gc.enable()
