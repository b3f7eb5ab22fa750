"""Calls that no signal handler disturbs, such as those of Numba's compiler.

Python runs signal handlers in its main thread, between any two instructions. Where the exception
of one (Ctrl-C, a time limit) comes between the taking of a lock and the block that releases it, as
llvmlite has them around each of its functions, the lock stays taken, and other threads wait for it
for ever. So such calls are made in threads of their own, and the caller waits.

A signal handler that needs a kernel while it interrupts somebody else's call of llvmlite, outside
of Numba's compiler, would still wait for ever.
"""

import _thread
import atexit
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

from .backend import is_compiling

T = TypeVar("T")

# Held by the thread that makes a call: one at a time, none while the process forks or has ended.
_calling: Any = threading.RLock()


def undisturbed(function: Callable[[], T]) -> T:
    """What ``function`` returns or raises, called in a thread of its own.

    The call is made to its end, whatever a signal handler raises while the caller waits for it.
    """
    # If this thread has one of the locks (in another call, in a signal handler, or since one
    # raised), the other would wait for it.
    if _calling._is_owned() or is_compiling():
        return function()
    outcome: list[tuple[T, None] | tuple[None, BaseException]] = []
    # A child that a signal handler forks in here has no such thread, and starts one of its own.
    while not outcome:
        process, done = os.getpid(), threading.Lock()
        done.acquire()
        try:
            # Not threading.Thread: that waits for the start with locks in Python, which an
            # exception leaves taken, so that the thread never begins.
            _thread.start_new_thread(_call, (function, outcome, done))
        except RuntimeError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
                raise  # not by the start, but by a signal handler, whose frame is the next one
            with _calling:
                return function()  # there may be no more threads
        while not done.acquire(timeout=1) and process == os.getpid():
            pass
    result, failure = outcome[0]
    if failure is not None:
        raise failure
    return cast(T, result)


def _call(function: Callable[[], Any], outcome: list[Any], done: threading.Lock) -> None:
    with _calling:
        try:
            outcome.append((function(), None))
        except BaseException as error:
            outcome.append((None, error))
        done.release()


def _before_fork() -> None:
    """Wait for the call under way: in the child its thread would be gone, and locks held for ever.

    Python forks even if a signal handler raises in here, and reports the exception.
    """
    if _calling._is_owned():
        _calling.acquire()
    raised = None
    while not _calling._is_owned():
        try:
            _calling.acquire()
        except BaseException as error:
            raised = error
    if raised is not None:
        raise raised


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_calling.release, after_in_child=_calling.release
    )


@atexit.register
def _at_exit() -> None:
    """Wait for the call under way, unless for a second Ctrl-C, and let no other one begin: Python
    ends without waiting for such threads."""
    with suppress(KeyboardInterrupt):
        _calling.acquire()
