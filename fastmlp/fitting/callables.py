"""Callbacks of one fit, made from those given; what fits that run at the same time may share."""

import inspect
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from threading import RLock
from typing import Any

from ..callbacks import Callback, WritesFile
from ..member import current_member

Lock = AbstractContextManager[Any]


def of_one_fit(callbacks: Iterable[Any]) -> list[Callable[..., Any]]:
    """The callables of the fit of this thread."""
    member = current_member()
    locks = {} if member is None else member.group.locks
    return [
        callback.for_fit() if hasattr(callback, "for_fit")  # isinstance takes 17 us
        else _locked(callback, locks[id(callback)]) if id(callback) in locks
        else callback
        for callback in callbacks
    ]  # fmt: skip


def _locked(function: Callable[..., Any], lock: Lock) -> Callable[..., Any]:
    @wraps(function)
    def locked(*args: Any) -> None:
        with lock:
            function(*args)

    return locked


def shared_locks(callbacks: Sequence[Sequence[Any]]) -> dict[int, Lock]:
    """Return locks of the functions that several fits share, by their ``id``.

    Parameters
    ----------
    callbacks : sequence of sequence
        Callbacks of each fit.

    Raises
    ------
    ValueError
        If fits share another callable, which has no ``for_fit``, or write the same file.
    """
    _check_files(callbacks)
    locks: dict[int, Lock] = {}
    users: dict[int, int] = {}
    for number, of_fit in enumerate(callbacks):
        for callback in of_fit:
            # Methods share the state of their object.
            key = id(callback.__self__ if inspect.ismethod(callback) else callback)
            first = users.setdefault(key, number)
            if first == number or isinstance(callback, Callback):
                continue
            if not (inspect.isfunction(callback) or inspect.isbuiltin(callback)):
                raise ValueError(
                    f"callbacks of trainers[{first}] and trainers[{number}], fitted at the same "
                    "time, must not be one object, whose state they would mix up: give it a method "
                    "for_fit() that returns a callable for one fit, or use a function; got "
                    f"{callback!r}"
                )
            locks[key] = RLock()  # also where a callback itself fits
    return locks


def _check_files(callbacks: Sequence[Sequence[Any]]) -> None:
    users: dict[str, int] = {}
    for number, of_fit in enumerate(callbacks):
        for callback in of_fit:
            if isinstance(callback, WritesFile):
                file = os.path.realpath(callback.file(number))
                if (first := users.setdefault(file, number)) != number:
                    raise ValueError(
                        f"callbacks of trainers[{first}] and trainers[{number}] must not write the "
                        "same file: give a path with {member}, which becomes the index of the "
                        f"trainer; got {callback!r}"
                    )
