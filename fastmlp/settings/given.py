"""Settings of a Trainer: each checked alone when it is set, all together at a fit."""

import copy
import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from ..callbacks import Callback, EarlyStopping
from ..checked import COUNT, FLAG, FRACTION, NOT_NEGATIVE, RATE, WHOLE, Check, named, one_of, rule
from ..kernels.plugins.activations import ACTIVATIONS
from ..losses import LOSSES, Loss
from ..metrics import METRICS
from ..optimizers import OPTIMIZERS, Optimizer
from ..schedules import SCHEDULES, Constant, InverseScaling, ReduceOnPlateau, Schedule

INITIALIZERS = (
    "auto", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_normal",
    "orthogonal", "normal",
)  # fmt: skip
MISSING = ("error", "impute")
SCALINGS = ("auto", "standard", "robust", "piecewise", "quantile", "max_abs")
SPLITS = ("auto", "last", "shuffled", "stratified")
# Of difflib: "epoch" and "batchsize" are near, "losses" is not.
_NEAR = 0.85

_ACTIVATION = one_of(tuple(ACTIVATIONS))["check"]
_OPTIMIZER = named(OPTIMIZERS, Optimizer, "optimizers")
_FACTOR = rule(float, "a finite number", Real, math.isfinite)
_VERBOSE = rule(int, "0, 1 or 2", (Integral, np.bool_), lambda value: 0 <= value <= 2)
_DTYPES = ("float32", "float64", np.float32, np.float64)
_DTYPE = rule(np.dtype, "'float32' or 'float64'", (str, type, np.dtype), _DTYPES.__contains__)


def _one_or_each(name: str, value: Any, check: Check) -> Any:
    """A checked value, or a tuple of one for each item of a sequence."""
    value = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return check(name, value)
    return tuple(check(f"{name}[{i}]", item) for i, item in enumerate(value))


def _units(name: str, value: Any) -> tuple[int, ...]:
    units = _one_or_each(name, value, COUNT["check"])
    return units if isinstance(units, tuple) else (units,)


def _activation(name: str, value: Any) -> str | tuple[str, ...]:
    return _one_or_each(name, value, _ACTIVATION)  # type: ignore[no-any-return]


def _dropout(name: str, value: Any) -> float | tuple[float, ...]:
    return _one_or_each(name, value, FRACTION["check"])  # type: ignore[no-any-return]


def _loss(name: str, value: Any) -> Loss | None:
    """None for "auto"."""
    if isinstance(value, str) and value == "auto":
        return None
    known = {"auto": Loss} | LOSSES
    return named(known, Loss, "losses")["check"](name, value)  # type: ignore[no-any-return]


def _schedule(name: str, value: Any) -> Any:
    if value is None or (callable(value) and not isinstance(value, type)):
        return value
    if isinstance(value, str) and value == "auto":
        return value
    return named(SCHEDULES, (Schedule, ReduceOnPlateau), "schedules")["check"](name, value)


def _scaling(name: str, value: Any) -> str | float | tuple[float, ...] | None:
    if value is None:
        return None
    wanted = f"None, one of {', '.join(map(repr, SCALINGS))}, a factor > 0, or one for each feature"
    if isinstance(value, str):
        if value in SCALINGS:
            return value
        raise ValueError(f"{name} must be {wanted}; got {value!r}")
    if isinstance(value, Real) and not isinstance(value, bool):
        return RATE["check"](name, value)  # type: ignore[no-any-return]
    factors = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(factors, list | tuple) or not factors:
        raise TypeError(f"{name} must be {wanted}; got {value!r}")
    return tuple(_FACTOR["check"](f"{name}[{i}]", factor) for i, factor in enumerate(factors))


def _class_weight(name: str, value: Any) -> Any:
    if value is None or (isinstance(value, str) and value == "balanced"):
        return value
    if not isinstance(value, Mapping):
        wanted = "None, 'balanced', or a mapping from classes to weights"
        error = ValueError if isinstance(value, str) else TypeError
        raise error(f"{name} must be {wanted}; got {value!r}")
    return {
        label: NOT_NEGATIVE["check"](f"{name}[{label!r}]", weight)
        for label, weight in value.items()
    }


def as_callables(value: Any) -> tuple[Any, ...]:
    """One callable, or those of a sequence."""
    # An iterator would be empty after a first look at it.
    return tuple(value) if isinstance(value, Sequence) else (value,)


def _callables(name: str, value: Any) -> tuple[Any, ...]:
    callbacks = as_callables(value)
    if not all(callable(item) or isinstance(item, Callback) for item in callbacks):
        wanted = "callable(trainer, epoch, logs), or an object of fastmlp.callbacks"
        raise TypeError(f"{name} must be {wanted}; got {value!r}")
    return callbacks


def _or_auto(metadata: dict[str, Check]) -> dict[str, Check]:
    """The same, or "auto"."""

    def check(name: str, value: Any) -> Any:
        if isinstance(value, str) and value == "auto":
            return value
        try:
            return metadata["check"](name, value)
        except (TypeError, ValueError) as error:
            message = str(error).replace(f"{name} must be ", f"{name} must be 'auto' or ", 1)
            raise type(error)(message) from None

    return {"check": check}


def _early_stopping(name: str, value: Any) -> EarlyStopping | str | None:
    if isinstance(value, EarlyStopping) or (isinstance(value, str) and value == "auto"):
        return value
    if isinstance(value, bool | np.bool_):
        return EarlyStopping() if value else None
    raise TypeError(f"{name} must be 'auto', True, False, or an EarlyStopping; got {value!r}")


def _metrics(name: str, value: Any) -> tuple[Any, ...] | None:
    """None for "auto"."""
    if isinstance(value, str) and value == "auto":
        return None
    items = (value,) if isinstance(value, str) or callable(value) else as_callables(value)
    for item in items:
        if not callable(item) and item not in METRICS:
            names = ", ".join(map(repr, METRICS))
            wanted = f"'auto', names among {names}, or functions (y_true, y_pred)"
            error = ValueError if isinstance(item, str) else TypeError
            raise error(f"{name} must be {wanted}; got {value!r}")
    return items


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Checked settings of a Trainer; the annotations are the types as stored.

    On the way in, `hidden` may also be an int or any sequence of ints, `dtype` a name or scalar
    type, `callbacks` one callable or a sequence; names stand for losses, optimizers and schedules.
    An argument of a wrong type, out of range or contradicting another one is an error. What is
    "auto" becomes something in ``settings.defaults``.
    """

    hidden: tuple[int, ...] = field(default=(128,), metadata={"check": _units})
    activation: str | tuple[str, ...] = field(default="relu", metadata={"check": _activation})
    initializer: str = field(default="glorot_uniform", metadata=one_of(INITIALIZERS))
    dropout: float | tuple[float, ...] = field(default=0.0, metadata={"check": _dropout})
    loss: Loss | None = field(default="auto", metadata={"check": _loss})  # type: ignore[assignment]
    class_weight: Any = field(default=None, metadata={"check": _class_weight})
    label_smoothing: float = field(default=0.0, metadata=FRACTION)
    optimizer: Optimizer = field(default="adam", metadata=_OPTIMIZER)  # type: ignore[assignment]
    learning_rate: float | None = field(default=None, metadata=RATE)
    schedule: Any = field(default="auto", metadata={"check": _schedule})
    l2: float = field(default=0.0, metadata=NOT_NEGATIVE)
    l1: float = field(default=0.0, metadata=NOT_NEGATIVE)
    clip_norm: float | None = field(default=None, metadata=RATE)
    epochs: Any = field(default="auto", metadata=_or_auto(COUNT))
    batch_size: Any = field(default="auto", metadata=_or_auto(COUNT))
    weight_averaging: Any = field(default="auto", metadata=_or_auto(FRACTION))
    shuffle: bool = field(default=True, metadata=FLAG)
    scaling: Any = field(default="auto", metadata={"check": _scaling})
    missing: str = field(default="error", metadata=one_of(MISSING))
    validation_fraction: Any = field(default="auto", metadata=_or_auto(FRACTION))
    validation_split: str = field(default="auto", metadata=one_of(SPLITS))
    early_stopping: Any = field(default="auto", metadata={"check": _early_stopping})
    refit: bool = field(default=False, metadata=FLAG)
    metrics: tuple[Any, ...] | None = field(  # type: ignore[assignment]
        default="auto", metadata={"check": _metrics}
    )
    time_budget: float | None = field(default=None, metadata=RATE)
    dtype: np.dtype[Any] = field(default=np.dtype("float32"), metadata=_DTYPE)
    threads: int | None = field(default=None, metadata=COUNT)
    seed: int | None = field(default=None, metadata=WHOLE)
    warm_start: bool = field(default=False, metadata=FLAG)
    verbose: int = field(default=0, metadata=_VERBOSE)
    callbacks: tuple[Any, ...] = field(default=(), metadata={"check": _callables})

    if TYPE_CHECKING:  # more types come in than are stored

        def __init__(self, **arguments: Any) -> None: ...

    def __post_init__(self) -> None:
        for setting in fields(self):
            value = getattr(self, setting.name)
            if value is not None or setting.default is not None:
                value = setting.metadata["check"](setting.name, value)
            object.__setattr__(self, setting.name, value)
        self._check_layers()
        if self.refit:
            self._check_refit()
        own = self.optimizer.learning_rate
        got = f"got learning_rate={self.learning_rate!r}"
        if own is not None and self.learning_rate is not None:
            raise ValueError(
                f"learning_rate has no effect beside optimizer={self.optimizer!r}; {got}"
            )
        if self.rates_are_scheduled and (own or self.learning_rate) is not None:
            raise ValueError(
                f"learning_rate has no effect beside a function as schedule, which gives it; {got}"
            )

    def _check_layers(self) -> None:
        """What is said layer by layer, or of hidden layers where there are none."""
        count = len(self.hidden)
        got = f"got activation={self.activation!r} and hidden={self.hidden}"
        if isinstance(self.activation, tuple) and len(self.activation) != count:
            raise ValueError(f"activation must be one name, or one for each hidden layer; {got}")
        if count == 0 and self.activation not in ("relu", ()):
            raise ValueError(f"activation has no effect without hidden layers; {got}")
        got = f"got dropout={self.dropout!r} and hidden={self.hidden}"
        if isinstance(self.dropout, tuple) and len(self.dropout) != count + 1:
            wanted = "one number for all hidden layers, or one for the input and each of them"
            raise ValueError(f"dropout must be {wanted}; {got}")
        if count == 0 and isinstance(self.dropout, float) and self.dropout > 0:
            wanted = "(share,) drops features"
            raise ValueError(f"dropout has no effect without hidden layers, {wanted}; {got}")

    def _check_refit(self) -> None:
        """Whether there may be rows to train on once more, from the beginning."""
        stopping, fraction = self.early_stopping, self.validation_fraction
        if stopping is None or (stopping == "auto" and self.epochs != "auto"):
            got = f"early_stopping={stopping!r} and epochs={self.epochs!r}"
            raise ValueError(f"refit has no effect without early stopping; got {got}")
        watches_loss = isinstance(stopping, EarlyStopping) and not stopping.is_validated
        if fraction == 0 or (fraction == "auto" and watches_loss):
            got = f"validation_fraction={fraction!r} and early_stopping={stopping!r}"
            raise ValueError(f"refit has no effect without rows kept for validation; got {got}")
        for name in ("warm_start", "time_budget"):
            if value := getattr(self, name):
                raise ValueError(f"refit trains afresh, without {name}; got {name}={value!r}")

    def changed(self, **values: Any) -> "Settings":
        """The same with other values, as they are stored."""
        new = copy.copy(self)
        vars(new).update(values)
        return new

    def activations(self, count: int) -> tuple[str, ...]:
        """That of each of ``count`` hidden layers."""
        return self.activation if isinstance(self.activation, tuple) else (self.activation,) * count

    def dropouts(self, count: int) -> tuple[float, ...]:
        """Share that is dropped of the input and of ``count`` hidden layers; () if nothing is."""
        shares = self.dropout
        if isinstance(shares, float):
            shares = (0.0, *[shares] * count)
        return shares if any(shares) else ()

    @property
    def rates_are_scheduled(self) -> bool:
        """Whether the schedule gives learning rates, not factors."""
        return callable(self.schedule)

    def resolved_rate(self, learning_rate: float | None) -> float:
        """A learning rate, or the optimizer's for None."""
        if learning_rate is None:
            learning_rate = self.optimizer.learning_rate
        return float(self.optimizer.default_rate if learning_rate is None else learning_rate)


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


def check_open_ended(settings: Settings, method: str) -> None:
    """A ValueError if a setting has no effect where rows come one after the other."""
    schedule = settings.schedule
    known = isinstance(schedule, Constant | InverseScaling | ReduceOnPlateau)
    if schedule not in (None, "auto") and not (known or settings.rates_are_scheduled):
        raise ValueError(
            f"schedule must not go by the number of updates in {method}; got {schedule}"
        )
    if settings.validation_fraction not in ("auto", 0):
        got = f"got {settings.validation_fraction}"
        raise ValueError(f"validation_fraction has no effect in {method}; {got}")
    if method == "partial_fit":
        for name in ("early_stopping", "time_budget"):
            if (value := getattr(settings, name)) not in (None, "auto"):
                raise ValueError(f"{name} has no effect in {method}; got {value}")
