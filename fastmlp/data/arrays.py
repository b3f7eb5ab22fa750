"""Conversion of users' data to NumPy arrays of numbers or strings, and checks of their values."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from ..member import check_interrupt
from .messages import (
    MISSING_TYPES,
    describe,
    is_missing,
    missing_label,
    not_an_array,
    not_finite,
    refuse,
    shown,
)

Array = npt.NDArray[Any]
Numbers = npt.NDArray[np.float64]
Rows = slice | npt.NDArray[np.intp]  # some rows of an array
Index = tuple[int, ...]
Place = Callable[[Index], str]

NUMBERS = "biuf"
LABELS = "biufOU"
_UNMIX = (
    "make all of them numbers first, as pd.to_numeric does, or strings, as .astype(str) does, and "
    "then a category"
)
_BLOCK_BYTES = 1 << 20
_LIST_VALUES = 1 << 12
# Exceptions of conversions. An interrupt, a time limit raised by a signal handler, or a lack of
# memory is unrelated to the data and passes through.
UNREADABLE = (TypeError, ValueError, RuntimeError, AttributeError, LookupError, ArithmeticError)
# Dtypes that kernels or a scaling read without conversion.
_UINT8 = np.dtype(np.uint8)
_READY = np.dtype(np.float32), np.dtype(np.float64), _UINT8


def is_ready(X: Any, n_features: int) -> bool:
    """Whether X is a small, valid array that :func:`as_array` and checks would leave unchanged.

    For a few rows these take longer than the kernels; for many they take a small part of the time.
    """
    return (
        type(X) is np.ndarray
        and X.dtype in _READY
        and X.ndim == 2
        and X.shape[1] == n_features
        and 0 < X.nbytes <= _BLOCK_BYTES
        and (flags := X.flags).c_contiguous
        and flags.aligned
        and (X.dtype is _UINT8 or all_finite(X))
    )


def of_lists(X: Any, n_features: int) -> Any:
    """A few rows of floats in lists, as a server reads them, as an array; others as they are.

    The checks of :func:`as_array` would take 12 of 20 us for a row of 20.
    """
    if type(X) is list:
        with suppress(*UNREADABLE):
            if type(X[0][0]) is float and len(X) * n_features <= _LIST_VALUES:
                return np.asarray(X)
    return X


def element(name: str, index: Index) -> str:
    """Name of an array element in messages."""
    return f"{name}[{', '.join(map(str, index))}]"


def as_array(values: Any, name: str, kinds: str = NUMBERS, place: Place | None = None) -> Array:
    """Convert values to an array whose dtype is of one of `kinds`, where O means strings only.

    `place` maps an index to the name of the element in messages, by default name[index]. Missing
    numbers become NaN.

    Raises
    ------
    TypeError, ValueError
        If the values cannot be an array or are of another kind, or a label is missing.
    """
    array = values if type(values) is np.ndarray else _read(values, name)
    if array.dtype.kind in NUMBERS and array.dtype.isbuiltin != 2:
        return array
    place = place or partial(element, name)
    # NumPy converts [1, "a"] and ["a", nan] to strings: inspect the items.
    if array.dtype.kind in "OT" or (array.dtype.kind == "U" and array is not values):
        array = _of_items(np.asarray(values, dtype=object), array, name, kinds, place)
    # Dtypes that other packages add to NumPy, such as bfloat16, may have any kind.
    if array.dtype.kind not in kinds or array.dtype.isbuiltin == 2:
        raise _wrong_dtype(array, name, kinds, place)
    return array


def finite(source: Array, dtype: npt.DTypeLike, name: str, gaps: str = "") -> Array:
    """Convert to C order and `dtype`; raise an error for a value that is not finite there.

    `gaps` is advice on NaN, which ends its message.
    """
    array, has_gaps = with_gaps(source, dtype, name)
    if has_gaps:
        index = first_index(np.isnan(array))
        raise not_finite(element(name, index), source[index], array.dtype, gaps)
    return array


def with_gaps(source: Array, dtype: npt.DTypeLike, name: str) -> tuple[Array, bool]:
    """Convert to C order and `dtype`; return also whether there are NaNs. Infinity is an error."""
    has_gaps, dtype = False, np.dtype(dtype)
    stays = source.dtype == dtype and source.flags.c_contiguous and source.flags.aligned
    array = source if stays else np.empty(source.shape, dtype)
    # In blocks, between which Python handles interrupts.
    step = max(1, _BLOCK_BYTES * len(array) // max(1, array.nbytes))
    with np.errstate(all="ignore"):  # a sum of finite values may overflow; each value is checked
        for start in range(0, len(array), step):
            check_interrupt()
            block = array[start : start + step]
            if not stays:
                block[...] = source[start : start + step]
            if dtype.kind == "f":
                bad, found = first_infinite(block)
                has_gaps |= found
                if bad is not None:
                    row, *rest = map(int, np.unravel_index(bad, block.shape))
                    index = start + row, *rest
                    raise not_finite(element(name, index), source[index], dtype)
    return array, has_gaps


def all_finite(values: Array) -> bool:
    """Whether a C-contiguous, non-empty array of floats has neither NaN nor infinity.

    ``argmax`` and ``argmin`` find a NaN if there is one. For one row they take 0.6 us; a sum takes
    1.5, as it may overflow and needs ``np.errstate``.
    """
    flat = values.ravel()
    largest, smallest = flat.item(flat.argmax()), flat.item(flat.argmin())
    return math.isfinite(largest) and math.isfinite(smallest)


def first_infinite(values: Array) -> tuple[int | None, bool]:
    """Flat index of the first infinity, if any, and whether there are NaNs; a finite sum quickly
    rules out both."""
    if math.isfinite(values.sum()):
        return None, False
    infinite = np.isinf(values)
    bad = int(infinite.argmax()) if infinite.any() else None
    return bad, bool(np.isnan(values).any())


def first_index(flags: npt.NDArray[np.bool_]) -> Index:
    """Index of the first True flag."""
    return tuple(map(int, np.unravel_index(flags.argmax(), flags.shape)))


def _read(values: Any, name: str) -> Array:
    refuse(values, name)
    if np.ma.is_masked(values):
        raise ValueError(f"{name} has masked entries; fill or drop them first")
    try:
        array = np.asarray(values)
    except UNREADABLE as error:
        if isinstance(error, ValueError) and isinstance(values, Sequence):  # of unequal rows
            raise ValueError(f"{name} cannot be read as one array: {error}") from error
        raise not_an_array(values, name, error) from error
    if array.ndim == 0 and array.dtype.kind == "O":
        raise not_an_array(values, name)
    return array


def _of_items(items: Array, array: Array, name: str, kinds: str, place: Place) -> Array:
    """Convert Python objects to numbers, or to strings if all are strings."""
    types = set(map(type, items.flat))
    gaps = {kind for kind in types if kind.__name__ in MISSING_TYPES}
    if gaps and kinds == NUMBERS and all(map(_is_number, types - gaps)):
        flat = [math.nan if type(item) in gaps else item for item in items.flat]
        items, types = np.array(flat, object).reshape(items.shape), types - gaps
    if all(map(_is_number, types)):
        with suppress(OverflowError):  # [10**400, 0.5]
            numbers = np.array(items.tolist()).reshape(items.shape)
            if numbers.dtype.kind != "O":
                return numbers
    elif all(issubclass(kind, str) for kind in types):
        return array if array.dtype.kind == "U" else items
    raise _odd_item(items, types, name, kinds, place)


def _is_number(kind: type) -> bool:
    return issubclass(kind, Real | np.bool_)


def _odd_item(items: Array, types: set[type], name: str, kinds: str, place: Place) -> Exception:
    """The error for items that are neither all numbers nor, for labels, all strings."""
    labels = kinds == LABELS

    def first(odd: Callable[[Any], bool]) -> tuple[str, Any] | None:
        flat = next((i for i, item in enumerate(items.flat) if odd(item)), None)
        if flat is None:
            return None
        index = tuple(map(int, np.unravel_index(flat, items.shape)))
        return place(index), items[index]

    def is_strange(item: Any) -> bool:
        fits = _is_number(type(item)) or (labels and isinstance(item, str))
        return not fits and not is_missing(item)

    if not labels and (mixed := _mixed_column(items, place)):
        return TypeError(f"{name} must hold real numbers; {mixed}")
    # Report text before gaps: text with gaps must be encoded, not filled.
    if found := first(is_strange):
        return TypeError(f"{name} must hold {_wanted(kinds)}; {describe(*found, labels=labels)}")
    if labels and (found := first(is_missing)):
        return missing_label(*found)
    got = f"got {', '.join(sorted(kind.__name__ for kind in types))}"
    number, text = first(lambda item: not isinstance(item, str)), first(_is_text)
    if number and text:
        both = " and ".join(f"{where} is {shown(item)}" for where, item in (number, text))
        return TypeError(f"{name} must be all numbers or all strings; {got}: {both}")
    wanted = "64-bit numbers only" + " or strings" * labels
    found = first(lambda item: np.asarray(item).dtype.kind == "O")
    at = f": {found[0]} is {shown(found[1])}" if found else ""
    return TypeError(f"{name} must hold {wanted}; {got}{at}")


def _mixed_column(items: Array, place: Place) -> str:
    """Message on the first column that holds both numbers and strings; "" if there is none."""
    for j, column in enumerate(items.reshape(len(items), -1).T):
        numbers = (i for i, x in enumerate(column) if _is_number(type(x)) and not is_missing(x))
        texts = (i for i, x in enumerate(column) if _is_text(x))
        number, text = next(numbers, None), next(texts, None)
        if number is not None and text is not None:
            at = [place((i, j)[: items.ndim]) for i in (number, text)]
            both = f"{at[0]} is {shown(column[number])} and {at[1]} is {shown(column[text])}"
            return f"{both}, a number and a string in one column: {_UNMIX}"
    return ""


def _is_text(item: Any) -> bool:
    return isinstance(item, str)


def _wanted(kinds: str) -> str:
    return "real numbers" + " or strings" * (kinds == LABELS)


def _wrong_dtype(array: Array, name: str, kinds: str, place: Place) -> TypeError:
    got = f"{name} must hold {_wanted(kinds)}; got dtype {array.dtype}"
    if array.dtype.isbuiltin == 2:
        return TypeError(f'{got}, which is not one of NumPy: call .astype("float32") first')
    if array.dtype.names is not None:
        to_columns = "np.lib.recfunctions.structured_to_unstructured"
        return TypeError(f"{got}: make an array of its fields, as {to_columns} does")
    if array.size == 0:
        return TypeError(got)
    what = describe(place((0,) * array.ndim), array.flat[0], labels=kinds == LABELS)
    if array.dtype.kind == "O":  # strings, where numbers are wanted
        return TypeError(f"{name} must hold {_wanted(kinds)}; {what}")
    return TypeError(f"{got}: {what}")
