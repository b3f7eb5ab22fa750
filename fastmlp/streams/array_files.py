"""Arrays in files of NumPy."""

import os
import zlib
from lzma import LZMAError
from zipfile import BadZipFile

import numpy as np

from ..data import Array

ENDINGS = ".npy", ".npz"
_ZIP = b"PK"


def read_arrays(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Read the arrays of a .npz file, or that of a .npy file, which is called "X" and mapped into
    memory.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is damaged, or holds Python objects.
    """
    try:
        with open(path, "rb") as file:
            if file.read(len(_ZIP)) == _ZIP:
                file.seek(0)
                return dict(np.load(file, allow_pickle=False))
        return {"X": np.load(path, mmap_mode="r", allow_pickle=False)}
    except (EOFError, ValueError, BadZipFile, zlib.error, LZMAError) as error:
        message = f"{os.fspath(path)} is damaged, or holds anything but arrays of numbers"
        raise ValueError(message) from error
