"""Items that another thread makes ahead."""

import sys
import threading
import time
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
