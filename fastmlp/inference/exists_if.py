"""Methods that exist only in some states of an object, as ``hasattr`` and scikit-learn see it."""

from collections.abc import Callable
from functools import update_wrapper
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

S = TypeVar("S")
P = ParamSpec("P")
R = TypeVar("R")


class ExistsIf(Generic[S, P, R]):
    """A method of an object for which ``check`` raises no AttributeError."""

    def __init__(self, check: Callable[[S], None], method: Callable[Concatenate[S, P], R]) -> None:
        self._check, self._method = check, method
        update_wrapper(self, method)  # type: ignore[arg-type]  # its name and docstring

    def __get__(self, instance: S | None, owner: Any = None) -> Callable[P, R]:
        if instance is None:
            return self._method  # type: ignore[return-value]  # as a function of a class is
        self._check(instance)
        return MethodType(self._method, instance)


def exists_if(
    check: Callable[[S], None],
) -> Callable[[Callable[Concatenate[S, P], R]], ExistsIf[S, P, R]]:
    """Mark a method that exists only where ``check`` raises no AttributeError."""
    return lambda method: ExistsIf(check, method)
