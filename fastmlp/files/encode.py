"""Plain values as a JSON document and tensors.

What JSON holds is written as it is: None, bools, strings, integers, finite floats, lists, and dicts
of strings. Anything else is an object with one key that begins with "$". Arrays and long lists are
tensors, named by their path in the document.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DEPTH, INTEGER_BITS

Tensors = dict[str, npt.NDArray[Any]]
# Dataclasses of settings, by name.
Kinds = Mapping[str, type]
Path = tuple[str, ...]

# Lists of more numbers or strings than this become tensors.
LONG = 8
# Dtypes of tensors; arrays of others are stored as bytes.
NATIVE = {
    np.dtype(name): code
    for name, code in {
        "float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "int32": "I32",
        "int16": "I16", "int8": "I8", "uint64": "U64", "uint32": "U32", "uint16": "U16",
        "uint8": "U8", "bool": "BOOL",
    }.items()
}  # fmt: skip
# NumPy's scalars, by their types.
SCALARS = {dtype.type: dtype.name for dtype in NATIVE} | {np.str_: "str"}
# Kinds of other dtypes: big-endian numbers, complex numbers, strings, bytes, dates, durations.
AS_BYTES = "iufcUSmM"


class Encoder:
    """Makes a document and tensors of plain values.

    Parameters
    ----------
    kinds : mapping
        The dataclasses whose objects may occur, by name.
    """

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self.tensors: Tensors = {}
        self._lists: dict[str, int] = {}  # by name, the bytes of each in memory

    def encode(self, value: Any, path: Path = ()) -> Any:
        """Encode a value; raises a TypeError or ValueError that names one that cannot be."""
        kind = type(value)
        if value is None or kind is bool or kind is str:
            return value
        if kind is int:
            if value.bit_length() > INTEGER_BITS:
                raise ValueError(f"{_name(path)} must have at most {INTEGER_BITS} bits to be saved")
            return value
        if kind is float:
            return value if math.isfinite(value) else {"$float": repr(value)}
        if len(path) > DEPTH:
            raise ValueError(f"{_name(path)} is nested too deeply to be saved")
        if kind is list:
            return self._list(value, path)
        if kind is tuple:
            return {"$tuple": self._list(value, path)}
        if kind is dict:
            return self._dict(value, path)
        if kind is np.ndarray:
            return self._array(value, path)
        return self._other(value, path)

    def check_lists(self, most: int) -> None:
        """Raise a ValueError if lists take more than ``most`` bytes in memory."""
        if (total := sum(self._lists.values())) > most:
            name = max(self._lists, key=self._lists.__getitem__)
            raise ValueError(
                f"{name} is too long to be saved; got lists of {total} bytes in a file for {most}"
            )

    def _other(self, value: Any, path: Path) -> Any:
        kind = type(value)
        if name := SCALARS.get(kind):
            return {"$scalar": [name, self.encode(value.item(), path)]}
        if isinstance(value, np.dtype) and value in NATIVE:
            return {"$dtype": value.name}
        if isinstance(value, type) and issubclass(value, np.generic) and np.dtype(value) in NATIVE:
            return {"$type": np.dtype(value).name}
        if kind is np.random.RandomState:
            state = value.get_state(legacy=False)
            if isinstance(state, dict) and state["bit_generator"] == "MT19937":
                return {"$RandomState": self.encode(state, path)}
        if self._kinds.get(kind.__name__) is kind:
            given = {item.name: getattr(value, item.name) for item in fields(value)}
            return {"$object": [kind.__name__, self.encode(given, path)]}
        raise _not_plain(path, repr(value))

    def _dict(self, value: dict[Any, Any], path: Path) -> Any:
        parts = key_parts(value)
        items = {
            key: self.encode(item, (*path, part))
            for (key, item), part in zip(value.items(), parts, strict=True)
        }
        if all(type(key) is str and key[:1] != "$" for key in value):
            return items
        keys = [
            self.encode(key, (*path, "$keys", part)) for key, part in zip(value, parts, strict=True)
        ]
        return {"$dict": [list(pair) for pair in zip(keys, items.values(), strict=True)]}

    def _list(self, values: Sequence[Any], path: Path) -> Any:
        types = set(map(type, values)) if len(values) > LONG else set()
        if types == {float}:
            return self._long(np.array(values, np.float64), path)
        if types == {int} and all(-(2**63) <= value < 2**63 for value in values):
            return self._long(np.array(values, np.int64), path)
        if types == {str}:
            texts = [value.encode("utf-8", "surrogatepass") for value in values]
            lengths = np.array(list(map(len, texts)), np.int64)
            text = np.frombuffer(b"".join(texts), np.uint8)
            self._store(text, path)
            self._store(lengths, (*path, "lengths"))
            self._lists[_name(path)] = strings_bytes(text, lengths)
            return {"$list": "str"}
        return [self.encode(value, (*path, str(i))) for i, value in enumerate(values)]

    def _long(self, array: npt.NDArray[Any], path: Path) -> Any:
        self._lists[_name(path)] = numbers_bytes(array)
        self._store(array, path)
        return {"$list": array.dtype.name}

    def _array(self, array: npt.NDArray[Any], path: Path) -> Any:
        dtype = array.dtype
        if dtype in NATIVE:
            self._store(array, path)
            return {"$array": dtype.name}
        if dtype.kind == "O":
            return {"$objects": [list(array.shape), self._list(array.ravel().tolist(), path)]}
        if dtype.kind not in AS_BYTES or dtype.itemsize == 0 or not _is_standard(array):
            raise _not_plain(path, str(dtype))
        data = np.frombuffer(array.tobytes(), np.uint8)
        self._store(data.reshape(*array.shape, dtype.itemsize), path)
        return {"$array": dtype.str}

    def _store(self, array: npt.NDArray[Any], path: Path) -> None:
        self.tensors["/".join(path)] = np.require(array, requirements=["C", "ALIGNED"])


def key_parts(keys: Iterable[Any]) -> list[str]:
    """The part of a path for each key of a dict: itself if it is a plain name, else its number."""
    return [
        key if type(key) is str and key.isascii() and key.isidentifier() else str(i)
        for i, key in enumerate(keys)
    ]


def numbers_bytes(numbers: npt.NDArray[Any]) -> int:
    """Memory of a list of Python's numbers, at most."""
    return 40 * len(numbers)


def strings_bytes(text: npt.NDArray[np.uint8], lengths: npt.NDArray[Any]) -> int:
    """Memory of a list of strings of these lengths, at most."""
    is_ascii = len(text) == 0 or text.max() < 128
    return 72 * len(lengths) + (1 if is_ascii else 4) * len(text)


def _is_standard(value: Any) -> bool:
    """Whether a dtype is NumPy's own and the same everywhere, unlike long double."""
    dtype = value.dtype
    return dtype.isbuiltin != 2 and not (dtype.kind in "fc" and dtype.char in "gG")


def _name(path: Path) -> str:
    """The place of a value in messages, such as ``metrics[1]``."""
    name = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in path)
    return name.replace(".attributes.", ".", 1).removeprefix(".") or "the value"


def _not_plain(path: Path, got: str) -> TypeError:
    wanted = "cannot be written to a model file (a pickle may hold it)"
    return TypeError(f"{_name(path)} {wanted}; got {got}")
