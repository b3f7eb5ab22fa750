"""Checks of single settings: each returns the value in the form that a fit uses."""

import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from ..callbacks import Callback, EarlyStopping
from ..checks import FRACTION, NOT_NEGATIVE, RATE, Check, named, one_of, rule
from ..did_you_mean import did_you_mean
from ..kernels.plugins.activations import ACTIVATIONS
from ..losses import LOSSES, Loss
from ..metrics import METRICS, check_names
from ..optimizers import OPTIMIZERS, Optimizer
from ..schedules import SCHEDULES, ReduceOnPlateau, Schedule

INITIALIZERS = (
    "auto", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_normal",
    "orthogonal", "normal",
)  # fmt: skip
LEARNED_SCALINGS = ("standard", "robust", "piecewise", "quantile", "max_abs")

_ACTIVATION = one_of(tuple(ACTIVATIONS))["check"]
# What numpy can count, times what it can index.
_UNITS = rule(int, "an integer >= 1 and < 2**31", Integral, lambda value: 1 <= value < 2**31)
_FACTOR = rule(float, "a finite number", Real, math.isfinite)
_DTYPES = ("float32", "float64", np.float32, np.float64)

INITIALIZER = one_of(INITIALIZERS)
OPTIMIZER = named(OPTIMIZERS, Optimizer, "optimizers")
MISSING = one_of(("error", "impute"))
SPLIT = one_of(("auto", "last", "shuffled", "stratified"))
DTYPE = rule(np.dtype, "'float32' or 'float64'", (str, type, np.dtype), _DTYPES.__contains__)
VERBOSE = rule(int, "0, 1 or 2", (Integral, np.bool_), lambda value: 0 <= value <= 2)


def keeps_zeros(scaling: Any) -> bool:
    """Whether a setting ``scaling`` is for sparse rows, too, as it subtracts nothing."""
    return not isinstance(scaling, str) or scaling in ("auto", "max_abs")


def is_auto(value: Any) -> bool:
    """Whether a value is "auto"; a plain == would compare arrays item by item."""
    return isinstance(value, str) and value == "auto"


def or_auto(metadata: dict[str, Check]) -> dict[str, Check]:
    """Field metadata: the given check, which also accepts "auto"."""

    def check(name: str, value: Any) -> Any:
        if is_auto(value):
            return value
        try:
            return metadata["check"](name, value)
        except (TypeError, ValueError) as error:
            message = str(error).replace(f"{name} must be ", f"{name} must be 'auto' or ", 1)
            raise type(error)(message) from None

    return {"check": check}


def _one_or_each(name: str, value: Any, check: Check) -> Any:
    """Check a value, or each item of a sequence, which becomes a tuple."""
    value = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return check(name, value)
    return tuple(check(f"{name}[{i}]", item) for i, item in enumerate(value))


def hidden_units(name: str, value: Any) -> tuple[int, ...]:
    """Number of units of each hidden layer, as a tuple."""
    units = _one_or_each(name, value, _UNITS["check"])
    return units if isinstance(units, tuple) else (units,)


def activation(name: str, value: Any) -> str | tuple[str, ...]:
    """Name of an activation, or one for each hidden layer."""
    return _one_or_each(name, value, _ACTIVATION)  # type: ignore[no-any-return]


def dropout(name: str, value: Any) -> float | tuple[float, ...]:
    """A fraction, or one for the input and for each hidden layer."""
    return _one_or_each(name, value, FRACTION["check"])  # type: ignore[no-any-return]


def loss(name: str, value: Any) -> Loss | None:
    """A loss; None for "auto"."""
    if is_auto(value):
        return None
    known = {"auto": Loss} | LOSSES
    return named(known, Loss, "losses")["check"](name, value)  # type: ignore[no-any-return]


def schedule(name: str, value: Any) -> Any:
    """A schedule, a function of the number of the update, "auto", or None for a constant rate."""
    if value is None or is_auto(value) or (callable(value) and not isinstance(value, type)):
        return value
    return named(SCHEDULES, (Schedule, ReduceOnPlateau), "schedules")["check"](name, value)


def scaling(name: str, value: Any) -> str | float | tuple[float, ...] | None:
    """A kind of scaling, a factor, or one for each feature; None for none."""
    if value is None:
        return None
    kinds = ("auto", *LEARNED_SCALINGS)
    wanted = f"None, one of {', '.join(map(repr, kinds))}, a factor > 0, or one for each feature"
    if isinstance(value, str):
        if value in kinds:
            return value
        raise ValueError(f"{name} must be {wanted}; got {value!r}{did_you_mean(value, kinds)}")
    if isinstance(value, Real) and not isinstance(value, bool):
        return RATE["check"](name, value)  # type: ignore[no-any-return]
    factors = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(factors, list | tuple) or not factors:
        raise TypeError(f"{name} must be {wanted}; got {value!r}")
    return tuple(_FACTOR["check"](f"{name}[{i}]", factor) for i, factor in enumerate(factors))


def class_weight(name: str, value: Any) -> Any:
    """None, "balanced", or a dict from classes to weights."""
    if value is None or (isinstance(value, str) and value == "balanced"):
        return value
    if not isinstance(value, Mapping):
        wanted = "None, 'balanced', or a mapping from classes to weights"
        error = ValueError if isinstance(value, str) else TypeError
        raise error(f"{name} must be {wanted}; got {value!r}{did_you_mean(value, ['balanced'])}")
    return {
        label: NOT_NEGATIVE["check"](f"{name}[{label!r}]", weight)
        for label, weight in value.items()
    }


def early_stopping(name: str, value: Any) -> EarlyStopping | str | None:
    """Early stopping, "auto", or None for none."""
    if isinstance(value, EarlyStopping) or is_auto(value):
        return value  # type: ignore[no-any-return]
    if isinstance(value, bool | np.bool_):
        return EarlyStopping() if value else None
    raise TypeError(f"{name} must be 'auto', True, False, or an EarlyStopping; got {value!r}")


def metrics(name: str, value: Any) -> tuple[Any, ...] | None:
    """Names of metrics and functions; None for "auto"."""
    if is_auto(value):
        return None
    items = (value,) if isinstance(value, str) or callable(value) else as_tuple(value)
    for item in items:
        if not callable(item) and not (isinstance(item, str) and item in METRICS):
            names = ", ".join(map(repr, METRICS))
            wanted = f"'auto', names among {names}, or functions (y_true, y_pred)"
            error = ValueError if isinstance(item, str) else TypeError
            raise error(f"{name} must be {wanted}; got {value!r}{did_you_mean(item, METRICS)}")
    check_names(name, items)
    return items


def callbacks(name: str, value: Any) -> tuple[Any, ...]:
    """Functions and objects of ``fastmlp.callbacks``."""
    items = as_tuple(value)
    # A class has its methods too, but makes objects only when it is called.
    are_usable = (callable(item) or isinstance(item, Callback) for item in items)
    if not all(are_usable) or any(isinstance(item, type) for item in items):
        wanted = "callable(trainer, epoch, logs), or an object with for_fit()"
        if any(isinstance(item, EarlyStopping) for item in items):
            wanted += "; early stopping is the setting early_stopping"
        raise TypeError(f"{name} must be {wanted}; got {value!r}")
    return items


def as_tuple(value: Any) -> tuple[Any, ...]:
    """The items of a sequence, or the value itself, also an iterator, readable only once."""
    return tuple(value) if isinstance(value, Sequence) else (value,)
