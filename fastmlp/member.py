"""One of the fits that ``fit_many`` runs at the same time, known to all code in its thread."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
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
    Y: Any
    loss: Any  # what "auto" is for Y, decided on the targets of all fits; None if not decided


_current: ContextVar[Member | None] = ContextVar("member", default=None)


def current_member() -> Member | None:
    """The member fitted in this thread, if any."""
    return _current.get()


def set_member(member: Member) -> None:
    """Make ``member`` the one fitted in this thread, until the next one."""
    _current.set(member)


def decided_loss(Y: Any) -> Any:
    """The loss decided for the object ``Y``, if any. Callbacks may fit other targets meanwhile."""
    member = current_member()
    return member.loss if member is not None and member.Y is Y else None


def check_interrupt() -> None:
    """Raise a KeyboardInterrupt if the call of ``fit_many`` has been interrupted."""
    member = current_member()
    if member is not None and member.group.is_interrupted:
        raise KeyboardInterrupt
