"""Attributes that are computed when they are first read."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class cached_property(Generic[T]):  # noqa: N801  # as that of functools
    """``functools.cached_property`` without its lock.

    Until Python 3.12 a lock is held during the computation, the same for all objects: threads would
    wait for each other, and a process forked meanwhile for ever.
    """

    def __init__(self, function: Callable[[Any], T]) -> None:
        self._function, self._name = function, function.__name__
        self.__doc__ = function.__doc__

    def __get__(self, instance: Any, owner: Any) -> T:
        """Compute the value, and store it as an attribute, which is found first."""
        value = vars(instance)[self._name] = self._function(instance)
        return value
