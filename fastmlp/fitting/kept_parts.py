"""Encoded rows in a temporary file, so that they are read and encoded once."""

import os
import shutil
import tempfile
from typing import Any, NamedTuple

import numpy as np

from ..data import Array
from ..outputs import Targets

Part = tuple[Array, Targets]


class _Place(NamedTuple):
    """Where an array is in the file."""

    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class KeptParts:
    """Parts by their numbers, in a file without a name."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        self._size, self._process = 0, os.getpid()
        self._places: dict[int, tuple[_Place, list[_Place | None], Targets]] = {}

    def put(self, number: int, part: Part) -> bool:
        """Keep a part; return whether that is possible."""
        if os.getpid() != self._process:  # a fork shares the file
            return False
        rows, targets = part
        try:
            places = [None if array is None else self._write(array) for array in targets.arrays]
            self._places[number] = self._write(rows), places, targets.part(slice(0))
        except OSError:  # the disk is full, or a limit of the process is reached
            return False
        return True

    def get(self, number: int) -> Part | None:
        """Read a part, if it is there."""
        if number not in self._places:
            return None
        place, places, empty = self._places[number]
        arrays = [None if own is None else self._read(own) for own in places]
        return self._read(place), empty.with_arrays(arrays)

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def _write(self, array: Array) -> _Place:
        place = _Place(self._size, array.shape, array.dtype)
        left = _bytes(np.ascontiguousarray(array))
        while len(left):
            done = os.pwrite(self._file.fileno(), left, self._size)
            left, self._size = left[done:], self._size + done
        return place

    def _read(self, place: _Place) -> Array:
        array = np.empty(place.shape, place.dtype)
        left, offset = _bytes(array), place.offset
        while len(left):  # by offsets, which a fork does not share
            done = os.preadv(self._file.fileno(), [left], offset)
            if done == 0:
                raise OSError("a temporary file of encoded rows was cut")
            left, offset = left[done:], offset + done
        return array


def _bytes(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def room_for(n_bytes: int) -> KeptParts | None:
    """A file for parts, if they take at most half of the room on the disk."""
    try:
        free = shutil.disk_usage(tempfile.gettempdir()).free
        return KeptParts() if hasattr(os, "preadv") and free >= 2 * n_bytes else None
    except OSError:  # no folder can be written to
        return None
