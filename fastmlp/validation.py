"""Arguments and arrays from outside -> a checked Config and C-contiguous arrays.

Every rejection lives here and in the modules that this one draws together; its message names the
argument, what is wanted and what was got.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .arrays import Array, as_array, finite
from .frames import Table, open_table
from .labels import encode_labels
from .names import check_names, feature_names

__all__ = [
    "Config",
    "check_features",
    "check_names",
    "check_pair",
    "check_weights",
    "encode_labels",
    "feature_names",
    "split_validation",
]

ACTIVATIONS = ("relu",)
LOSSES = ("auto", "softmax_cross_entropy")
OPTIMIZERS = ("sgd", "adam")
INITIALIZERS = ("glorot_uniform", "he_normal", "normal")
LEARNING_RATES = {"sgd": 0.1, "adam": 0.001}


def _rule(store: Any, wanted: str, types: Any, valid: Callable[[Any], bool]) -> dict[str, Any]:
    """Field metadata: a check that returns the value as stored. A bool is no number."""

    def check(name: str, value: Any) -> Any:
        if not isinstance(value, types) or (isinstance(value, bool) and types in (Integral, Real)):
            raise TypeError(f"{name} must be {wanted}; got {value!r}")
        with suppress(OverflowError):  # float(10**400)
            if valid(value):
                return store(value)
        raise ValueError(f"{name} must be {wanted}; got {value!r}")

    return {"check": check}


def _one_of(names: tuple[str, ...]) -> dict[str, Any]:
    return _rule(str, "one of " + ", ".join(map(repr, names)), str, names.__contains__)


_COUNT = _rule(int, "an integer >= 1", Integral, lambda value: value >= 1)
_SEED = _rule(int, "an integer >= 0", Integral, lambda value: value >= 0)
_RATE = _rule(float, "a finite number > 0", Real, lambda value: 0 < value < math.inf)
_FRACTION = _rule(float, "a number >= 0 and < 1", Real, lambda value: 0 <= value < 1)
_FLAG = _rule(bool, "True or False", (bool, np.bool_), lambda value: True)
_VERBOSE = _rule(int, "0 or 1", (Integral, np.bool_), lambda value: 0 <= value <= 1)
_DTYPES = ("float32", "float64", np.float32, np.float64)
_DTYPE = _rule(np.dtype, "'float32' or 'float64'", (str, type, np.dtype), _DTYPES.__contains__)


def _units(name: str, value: Any) -> tuple[int, ...]:
    value = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return (_COUNT["check"](name, value),)
    return tuple(_COUNT["check"](f"{name}[{i}]", units) for i, units in enumerate(value))


def _callables(name: str, value: Any) -> tuple[Callable[..., Any], ...]:
    callbacks = (value,) if callable(value) or not np.iterable(value) else tuple(value)
    if not all(map(callable, callbacks)):
        raise TypeError(f"{name} must be callable(trainer, epoch, logs); got {value!r}")
    return callbacks


@dataclass(frozen=True, kw_only=True)
class Config:
    """Checked settings of a Trainer; the annotations are the types as stored.

    On the way in, `hidden` may also be an int or any sequence of ints, `learning_rate` None (the
    optimizer's default), `dtype` a name or scalar type, `callbacks` one callable or any iterable.
    An argument of a wrong type, out of range or contradicting another one is an error.
    """

    hidden: tuple[int, ...] = field(default=(128,), metadata={"check": _units})
    activation: str = field(default="relu", metadata=_one_of(ACTIVATIONS))
    loss: str = field(default="auto", metadata=_one_of(LOSSES))
    optimizer: str = field(default="sgd", metadata=_one_of(OPTIMIZERS))
    learning_rate: float = field(default=None, metadata=_RATE)  # type: ignore[assignment]
    momentum: float = field(default=0.0, metadata=_FRACTION)
    nesterov: bool = field(default=False, metadata=_FLAG)
    batch_size: int = field(default=32, metadata=_COUNT)
    epochs: int = field(default=15, metadata=_COUNT)
    shuffle: bool = field(default=True, metadata=_FLAG)
    validation_fraction: float = field(default=0.0, metadata=_FRACTION)
    initializer: str = field(default="glorot_uniform", metadata=_one_of(INITIALIZERS))
    input_scale: float = field(default=1.0, metadata=_RATE)
    dtype: np.dtype[Any] = field(default=np.dtype("float32"), metadata=_DTYPE)
    threads: int | None = field(default=None, metadata=_COUNT)
    seed: int | None = field(default=None, metadata=_SEED)
    warm_start: bool = field(default=False, metadata=_FLAG)
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
                value = LEARNING_RATES[self.optimizer]
            object.__setattr__(self, setting.name, value)
        got = f"got optimizer={self.optimizer!r}, momentum={self.momentum!r}"
        if self.nesterov and not (self.optimizer == "sgd" and self.momentum > 0):
            raise ValueError(f"nesterov needs optimizer='sgd' and momentum > 0; {got}")
        if self.momentum != 0 and self.optimizer != "sgd":
            raise ValueError(f"momentum must be 0 unless optimizer='sgd'; {got}")


def check_features(
    X: Any, dtype: npt.DTypeLike, *, n_features: int | None = None, name: str = "X"
) -> Array:
    """Return X, shape (rows, features), finite, C-contiguous, aligned and native-endian.

    X may be bools, integers or real floats in any layout, or a table of columns of such, of
    pandas, Polars or PyArrow. The result has type `dtype` (float32 or float64), but an array of
    uint8 stays uint8, as the kernels read it in place. An array itself or a view of it is returned
    when nothing has to be converted; X is never modified.

    Raises
    ------
    TypeError, ValueError
        If X is sparse or no array, holds anything but real numbers, is not 2-D with at least one
        row and one column (`n_features` columns when given), or has a value that is missing or
        not finite in `dtype`.
    """
    table = None if type(X) is np.ndarray else open_table(X, name)
    data = as_array(X, name) if table is None else table
    shape = data.shape
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"{name} must be 2-D and not empty; got shape {shape}{_reshape(X, shape)}")
    if n_features not in (None, shape[1]):
        raise ValueError(f"{name} must have {n_features} features; got {shape[1]}")
    if isinstance(data, Table):
        return data.to_array(dtype)
    return finite(data, np.uint8 if data.dtype == np.uint8 else dtype, name)


def _reshape(X: Any, shape: tuple[int, ...]) -> str:
    """What makes rows of X, where it has another number of axes."""
    if len(shape) > 2:
        return ": flatten each sample, reshape(len(X), -1)"
    if len(shape) != 1:
        return ""
    if hasattr(X, "to_frame"):  # a series
        return ": to_frame() for one feature"
    return ": reshape(1, -1) for one sample, reshape(-1, 1) for one feature"


def check_pair(value: Any, name: str) -> tuple[Any, Any]:
    """Return the two elements of (X, Y).

    Raises
    ------
    TypeError
        If `value` is not a tuple or list of two.
    """
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise TypeError(f"{name} must be a pair (X, Y); got {type(value).__name__}")
    return value[0], value[1]


def split_validation(n_rows: int, fraction: float) -> int:
    """Return how many of the first rows are for training: floor(n_rows * (1 - fraction)).

    A `fraction` > 0 that leaves no row for training or none for validation is a ValueError.
    """
    wanted = n_rows * (1 - fraction)
    # 10 * (1 - 0.9) is 0.9999999999999998, but 1 is meant.
    n_train = round(wanted) if math.isclose(wanted, round(wanted)) else math.floor(wanted)
    if fraction > 0 and not 0 < n_train < n_rows:
        raise ValueError(f"validation_fraction={fraction} leaves {n_train} of {n_rows} to train on")
    return n_train


def check_weights(
    weights: Sequence[npt.ArrayLike],
    *,
    n_features: int | None = None,
    n_classes: int | None = None,
    hidden: tuple[int, ...] | None = None,
    dtype: npt.DTypeLike = np.float64,
) -> list[Array]:
    """Return [W1, b1, W2, b2, ...] as C-contiguous arrays of `dtype`, copied only if need be.

    Layer by layer, W has shape (n_in, n_out) and b (n_out,); n_in of the first, n_out of the last
    and those between must be `n_features`, `n_classes` and `hidden` where given.

    Raises
    ------
    TypeError, ValueError
        If the number of arrays or a shape is wrong, or a value is no number finite in `dtype`.
    """
    if not isinstance(weights, list | tuple):
        raise TypeError(f"weights must be a list W1, b1, ...; got {type(weights).__name__}")
    inner = [None] * (len(weights) // 2 - 1) if hidden is None else hidden
    if len(weights) != 2 * len(inner) + 2:
        raise ValueError(f"weights must be W, b per layer, {hidden=}; got {len(weights)} arrays")
    checked: list[Array] = []
    n_in = n_features
    for layer, n_out in enumerate([*inner, n_classes], start=1):
        W = _weight(weights[2 * layer - 2], (n_in, n_out), f"W{layer}", dtype)
        checked += W, _weight(weights[2 * layer - 1], W.shape[1:], f"b{layer}", dtype)
        n_in = W.shape[1]
    return checked


def _weight(value: Any, wanted: tuple[int | None, ...], name: str, dtype: npt.DTypeLike) -> Array:
    array = as_array(value, name)
    fits = [want in (None, got) for want, got in zip(wanted, array.shape, strict=False)]
    if array.ndim != len(wanted) or array.size == 0 or not all(fits):
        raise ValueError(f"{name} must have shape {wanted}; got {array.shape}")
    return finite(array, dtype, name)
