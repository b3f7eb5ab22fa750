"""Plain values from a JSON document and tensors; everything is checked."""

import math
import re
import sys
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

import numpy as np
import numpy.typing as npt

from .encode import (
    AS_BYTES,
    LONG,
    NATIVE,
    SCALARS,
    Kinds,
    Path,
    Tensors,
    key_parts,
    numbers_bytes,
    strings_bytes,
)
from .errors import COLLISIONS, DEPTH, damaged

_DTYPES = {dtype.name: dtype for dtype in NATIVE}
_SCALARS: dict[str, Any] = {name: kind for kind, name in SCALARS.items()}
_AS_BYTES = re.compile(rf"[<>|][{AS_BYTES}]\d{{1,9}}(\[\d{{0,6}}[a-zA-Z]{{1,2}}\])?")
_FLOATS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
_LARGEST_CHARACTER = 0x10FFFF


class Decoder:
    """Restores plain values from a document and tensors of :class:`~.encode.Encoder`.

    Parameters
    ----------
    tensors : dict
        Decoded ones are taken out.
    kinds : mapping
        The dataclasses whose objects may occur, by name.
    most_list_bytes : int
        Bytes that lists of Python may take.
    """

    def __init__(self, tensors: Tensors, kinds: Kinds, most_list_bytes: int) -> None:
        self._tensors, self._kinds, self._most = tensors, kinds, most_list_bytes
        self._list_bytes = 0

    def decode(self, document: Any, path: Path = ()) -> Any:
        """Decode a value; raises a ModelFileError for anything that an encoder does not write."""
        if len(path) > DEPTH:
            damaged("its values are nested too deeply")
        if isinstance(document, list):
            return self._items(document, path)
        if isinstance(document, str):
            return sys.intern(document)
        if not isinstance(document, dict):
            return document
        tag = next(iter(document), "")
        if tag[:1] != "$":
            if any(key[:1] == "$" for key in document):
                self._wrong(path)
            names = list(document)
            return self._keyed(names, list(document.values()), key_parts(names), path)
        if tag not in self._by_tag or len(document) != 1:
            self._wrong(path)
        return self._by_tag[tag](self, document[tag], path)

    def _wrong(self, path: Path) -> NoReturn:
        damaged(f"{'/'.join(path) or 'the header'} holds something else than it should")

    def _pair(self, value: Any, kind: type, path: Path) -> tuple[Any, Any]:
        """Two items, of which the first is of a kind."""
        if not isinstance(value, list) or len(value) != 2 or type(value[0]) is not kind:
            self._wrong(path)
        return value[0], value[1]

    def _items(self, values: list[Any], path: Path) -> list[Any]:
        return [self.decode(value, (*path, str(i))) for i, value in enumerate(values)]

    def _keyed(self, keys: list[Any], values: list[Any], parts: list[str], path: Path) -> Any:
        """A dict with these keys and the decoded values."""
        found: dict[Any, Any]
        try:
            if len(keys) - len(set(map(hash, keys))) > COLLISIONS:
                self._wrong(path)
            found = dict.fromkeys(keys)
        except TypeError:  # keys that cannot be hashed
            self._wrong(path)
        if len(found) < len(keys):
            self._wrong(path)
        for key, part, value in zip(keys, parts, values, strict=True):
            found[key] = self.decode(value, (*path, part))
        return found

    def _dict(self, value: Any, path: Path) -> Any:
        if not isinstance(value, list) or any(type(p) is not list or len(p) != 2 for p in value):
            self._wrong(path)
        names, values = ([pair[k] for pair in value] for k in (0, 1))
        parts = key_parts(names)
        keys = [
            self.decode(name, (*path, "$keys", part))
            for name, part in zip(names, parts, strict=True)
        ]
        return self._keyed(keys, values, parts, path)

    def _tuple(self, value: Any, path: Path) -> tuple[Any, ...]:
        return tuple(self._list_of(value, path))

    def _list_of(self, value: Any, path: Path) -> Any:
        """A list, in the document or in a tensor."""
        if isinstance(value, list):
            return self._items(value, path)
        if not isinstance(value, dict) or list(value) != ["$list"]:
            self._wrong(path)
        return self._list(value["$list"], path)

    def _list(self, kind: Any, path: Path) -> Any:
        strings = kind == "str"
        array = self._taken((*path, "lengths") if strings else path)
        wanted = {"float64": np.float64, "int64": np.int64, "str": np.int64}.get(str(kind))
        if array.ndim != 1 or array.dtype != wanted or len(array) <= LONG:
            self._wrong(path)
        if not strings:
            self._count(numbers_bytes(array))
            return array.tolist()
        text = self._taken(path)
        if array.min() < 0 or array.max() > text.size or text.dtype != np.uint8 or text.ndim != 1:
            self._wrong(path)
        self._count(strings_bytes(text, array))
        ends = np.cumsum(array)
        if ends[-1] != text.size:
            self._wrong(path)
        data = np.ascontiguousarray(text).data
        try:
            return [
                str(data[end - length : end], "utf-8", "surrogatepass")
                for end, length in zip(ends.tolist(), array.tolist(), strict=True)
            ]
        except UnicodeDecodeError:
            self._wrong(path)

    def _count(self, n_bytes: int) -> None:
        self._list_bytes += n_bytes
        if self._list_bytes > self._most:
            damaged(f"its lists take more than {self._most} bytes")

    def _float(self, value: Any, path: Path) -> float:
        if not isinstance(value, str) or value not in _FLOATS:
            self._wrong(path)
        return _FLOATS[value]

    def _scalar(self, value: Any, path: Path) -> Any:
        name, document = self._pair(value, str, path)
        item, kind = self.decode(document, path), _SCALARS.get(name)
        if kind is None or type(item) is not type(kind().item()):
            self._wrong(path)
        try:
            return kind(item)
        except OverflowError:
            self._wrong(path)

    def _dtype(self, value: Any, path: Path) -> np.dtype[Any]:
        if not isinstance(value, str) or value not in _DTYPES:
            self._wrong(path)
        return _DTYPES[value]

    def _type(self, value: Any, path: Path) -> type:
        return self._dtype(value, path).type

    def _random_state(self, value: Any, path: Path) -> Any:
        random = np.random.RandomState(0)
        try:
            random.set_state(self.decode(value, path))
        except (TypeError, ValueError, LookupError, OverflowError):
            self._wrong(path)
        return random

    def _object(self, value: Any, path: Path) -> Any:
        name, fields = self._pair(value, str, path)
        given = self.decode(fields, path)
        if name not in self._kinds or type(given) is not dict or not all(map(_is_name, given)):
            self._wrong(path)
        try:
            return self._kinds[name](**given)
        except (TypeError, ValueError) as error:
            damaged(f"{'/'.join(path)}: {error}")

    def _array(self, value: Any, path: Path) -> npt.NDArray[Any]:
        array = self._taken(path)
        if value == array.dtype.name:
            return array
        if not isinstance(value, str) or not _AS_BYTES.fullmatch(value):
            self._wrong(path)
        try:
            dtype = np.dtype(value)
            if array.dtype != np.uint8 or array.shape[-1] != dtype.itemsize or dtype in NATIVE:
                self._wrong(path)
            found = array.view(dtype)[..., 0]
        except (TypeError, ValueError, LookupError):
            self._wrong(path)
        if dtype.kind == "U" and array.size:
            characters = array.view(np.dtype(np.uint32).newbyteorder(dtype.byteorder))
            if characters.max() > _LARGEST_CHARACTER:
                self._wrong(path)
        return found

    def _objects(self, value: Any, path: Path) -> npt.NDArray[np.object_]:
        shape, values = self._pair(value, list, path)
        items = self._list_of(values, path)
        if any(type(n) is not int or n < 0 for n in shape) or math.prod(shape) != len(items):
            self._wrong(path)
        if len(shape) > 2 or not items:
            self._wrong(path)
        array = np.empty(len(items), object)
        array[:] = items
        return array.reshape(shape)

    def _taken(self, path: Path) -> npt.NDArray[Any]:
        array = self._tensors.pop("/".join(path), None)
        if array is None:
            damaged(f"it has no tensor {'/'.join(path)}")
        return array

    _by_tag: ClassVar[dict[str, Callable[..., Any]]] = {
        "$tuple": _tuple,
        "$dict": _dict,
        "$list": _list,
        "$float": _float,
        "$scalar": _scalar,
        "$dtype": _dtype,
        "$type": _type,
        "$RandomState": _random_state,
        "$object": _object,
        "$array": _array,
        "$objects": _objects,
    }


def _is_name(key: Any) -> bool:
    return isinstance(key, str)
