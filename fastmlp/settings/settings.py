"""Settings as users give them: each is one field, with its type, its default and its check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from functools import lru_cache
from reprlib import recursive_repr
from typing import Any

import numpy as np
import numpy.typing as npt

from ..callbacks import Callback, EarlyStopping
from ..checks import COUNT, FLAG, FRACTION, NOT_NEGATIVE, RATE, WHOLE, Check
from ..did_you_mean import NamedFields, hint, same_name, similar_name
from ..losses import Loss
from ..metrics import AnyMetric
from ..optimizers import Optimizer
from ..schedules import AnySchedule
from . import checks
from .checks import or_auto
from .combinations import check_together
from .fit_settings import Choices

AnyCallback = Callable[..., Any] | Callback

# Similarity by difflib: "epoch" and "batchsize" are above, "losses" is below.
_NEAR = 0.85


def _setting(default: Any, check: Check | dict[str, Check]) -> Any:
    metadata = check if isinstance(check, dict) else {"check": check}
    return field(default=default, metadata=metadata)


@dataclass(repr=False, eq=False)
class Settings(NamedFields):
    """Settings as given. Each is checked when it is set, all of them again by a fit."""

    hidden: int | Sequence[int] = _setting(128, checks.hidden_units)
    _: KW_ONLY
    activation: str | Sequence[str] = _setting("relu", checks.activation)
    initializer: str = _setting("glorot_uniform", checks.INITIALIZER)
    dropout: float | Sequence[float] = _setting(0.0, checks.dropout)
    loss: str | Loss = _setting("auto", checks.loss)
    class_weight: str | Mapping[Any, float] | None = _setting(None, checks.class_weight)
    label_smoothing: float = _setting(0.0, FRACTION)
    optimizer: str | Optimizer = _setting("adam", checks.OPTIMIZER)
    learning_rate: float | None = _setting(None, RATE)
    schedule: str | AnySchedule | None = _setting("auto", checks.schedule)
    l2: float = _setting(0.0, NOT_NEGATIVE)
    l1: float = _setting(0.0, NOT_NEGATIVE)
    clip_norm: float | None = _setting(None, RATE)
    epochs: int | str = _setting("auto", or_auto(COUNT))
    batch_size: int | str = _setting("auto", or_auto(COUNT))
    weight_averaging: float | str = _setting("auto", or_auto(FRACTION))
    shuffle: bool = _setting(True, FLAG)
    scaling: str | float | Sequence[float] | np.ndarray | None = _setting("auto", checks.scaling)
    missing: str = _setting("error", checks.MISSING)
    validation_fraction: float | str = _setting("auto", or_auto(FRACTION))
    validation_split: str = _setting("auto", checks.SPLIT)
    early_stopping: bool | str | EarlyStopping = _setting("auto", checks.early_stopping)
    refit: bool = _setting(False, FLAG)
    metrics: AnyMetric | Sequence[AnyMetric] = _setting("auto", checks.metrics)
    time_budget: float | None = _setting(None, RATE)
    dtype: npt.DTypeLike = _setting("float32", checks.DTYPE)
    threads: int | None = _setting(None, COUNT)
    seed: int | None = _setting(None, WHOLE)
    warm_start: bool = _setting(False, FLAG)
    verbose: int = _setting(0, checks.VERBOSE)
    callbacks: AnyCallback | Sequence[AnyCallback] = _setting((), checks.callbacks)

    def __post_init__(self) -> None:
        """Initialize attributes that are not settings, in subclasses."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in SETTINGS:
            check_setting(name, value)
        # Properties that have no value yet are known, too.
        elif not hasattr(type(self), name) and not hasattr(self, name) and (meant := _meant(name)):
            raise AttributeError(f"{type(self).__name__} has no setting {name!r}{hint(meant)}")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        if name in SETTINGS:
            raise AttributeError(f"the setting {name!r} cannot be deleted, only assigned")
        super().__delattr__(name)

    @recursive_repr("Trainer(...)")  # a callback may be a method of this trainer
    def __repr__(self) -> str:
        given = [f"hidden={self.hidden!r}"]
        for setting in fields(self)[1:]:
            value = getattr(self, setting.name)
            # By repr, as arrays compare item by item.
            if repr(value) != repr(setting.default):
                given.append(f"{setting.name}={value!r}")
        return f"{type(self).__name__}({', '.join(given)})"


# Errors name it, as for Trainer(epochs=3, foo=1).
Settings.__init__.__qualname__ = "Trainer.__init__"

_FIELDS = {setting.name: setting for setting in fields(Settings)}

SETTINGS = tuple(_FIELDS)

_IMMUTABLE = bool, int, float, str, type(None)


def check_setting(name: str, value: Any) -> Any:
    """Check one setting; return its value in the form that a fit uses.

    Raises
    ------
    TypeError, ValueError
        If the value is of a wrong type or out of range.
    """
    if type(value) in _IMMUTABLE:
        return _checked(name, value)
    return _FIELDS[name].metadata["check"](name, value)


# Checks of the same values are repeated in every fit: of all settings they take 60 us.
@lru_cache(maxsize=512, typed=True)
def _checked(name: str, value: Any) -> Any:
    setting = _FIELDS[name]
    if value is None and setting.default is None:
        return None
    return setting.metadata["check"](name, value)


def choices(settings: Settings) -> Choices:
    """Check all settings, alone and together; return their values in the form that a fit uses.

    Again, as a list may have changed since it was set.

    Raises
    ------
    TypeError, ValueError
        If one is invalid, or contradicts another.
    """
    checked = {name: check_setting(name, getattr(settings, name)) for name in SETTINGS}
    chosen = Choices(**checked)
    check_together(chosen)
    return chosen


def _meant(name: str) -> str | None:
    """The setting, or ``stop_training``, that an unknown attribute was probably meant to be."""
    if name.startswith("_"):
        return None
    names = [known for known in (*SETTINGS, "stop_training") if known != name]
    same = None if name.endswith("_") else same_name(name, names)
    return same or similar_name(name, names, _NEAR)
