"""Checks of single values that users give, and dataclasses that check their fields."""

import math
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from numbers import Integral, Real
from typing import Any

import numpy as np

from .did_you_mean import NamedFields, did_you_mean

Check = Callable[[str, Any], Any]


def rule(store: Any, wanted: str, types: Any, valid: Callable[[Any], bool]) -> dict[str, Check]:
    """Field metadata: a check that returns the value to store. A bool does not pass as a number."""

    def check(name: str, value: Any) -> Any:
        if not isinstance(value, types) or (isinstance(value, bool) and types in (Integral, Real)):
            raise TypeError(f"{name} must be {wanted}; got {value!r}")
        with suppress(OverflowError):  # float(10**400)
            if valid(value):
                return store(value)
        raise ValueError(f"{name} must be {wanted}; got {value!r}")

    return {"check": check}


def one_of(names: tuple[str, ...]) -> dict[str, Check]:
    """Field metadata: a string among ``names``."""
    wanted = "one of " + ", ".join(map(repr, names))

    def check(name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError(f"{name} must be {wanted}; got {value!r}")
        if value not in names:
            raise ValueError(f"{name} must be {wanted}; got {value!r}{did_you_mean(value, names)}")
        return str(value)

    return {"check": check}


def optional(metadata: dict[str, Check]) -> dict[str, Check]:
    """Field metadata: the given check, which also accepts None."""
    return {"check": lambda name, value: None if value is None else metadata["check"](name, value)}


def named(table: Mapping[str, type], base: Any, module: str) -> dict[str, Check]:
    """Field metadata: an object of ``base``, or a name in ``table`` for one with its defaults."""

    def check(name: str, value: Any) -> Any:
        if isinstance(value, base):
            return value
        if isinstance(value, str) and value in table:
            return table[value]()
        names = ", ".join(map(repr, table))
        wanted = f"one of {names}, or an object of fastmlp.{module}"
        error = ValueError if isinstance(value, str) else TypeError
        raise error(f"{name} must be {wanted}; got {value!r}{did_you_mean(value, table)}")

    return {"check": check}


def _is_path(value: Any) -> bool:
    path = os.fspath(value)
    return isinstance(path, str) and path != "" and "\0" not in path


COUNT = rule(int, "an integer >= 1", Integral, lambda value: value >= 1)
WHOLE = rule(int, "an integer >= 0", Integral, lambda value: value >= 0)
RATE = rule(float, "a finite number > 0", Real, lambda value: 0 < value < math.inf)
NOT_NEGATIVE = rule(float, "a finite number >= 0", Real, lambda value: 0 <= value < math.inf)
FRACTION = rule(float, "a number >= 0 and < 1", Real, lambda value: 0 <= value < 1)
RATIO = rule(float, "a number >= 0 and <= 1", Real, lambda value: 0 <= value <= 1)
POSITIVE_RATIO = rule(float, "a number > 0 and <= 1", Real, lambda value: 0 < value <= 1)
MONITOR = rule(str, "'auto' or the name of a recorded value", str, bool)
PATH = rule(os.fspath, "the path of a file", (str, os.PathLike), _is_path)
FLAG = rule(bool, "True or False", (bool, np.bool_), lambda value: True)


class Checked(NamedFields):
    """Base of frozen dataclasses that check each field by its metadata and store the result.

    Declare a field as ``rate: float = field(default=0.1, metadata=RATE)``. Check several fields
    together in a ``__post_init__`` that first calls this one.
    """

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]  # subclasses are dataclasses
            if "check" in item.metadata:
                name = f"{item.name} of {type(self).__name__}"
                value = item.metadata["check"](name, getattr(self, item.name))
                object.__setattr__(self, item.name, value)
