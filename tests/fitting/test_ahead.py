"""Items that another thread makes ahead."""

import gc
import signal
import time
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from fastmlp.fitting.ahead import Ahead


def test_nothing_is_kept_after_the_end() -> None:
    """Python keeps a thread whose start was interrupted, and with it what the thread has."""
    kept = []

    def items() -> Iterator[np.ndarray]:
        for _ in range(3):
            array = np.zeros(1000)
            kept.append(weakref.ref(array))
            yield array

    ahead = Ahead(items())
    assert ahead.take() is not None
    ahead.end()
    gc.collect()
    assert [array() for array in kept] == [None] * len(kept)
    assert ahead.is_ending


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
