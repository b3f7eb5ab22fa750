"""Arguments and arrays from outside -> a checked Config and C-contiguous arrays.

Every rejection lives here; its message names the argument, what is wanted and what was got.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

ACTIVATIONS = ("relu",)
LOSSES = ("auto", "softmax_cross_entropy")
OPTIMIZERS = ("sgd", "adam")
INITIALIZERS = ("glorot_uniform", "he_normal", "normal")
LEARNING_RATES = {"sgd": 0.1, "adam": 0.001}
_BLOCK_BYTES = 1 << 20


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

    X may be bools, integers or real floats in any layout, or a DataFrame. The result has type
    `dtype` (float32 or float64), but uint8 stays uint8, as the kernels read it in place. X itself
    or a view of it is returned when nothing has to be converted; X is never modified.

    Raises
    ------
    TypeError, ValueError
        If X is sparse, holds no real numbers, is not 2-D with at least one row and one column
        (`n_features` columns when given), or has a value that is not finite in `dtype`.
    """
    array = _as_array(X, name, "biuf")
    if array.ndim != 2 or array.size == 0:
        hint = ": reshape(1, -1) for one sample, reshape(-1, 1) for one feature" * (array.ndim == 1)
        hint += ": flatten each sample, reshape(len(X), -1)" * (array.ndim > 2)
        raise ValueError(f"{name} must be 2-D and not empty; got shape {array.shape}{hint}")
    if n_features not in (None, array.shape[1]):
        raise ValueError(f"{name} must have {n_features} features; got {array.shape[1]}")
    return _finite(array, np.uint8 if array.dtype == np.uint8 else dtype, name)


def encode_labels(
    Y: Any, n_rows: int, *, classes: Array | None = None, name: str = "Y"
) -> tuple[Array, Array]:
    """Return the class index of each row, int32 of shape (n_rows,), and the classes.

    Y holds labels, shape (n_rows,) or (n_rows, 1): ints, bools, strings or floats with integer
    values; or numeric one-hot rows, shape (n_rows, classes >= 2). The classes are those given, by
    default the sorted unique labels, or 0, 1, ... for one-hot rows.

    Raises
    ------
    TypeError, ValueError
        If Y has a wrong shape, mixes types, holds a label that is missing, no integer or not
        among `classes`, a row that is not one-hot, or fewer than 2 classes.
    """
    labels = _as_array(Y, name, "biufOU")
    one_hot = labels.ndim == 2 and labels.shape[1] > 1 and labels.dtype.kind in "biuf"
    if labels.ndim == 0 or not (one_hot or labels.shape[1:] in ((), (1,))):
        raise ValueError(f"{name} must be 1-D labels or one-hot numbers; got shape {labels.shape}")
    if len(labels) != n_rows:
        raise ValueError(f"{name} has {len(labels)} rows, but X has {n_rows}")
    labels = _finite(labels, labels.dtype.newbyteorder("="), name)
    if one_hot:
        return _decode_one_hot(labels, classes, name)
    labels = labels.ravel()
    if labels.dtype.kind == "f" and (fractional := labels != np.trunc(labels)).any():
        got = f"got {labels[fractional][0]} (regression is not supported yet)"
        raise ValueError(f"{name} must hold class labels; {got}")
    if classes is None:
        classes = np.unique(labels)
        if len(classes) < 2:
            raise ValueError(f"{name} must hold at least 2 classes; got {_some(classes)}")
    return _class_indices(labels, classes, name), classes


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
    array = _as_array(value, name, "biuf")
    fits = [want in (None, got) for want, got in zip(wanted, array.shape, strict=False)]
    if array.ndim != len(wanted) or array.size == 0 or not all(fits):
        raise ValueError(f"{name} must have shape {wanted}; got {array.shape}")
    return _finite(array, dtype, name)


def _as_array(values: Any, name: str, kinds: str) -> Array:
    """Return an array whose dtype is of one of `kinds`, where O stands for strings only."""
    if hasattr(values, "toarray"):
        raise TypeError(f"{name} must be dense; got a sparse {type(values).__name__}")
    if np.ma.is_masked(values):
        raise ValueError(f"{name} has masked entries; fill or drop them first")
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} cannot be read as one array: {error}") from error
    if array.dtype.kind in "OTU":
        # NumPy makes strings of [1, "a"] and ["a", nan]: look at the items themselves.
        items = np.asarray(values, dtype=object)
        types = set(map(type, items.flat))
        numeric = all(issubclass(kind, (Real, np.bool_)) for kind in types)
        if numeric and (numbers := np.array(items.tolist())).dtype.kind != "O":
            array = numbers
        elif all(issubclass(kind, str) for kind in types):
            array = array if array.dtype.kind == "U" else items
        else:
            got = ", ".join(sorted(kind.__name__ for kind in types))
            wanted = "all 64-bit numbers or all strings, none missing"
            raise TypeError(f"{name} must be {wanted}; got {got}")
    if array.dtype.kind not in kinds:
        wanted = "real numbers" + " or strings" * ("U" in kinds)
        raise TypeError(f"{name} must hold {wanted}; got dtype {array.dtype}")
    return array


def _finite(source: Array, dtype: npt.DTypeLike, name: str) -> Array:
    """Convert to C order and `dtype`; the first value that is not finite there is an error."""
    with np.errstate(all="ignore"):  # a sum of finite values may overflow: the search decides
        array = np.require(source, dtype, ["C", "ALIGNED"])
        if array.dtype.kind != "f":
            return array
        flat, step = array.reshape(-1), _BLOCK_BYTES // array.itemsize
        for start in range(0, len(flat), step):
            block = flat[start : start + step]
            if not math.isfinite(block.sum()) and not (finite := np.isfinite(block)).all():
                index = np.unravel_index(start + int(finite.argmin()), array.shape)
                at = f"{name}[{', '.join(map(str, index))}]"
                raise ValueError(f"{at} is {source[index]}; it must be finite in {array.dtype}")
    return array


def _decode_one_hot(rows: Array, classes: Array | None, name: str) -> tuple[Array, Array]:
    columns = np.arange(rows.shape[1])
    if classes is not None and not np.array_equal(classes, columns):
        raise ValueError(f"{name} has {len(columns)} one-hot columns, not classes {_some(classes)}")
    indices = rows.argmax(axis=1)
    one_hot = (np.count_nonzero(rows, axis=1) == 1) & (rows[np.arange(len(rows)), indices] == 1)
    if not one_hot.all():
        wanted = "one-hot (one 1, the rest 0; multilabel and soft targets are not supported)"
        raise ValueError(f"{name}[{one_hot.argmin()}] is not {wanted}")
    return indices.astype(np.int32), columns if classes is None else classes


def _class_indices(labels: Array, classes: Array, name: str) -> Array:
    unseen = np.full(len(labels), True)
    if (labels.dtype.kind in "OU") == (classes.dtype.kind in "OU"):
        with np.errstate(all="ignore"):  # a label that the cast changes is found to be unseen
            same = labels.astype(classes.dtype, copy=False)
        indices = np.searchsorted(classes, same).clip(max=len(classes) - 1)
        unseen = classes[indices] != labels
    if unseen.any():
        got = f"unseen labels {_some(np.unique(labels[unseen]))}"
        raise ValueError(f"{name} has {got}; the known classes are {_some(classes)}")
    return indices.astype(np.int32)


def _some(values: Array) -> str:
    return ", ".join(map(repr, values[:5].tolist())) + ", ..." * (len(values) > 5)
