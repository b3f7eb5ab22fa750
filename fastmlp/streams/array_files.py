"""Arrays in files of NumPy."""

import os
import zlib
from lzma import LZMAError
from zipfile import BadZipFile

import numpy as np

from ..data import Array

ENDINGS = ".npy", ".npz"


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
        file = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(file, np.ndarray):
            return {"X": file}
        with file:
            return dict(file)
    except (EOFError, ValueError, BadZipFile, zlib.error, LZMAError) as error:
        message = f"{os.fspath(path)} is damaged, or holds anything but arrays of numbers"
        raise ValueError(message) from error
