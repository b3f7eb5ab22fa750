"""The warning of a fit whose result is probably not what was meant."""

import sys
import warnings

_PACKAGE = __name__.partition(".")[0] + "."


class FitWarning(UserWarning):
    """A fit has taken place, but its result is probably poor, or not what was meant."""


def outside() -> int:
    """The ``stacklevel`` with which a warning points to the caller of this package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    return level


def warn(message: str, category: type[Warning] = FitWarning) -> None:
    """Issue a warning that points to the caller of this package."""
    warnings.warn(message, category, stacklevel=outside())
