"""Calls that may be refused, and what a trainer must keep then."""

import inspect
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings

from fastmlp import Trainer
from fastmlp.settings import SETTINGS

# What a message may name: an argument of a method, a setting, or the method itself.
_METHODS = ("fit", "partial_fit", "fit_stream", "set_weights", "set_state", "evaluate")
_ARGUMENTS = {
    name for method in _METHODS for name in inspect.signature(getattr(Trainer, method)).parameters
}
_OTHERS = {"chunk", "monitor", "columns", "callbacks", "rows", "saved"}
_NAMES = {*SETTINGS, *_ARGUMENTS, *_METHODS, *_OTHERS}
_NAMED = re.compile(rf"\b({'|'.join(sorted(_NAMES))}|[Wb]\d+)\b")
_NOT_FINITE = re.compile("finite|diverged")


def trials(count: int, times: int) -> Any:
    """Settings of Hypothesis: the same trials each time, unless there are to be more of them."""
    return hypothesis_settings(
        max_examples=count * times, stateful_step_count=15, derandomize=times == 1, deadline=None,
        phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck),
    )  # fmt: skip


@contextmanager
def only_warnings_for_users() -> Iterator[None]:
    """Warnings of NumPy and Python are errors; those that tell of poor fits are expected."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)
        yield


def attempt(call: Callable[[], Any]) -> Any:
    """What a call returns, or the documented exception that it raises."""
    with only_warnings_for_users():
        try:
            return call()
        except (TypeError, ValueError) as error:
            return checked(error, _NAMED)
        except FloatingPointError as error:
            return checked(error, _NOT_FINITE)


def checked(error: Exception, wanted: re.Pattern[str]) -> Exception:
    """The exception, if its message says what it must."""
    if wanted.search(str(error)) is None:
        raise AssertionError(f"not {wanted.pattern}: {error!r}") from error
    return error


def flat(value: Any) -> Any:
    """A nested value in a form that can be compared: arrays as their bytes, functions as such."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        return (value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, dict):
        return {name: flat(part) for name, part in value.items() if name != "seconds"}
    if isinstance(value, list | tuple | np.ndarray):
        return [flat(part) for part in value]
    return repr(value) if isinstance(value, float) else value  # NaN equals itself


def snapshot(model: Trainer) -> Any:
    """All that a refused call must leave as it is."""
    given = {name: getattr(model, name) for name in SETTINGS if name != "threads"}
    return flat(model.get_state()), flat(given)
