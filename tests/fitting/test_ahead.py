"""Items that another thread makes ahead."""

import gc
import weakref
from collections.abc import Iterator

import numpy as np

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
