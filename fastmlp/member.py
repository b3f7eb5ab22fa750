"""One of the fits that ``fit_many`` runs at the same time, known to all code in its thread."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Event
from typing import Any, NamedTuple


class Line(NamedTuple):
    """A line of a program, in the form of ``warnings.warn_explicit``."""

    filename: str
    lineno: int
    module: str
    registry: dict[Any, Any]


@dataclass(frozen=True)
class Member:
    """One of several fits.

    Parameters
    ----------
    number : int
        Index in the list of trainers.
    caller : Line
        The line that called ``fit_many``, as the stack of the thread does not have it.
    interrupted : Event
        Set when the caller of ``fit_many`` is interrupted.
    locks : mapping
        Locks of the functions that several of the fits call, by their ``id``.
    """

    number: int
    caller: Line
    interrupted: Event
    locks: Mapping[int, AbstractContextManager[Any]]


_current: ContextVar[Member | None] = ContextVar("member", default=None)


def current_member() -> Member | None:
    """The member fitted in this thread, if any."""
    return _current.get()


@contextmanager
def fitting_as(member: Member) -> Iterator[None]:
    """Make ``member`` the current one of this thread in this context."""
    token = _current.set(member)
    try:
        yield
    finally:
        _current.reset(token)


def check_interrupt() -> None:
    """Raise a KeyboardInterrupt if the caller of ``fit_many`` was interrupted."""
    member = _current.get()
    if member is not None and member.interrupted.is_set():
        raise KeyboardInterrupt
