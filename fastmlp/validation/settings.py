"""Settings of a Trainer: each checked alone when it is set, all together at a fit."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checked import COUNT, FLAG, FRACTION, RATE, WHOLE, one_of, rule

ACTIVATIONS = ("relu",)
LOSSES = ("auto", "softmax_cross_entropy")
OPTIMIZERS = ("sgd", "adam")
INITIALIZERS = ("glorot_uniform", "he_normal", "normal")
# Of difflib: "epoch" and "batchsize" are near, "losses" is not.
_NEAR = 0.85
LEARNING_RATES = {"sgd": 0.1, "adam": 0.001}


_VERBOSE = rule(int, "0 or 1", (Integral, np.bool_), lambda value: 0 <= value <= 1)
_DTYPES = ("float32", "float64", np.float32, np.float64)
_DTYPE = rule(np.dtype, "'float32' or 'float64'", (str, type, np.dtype), _DTYPES.__contains__)


def _units(name: str, value: Any) -> tuple[int, ...]:
    value = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return (COUNT["check"](name, value),)
    return tuple(COUNT["check"](f"{name}[{i}]", units) for i, units in enumerate(value))


def as_callables(value: Any) -> tuple[Any, ...]:
    """One callable, or those of a sequence."""
    # An iterator would be empty after a first look at it.
    return tuple(value) if isinstance(value, Sequence) else (value,)


def _callables(name: str, value: Any) -> tuple[Callable[..., Any], ...]:
    callbacks = as_callables(value)
    if not all(map(callable, callbacks)):
        raise TypeError(f"{name} must be callable(trainer, epoch, logs); got {value!r}")
    return callbacks


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Checked settings of a Trainer; the annotations are the types as stored.

    On the way in, `hidden` may also be an int or any sequence of ints, `learning_rate` None (the
    optimizer's default), `dtype` a name or scalar type, `callbacks` one callable or a sequence.
    An argument of a wrong type, out of range or contradicting another one is an error.
    """

    hidden: tuple[int, ...] = field(default=(128,), metadata={"check": _units})
    activation: str = field(default="relu", metadata=one_of(ACTIVATIONS))
    loss: str = field(default="auto", metadata=one_of(LOSSES))
    optimizer: str = field(default="sgd", metadata=one_of(OPTIMIZERS))
    learning_rate: float = field(default=None, metadata=RATE)  # type: ignore[assignment]
    momentum: float = field(default=0.0, metadata=FRACTION)
    nesterov: bool = field(default=False, metadata=FLAG)
    batch_size: int = field(default=32, metadata=COUNT)
    epochs: int = field(default=15, metadata=COUNT)
    shuffle: bool = field(default=True, metadata=FLAG)
    validation_fraction: float = field(default=0.0, metadata=FRACTION)
    initializer: str = field(default="glorot_uniform", metadata=one_of(INITIALIZERS))
    input_scale: float = field(default=1.0, metadata=RATE)
    dtype: np.dtype[Any] = field(default=np.dtype("float32"), metadata=_DTYPE)
    threads: int | None = field(default=None, metadata=COUNT)
    seed: int | None = field(default=None, metadata=WHOLE)
    warm_start: bool = field(default=False, metadata=FLAG)
    verbose: int = field(default=0, metadata=_VERBOSE)
    callbacks: tuple[Callable[..., Any], ...] = field(default=(), metadata={"check": _callables})

    if TYPE_CHECKING:  # more types come in than are stored

        def __init__(self, **arguments: Any) -> None: ...

    def __post_init__(self) -> None:
        for setting in fields(self):
            value = getattr(self, setting.name)
            if value is not None or setting.default is not None:
                value = setting.metadata["check"](setting.name, value)
            elif setting.name == "learning_rate":
                value = self.resolved_rate(None)
            object.__setattr__(self, setting.name, value)
        got = f"got optimizer={self.optimizer!r}, momentum={self.momentum!r}"
        if self.nesterov and not (self.optimizer == "sgd" and self.momentum > 0):
            raise ValueError(f"nesterov needs optimizer='sgd' and momentum > 0; {got}")
        if self.momentum != 0 and self.optimizer != "sgd":
            raise ValueError(f"momentum must be 0 unless optimizer='sgd'; {got}")

    @property
    def update_rule(self) -> str:
        """The rule that the optimizer and its momentum amount to."""
        if self.optimizer == "sgd" and self.momentum != 0:
            return "nesterov" if self.nesterov else "momentum"
        return self.optimizer

    def resolved_rate(self, learning_rate: float | None) -> float:
        """A learning rate, or the optimizer's default for None."""
        if learning_rate is None:
            return LEARNING_RATES[self.optimizer]
        return float(learning_rate)


# By name.
_FIELDS = {setting.name: setting for setting in fields(Settings)}

SETTINGS = tuple(_FIELDS)


def check_setting(name: str, value: Any) -> Any:
    """Check a setting alone; returns it as ``Settings`` keep it.

    Raises
    ------
    TypeError, ValueError
        If the value is of a wrong type or out of range.
    """
    setting = _FIELDS[name]
    if value is None and setting.default is None:
        return None
    return setting.metadata["check"](name, value)


def near_miss(name: str) -> str | None:
    """The setting, or attribute to be set, that a name was probably meant for, if it is none."""
    if name.startswith("_"):
        return None
    names = [*SETTINGS, "stop_training"]
    matches = difflib.get_close_matches(name.lower(), names, n=1, cutoff=_NEAR)
    return matches[0] if matches and matches[0] != name else None
