"""One of the fits that ``fit_many`` runs at the same time, known to all code in its thread."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple


class Line(NamedTuple):
    """A line of a program, in the form of ``warnings.warn_explicit``."""

    filename: str
    lineno: int
    module: str
    registry: dict[Any, Any]


@dataclass
class Group:
    """The fits of one call of ``fit_many``.

    Parameters
    ----------
    caller : Line
        The line of the call, as the stacks of the threads do not have it.
    locks : mapping
        Locks of the functions that several of the fits call, by their ``id``.
    is_interrupted : bool
        Whether the call has been interrupted.
    """

    caller: Line
    locks: Mapping[int, AbstractContextManager[Any]]
    is_interrupted: bool = False  # an Event would have a lock, which an interrupt may leave locked


class Member(NamedTuple):
    """One of several fits."""

    group: Group
    number: int  # index in the list of trainers


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
    """Raise a KeyboardInterrupt if the call of ``fit_many`` has been interrupted."""
    member = _current.get()
    if member is not None and member.group.is_interrupted:
        raise KeyboardInterrupt
