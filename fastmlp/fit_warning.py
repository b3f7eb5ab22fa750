"""The warning of a fit whose result is probably not what was meant."""

import reprlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .member import Line, current_member

# Modules between a line of the user and a warning: scikit-learn's wraps the fits of estimators.
_INSIDE = (__name__.partition(".")[0] + ".", "sklearn.base")
# Characters of a trainer's repr in a warning.
_LENGTH = 100

_trainer: ContextVar[Any] = ContextVar("trainer", default=None)


class FitWarning(UserWarning):
    """A fit has taken place, but its result is probably poor, or not what was meant.

    It names the trainer, and its index in ``fit_many`` or ``Ensemble`` as "member".
    """


@contextmanager
def naming(trainer: Any) -> Iterator[None]:
    """Name ``trainer`` in warnings issued within this context."""
    token = _trainer.set(trainer)
    try:
        yield
    finally:
        _trainer.reset(token)


def caller() -> Line:
    """The line that called this package; in a thread of ``fit_many``, that which called it."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(_INSIDE):
        frame = frame.f_back
    module, member = frame.f_globals.get("__name__", ""), current_member()
    if member is not None and module == "threading":
        return member.group.caller
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    return Line(frame.f_code.co_filename, frame.f_lineno, module, registry)


def warn(message: str, category: type[Warning] = FitWarning) -> None:
    """Issue a warning that points to the caller; a FitWarning names the trainer being fitted."""
    name = _name() if category is FitWarning else ""
    warnings.warn_explicit(name + message, category, *caller())


def _name() -> str:
    """The trainer being fitted, if any, in short, and its number in ``fit_many``."""
    trainer, member = _trainer.get(), current_member()
    if trainer is None:
        return ""
    short = reprlib.Repr()
    short.maxother = _LENGTH
    number = "" if member is None else f"member {member.number}, "
    return f"{number}{short.repr(trainer)}: "
