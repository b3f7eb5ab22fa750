"""Error messages for data that are not numbers, with the conversion to call; level of warnings."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from datetime import date, time, timedelta
from decimal import Decimal
from io import IOBase
from os import PathLike
from reprlib import Repr
from typing import Any

import numpy as np
import numpy.typing as npt

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 60

_ENCODE = (
    'make it a category first, as .astype("category") of pandas does, .cast(pl.Categorical) of '
    "Polars or .dictionary_encode() of PyArrow; texts need scikit-learn's TfidfVectorizer"
)
_FILL = 'fit with missing="impute", which fills them with medians, or fill them first'
_AS_FLOAT = "convert it first, as .astype(float) does"
_CONVERT = "turn it into numbers first"
_AS_LABELS = "labels are numbers or strings, which .astype(str) makes of it"

# Types of values, how to call one of them, and advice for a column of them.
_KINDS: tuple[tuple[Any, str, str], ...] = (
    (str, "text", _ENCODE),
    ((bytes, bytearray), "bytes", f"decode it if it is text, and {_ENCODE}"),
    (
        (date, np.datetime64),
        "a date",
        "take its parts first, such as .dt.year, .dt.month and .dt.dayofweek",
    ),
    (time, "a time of day", "take its parts first, such as the hour and the minute"),
    ((timedelta, np.timedelta64), "a duration", "take its length first: .dt.total_seconds()"),
    ((complex, np.complexfloating), "complex", "take its parts first: .real and .imag, or np.abs"),
    (Decimal, "a Decimal", _AS_FLOAT),
    ((list, tuple, np.ndarray), "a list", "give each of its elements a column of its own"),
    (Mapping, "a record", "give each of its fields a column of its own, as pd.DataFrame does"),
)
_GATHER = "gather it first: np.stack(list({0})) for rows, list({0}) for labels"
# Methods of containers whose data are elsewhere or not computed yet; the first match is named.
_METHODS = {
    "toPandas": "call {0}.toPandas() first",
    "collect": "call {0}.collect() first",
    "to_pandas": "call {0}.to_pandas() first",
    "to_dataframe": "call {0}.to_dataframe() first",
    "as_numpy_iterator": "gather it first: np.stack([x for x, y in {0}.as_numpy_iterator()])",
    "compute": "call {0}.compute() first",
    "copy_to_host": "call {0}.copy_to_host() first",
    "get": "call {0}.get() first",
    "to_numpy": "call {0}.to_numpy() first",
    "numpy": "call {0}.numpy() first",
}
# Type names, as pandas may not be installed.
MISSING_TYPES = ("NoneType", "NAType", "NaTType")
_READABLE = ("__array__", "__array_interface__", "__array_struct__")


def some(values: Any) -> str:
    """Text of the first five values of a list or an array."""
    return ", ".join(map(shown, list(values[:5]))) + ", ..." * (len(values) > 5)


def shown(value: Any) -> str:
    """A short `repr` without NumPy types."""
    if isinstance(value, str):
        value = str(value)
    elif isinstance(value, np.bool_ | np.number):
        value = value.item()
    return _SHORT.repr(value)


def type_name(value: Any) -> str:
    """The type of a value with its package, as many have a DataFrame."""
    kind = type(value)
    package = kind.__module__.split(".")[0]
    return kind.__name__ if package in ("builtins", "__main__") else f"{package}.{kind.__name__}"


def is_missing(value: Any) -> bool:
    """Whether a value is None, a NaN, or pandas' NA or NaT."""
    if isinstance(value, float | np.floating):
        return math.isnan(value)
    return type(value).__name__ in MISSING_TYPES  # NA == NA is not a bool


def missing_label(place: str, value: Any) -> ValueError:
    """The error for a missing label."""
    return ValueError(f"{place} is missing ({value}): drop the rows without a label")


def missing_number(place: str, columns: Sequence[Any]) -> ValueError:
    """The error for the first missing number; ``columns`` are all with missing numbers."""
    return ValueError(f"{place} is missing; there are gaps in {some(columns)}: {_FILL}")


def not_finite(place: str, value: Any, dtype: npt.DTypeLike, advice: str = "") -> ValueError:
    """The error for a number that is not finite in ``dtype``."""
    return ValueError(f"{place} is {value}; it must be finite in {dtype}{advice}")


def describe(place: str, value: Any, *, labels: bool = False) -> str:
    """Message on a value that is not a number: its place, its type and advice."""
    kinds = (known for known in _KINDS if isinstance(value, known[0]))
    kind, noun, advice = next(kinds, (object, f"of type {type_name(value)}", _CONVERT))
    if kind is str:
        with suppress(ValueError):  # numbers that were read as text
            float(value)
            advice = "make numbers of it first, as pd.to_numeric does"
    if hasattr(value, "tocsr"):
        advice = "join the rows to one matrix first, as scipy.sparse.vstack does"
    return f"{place} is {noun}, {shown(value)}: {_AS_LABELS if labels else advice}"


def categories(column: str, values: Iterable[Any]) -> str:
    """Message on a column of categories where numbers are needed."""
    example = next((value for value in values if not is_missing(value)), None)
    advice = "where numbers are wanted, as pd.get_dummies makes them"
    return f"{column} holds categories, such as {shown(example)}, {advice}"


def refuse(values: Any, name: str) -> None:
    """Reject containers that NumPy would misread, compute unasked, or iterate over endlessly.

    Raises
    ------
    TypeError
        Names the type, and the call to use.
    """
    if hasattr(values, "toarray"):
        raise not_dense(values, name)
    if advice := _instead(values):
        raise TypeError(f"{_no_array(values, name)}: {advice.format(_last(name))}")


def not_dense(values: Any, name: str) -> TypeError:
    """The error for a sparse matrix where an array is needed."""
    call = "toarray()" if hasattr(values, "toarray") else "sparse.to_dense()"
    got = f"{name} must be dense; got a sparse {type(values).__name__}"
    return TypeError(f"{got}: call {_last(name)}.{call} first")


def not_an_array(values: Any, name: str, error: Exception | None = None) -> TypeError:
    """The error for a container that NumPy cannot read, perhaps because of another error."""
    got, name = _no_array(values, name), _last(name)
    advice = first_call(values).format(name)
    if isinstance(values, Sequence) and len(values) > 0:  # perhaps a list of tensors
        advice = first_call(values[0]).format(f"{name}[0]")
    advice = advice or (str(error) if error else "")
    return TypeError(f"{got}: {advice}" if advice else got)


def _no_array(values: Any, name: str) -> str:
    return f"{name} must be an array or a table; got {type_name(values)}"


def _instead(values: Any) -> str:
    """Advice for a container that does not convert to an array; "" for others."""
    if isinstance(values, str | bytes | PathLike | IOBase):
        return "load the data first, as np.load or pd.read_csv do"
    if isinstance(values, Mapping):
        return "give pd.DataFrame({0}) for rows, list({0}.values()) for labels"
    if isinstance(values, Set):
        return "give a list, as a set has no order"
    packages = {part for kind in type(values).__mro__ for part in _packages(kind.__module__)}
    if "torch.utils.data" in packages:
        join = "np.stack" if hasattr(values, "__getitem__") else "np.concatenate"
        return f"gather it first: {join}([x for x, y in {{0}}])"
    if isinstance(values, Iterator):
        return _GATHER
    # NumPy would compute Dask's frames and series; its arrays, which have chunks, are accepted.
    lazy = not packages.isdisjoint({"dask", "dask_expr"}) and not hasattr(values, "chunks")
    return first_call(values) if lazy or not _is_readable(values) else ""


def _last(name: str) -> str:
    """The name of an argument in code: X for "validation X"."""
    return name.rpartition(" ")[2]


def _packages(module: str) -> list[str]:
    """A module and its parents: a, a.b and a.b.c for "a.b.c"."""
    parts = module.split(".")
    return [".".join(parts[: n + 1]) for n in range(len(parts))]


def first_call(values: Any) -> str:
    """Advice on the call that makes a container readable for NumPy, or ""."""
    if hasattr(values, "detach"):
        return _of_tensor(values)
    found = (advice for method, advice in _METHODS.items() if hasattr(values, method))
    gather = _GATHER if hasattr(values, "__iter__") and not _is_readable(values) else ""
    return next(found, gather)


def _is_readable(values: Any) -> bool:
    return isinstance(values, Sequence) or any(hasattr(values, name) for name in _READABLE)


def _of_tensor(tensor: Any) -> str:
    """Advice on a tensor: detach it, make it dense, of a dtype of NumPy, and copy it to the CPU."""
    calls = ".detach()" * bool(getattr(tensor, "requires_grad", False))
    calls += ".to_dense()" * ("sparse" in str(getattr(tensor, "layout", "")))
    if any(kind in str(getattr(tensor, "dtype", "")) for kind in ("bfloat", "float8")):
        calls += ".float()"
    device = getattr(tensor, "device", "cpu")
    if getattr(tensor, "is_cuda", False) or getattr(device, "type", str(device)) != "cpu":
        calls += ".cpu()"
    return f"call {{0}}{calls}.numpy() first"
