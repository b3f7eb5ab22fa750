"""Calls in threads of their own: to their end, and without deadlocks."""

import _thread
import contextvars
import os
import signal
import threading
import time
from typing import Any

import pytest
from numba.core.compiler_lock import global_compiler_lock

from fastmlp.kernels.language.undisturbed import undisturbed
from tests.helpers.processes import run

pytestmark = pytest.mark.threading

needs_timers = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="this system has no signals of timers"
)
needs_forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def test_a_result_and_an_error_come_from_another_thread() -> None:
    assert undisturbed(threading.get_ident) != threading.get_ident()
    error = KeyboardInterrupt("of the call")

    def fail() -> None:
        raise error

    with pytest.raises(KeyboardInterrupt) as raised:
        undisturbed(fail)
    assert raised.value is error


def test_calls_come_one_after_another() -> None:
    under_way, most = 0, 0

    def call() -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        time.sleep(0.001)
        under_way -= 1

    threads = [threading.Thread(target=undisturbed, args=(call,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (under_way, most) == (0, 1)


def test_within_numbas_compiler_it_is_called_at_once() -> None:
    """A thread of its own would wait for the lock that this one has."""
    with global_compiler_lock:
        assert undisturbed(threading.get_ident) == threading.get_ident()


def test_within_another_call_it_is_called_at_once() -> None:
    assert (
        len(set(undisturbed(lambda: [threading.get_ident(), undisturbed(threading.get_ident)])))
        == 1
    )


def test_without_more_threads_it_is_called_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    context = contextvars.copy_context()

    def call() -> None:
        # Compiled code that raises, as of a thread that cannot be started.
        monkeypatch.setattr(_thread, "start_new_thread", context.run)
        assert undisturbed(threading.get_ident) == threading.get_ident()
        monkeypatch.undo()

    context.run(call)


def test_an_error_of_a_signal_handler_is_not_one_of_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def handler(*arguments: Any) -> None:
        raise RuntimeError("of the handler")

    monkeypatch.setattr(_thread, "start_new_thread", handler)
    with pytest.raises(RuntimeError, match="of the handler"):
        undisturbed(threading.get_ident)


SCRIPT = """
import os
import signal
import sys
import time
from fastmlp.kernels.language.undisturbed import undisturbed

calls = []

def call():
    time.sleep(1)
    calls.append(os.getpid())
    return os.getpid()

def at(moment, handler):
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, moment)

def stop(*_):
    raise TimeoutError

def ended(child):
    return os.waitpid(child, 0)[1] == 0
"""


@needs_timers
def test_an_exception_comes_at_once_and_the_call_ends_all_the_same() -> None:
    code = """
at(0.1, stop)
start = time.perf_counter()
try:
    undisturbed(call)
except TimeoutError:
    assert time.perf_counter() - start < 0.9 and not calls
assert undisturbed(lambda: len(calls)) == 1
"""
    run(SCRIPT + code)


@needs_timers
@needs_forks
def test_a_fork_of_a_signal_handler_and_both_go_on() -> None:
    """It waits for the call under way, of which the child has the result, too."""
    code = """
children = []
def fork(*_):
    children.append(os.fork())
at(0.1, fork)
result = undisturbed(call)
if not children[0]:
    os._exit(result != os.getppid())
assert result == os.getpid() and ended(children[0])
"""
    run(SCRIPT + code)


@needs_timers
@needs_forks
def test_a_fork_before_the_call_has_begun() -> None:
    """The child has no thread that will make it, and makes it anew."""
    code = """
import _thread
start, children = _thread.start_new_thread, []
def fork_and_start(*arguments):
    _thread.start_new_thread = start
    children.append(os.fork())
    if children[0]:
        start(*arguments)
    else:
        signal.alarm(20)
_thread.start_new_thread = fork_and_start
result = undisturbed(call)
if not children[0]:
    os._exit(result != os.getpid())
assert result == os.getpid() and ended(children[0])
"""
    run(SCRIPT + code)


@needs_timers
@needs_forks
def test_a_fork_waits_whatever_a_signal_handler_raises() -> None:
    """As the exception of a handler does not keep Python from forking."""
    code = """
at(0.05, stop)
try:
    undisturbed(call)
except TimeoutError:
    pass
assert not calls
at(0.1, stop)
child = os.fork()
assert calls
if not child:
    signal.alarm(20)
    os._exit(undisturbed(os.getpid) != os.getpid())
assert ended(child) and undisturbed(os.getpid) == os.getpid()
"""
    run(SCRIPT + code)


@needs_timers
def test_the_process_ends_after_the_call() -> None:
    """And what runs at its end may call."""
    first = "import atexit\natexit.register(lambda: print(undisturbed(lambda: len(calls))))\n"
    after = """
at(0.1, stop)
try:
    undisturbed(call)
except TimeoutError:
    print(len(calls))
"""
    assert run(first + SCRIPT + after).split() == ["0", "1"]
