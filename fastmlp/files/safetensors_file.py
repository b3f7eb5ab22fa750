"""Plain values in a safetensors file: tensors, and the rest as JSON in the metadata."""

import json
import os
import sys
from typing import Any

import numpy as np

from .decode import Decoder
from .encode import NATIVE, Encoder, Kinds, Tensors
from .errors import HEADER_BYTES, HEADER_ITEMS, ModelFileError, damaged, most_list_bytes
from .package import need_safetensors
from .parse_json import parse_json

# Key of the document in the metadata.
_KEY = "fastmlp"
_DTYPES = {code: dtype for dtype, code in NATIVE.items()}
_LENGTH_BYTES = 8


def to_bytes(values: dict[str, Any], kinds: Kinds) -> bytes:
    """The content of a file with plain values.

    Raises
    ------
    TypeError, ValueError
        For a value that cannot be written, which the error names.
    """
    encoder = Encoder(kinds)
    document = json.dumps(encoder.encode(values), allow_nan=False, separators=(",", ":"))
    data: bytes = need_safetensors().numpy.save(encoder.tensors, {_KEY: document})
    header = data[_LENGTH_BYTES : _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")]
    items = sum(map(header.count, (b",", b"[", b"{")))
    if len(header) > HEADER_BYTES or items > HEADER_ITEMS:
        raise ValueError(
            f"a model file describes its values in at most {HEADER_BYTES} bytes and {HEADER_ITEMS} "
            f"items; got {len(header)} and {items}: there are too many arrays, or long values"
        )
    encoder.check_lists(most_list_bytes(len(data)))
    return data


def read_file(path: str | os.PathLike[str], kinds: Kinds, formats: range) -> dict[str, Any]:
    """Read a file of the content that :func:`to_bytes` has made.

    Parameters
    ----------
    path : path
    kinds : mapping
        The dataclasses whose objects may occur, by name.
    formats : range
        The known values of the entry "format".

    Raises
    ------
    ModelFileError
        If the file is anything else.
    OSError
        If it cannot be read.
    """
    name = os.fspath(path)
    try:
        document, data = _read(name)
        found = document.get("format")
        if type(found) is not int or found < formats[0]:
            damaged(f"it has the format {found!r}")
        if found > formats[-1]:
            raise ModelFileError(
                f"it was saved by a newer version of fastmlp: got format {found}, known are "
                f"formats up to {formats[-1]}"
            )
        tensors, most = _tensors(data), most_list_bytes(len(data))
        del data
        values: dict[str, Any] = Decoder(tensors, kinds, most).decode(document)
        if tensors:
            damaged(f"it has an unknown tensor {min(tensors)[:100]}")
    except ModelFileError as error:
        raise ModelFileError(f"{name} cannot be read: {error}") from error.__cause__
    return values


def _read(path: str) -> tuple[dict[str, Any], bytes]:
    """The document in the metadata of a file, and all its bytes."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(_LENGTH_BYTES)
        length = int.from_bytes(start, "little")
        if len(start) < _LENGTH_BYTES or length > size - _LENGTH_BYTES:
            raise ModelFileError("it is no safetensors file, or truncated")
        if length > HEADER_BYTES:
            damaged(f"its header has {length} bytes, more than {HEADER_BYTES}")
        document = _document(file.read(length))
        file.seek(0)
        try:
            return document, file.read(size)
        except MemoryError:
            raise ModelFileError(f"its {size} bytes do not fit in memory") from None


def _document(header: bytes) -> dict[str, Any]:
    try:
        text = header.decode("ascii")  # so that a character is a byte
    except UnicodeDecodeError:
        damaged("its header has characters other than ASCII")
    names = parse_json(text)
    metadata = names.get("__metadata__") if isinstance(names, dict) else None
    document = metadata.get(_KEY) if isinstance(metadata, dict) else None
    if not isinstance(document, str):
        raise ModelFileError("it is no model file of fastmlp")
    del names, metadata
    if not document.isascii():
        damaged("its metadata have characters other than ASCII")
    found = parse_json(document)
    if not isinstance(found, dict):
        damaged("its metadata are no object of JSON")
    return found


def _tensors(data: bytes) -> Tensors:
    safetensors = need_safetensors()
    try:
        found = safetensors.deserialize(data)
    except safetensors.SafetensorError as error:
        damaged(str(error))
    tensors = {}
    for name, tensor in found:
        dtype = _DTYPES.get(tensor["dtype"])
        if dtype is None:
            damaged(f"{name[:100]} has the dtype {tensor['dtype']}")
        try:
            array = np.ndarray(tuple(tensor["shape"]), dtype, tensor["data"])
        except (TypeError, ValueError) as error:
            damaged(f"{name[:100]}: {error}")
        if dtype.kind == "b" and array.size and array.view(np.uint8).max() > 1:
            damaged(f"{name[:100]} holds other values than True and False")
        tensors[name] = array if sys.byteorder == "little" else array.byteswap()
    return tensors
