"""Checks of files to be written, before the work."""

import os

from ..files import SUFFIX, is_model_file
from ..files.package import need_safetensors


def check_model_path(path: str) -> None:
    """Check that a model can be written to a file.

    Raises
    ------
    ValueError, OSError, ImportError
        For another ending, a folder that is missing or closed, and without safetensors.
    """
    if not is_model_file(path):
        raise ValueError(f"--out must end in {SUFFIX!r}; got {path!r}")
    check_folder(path)
    need_safetensors()


def check_folder(path: str) -> None:
    """Raise an OSError if a file cannot be written to its folder."""
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"--out {path}: there is no folder {folder}")
    if os.path.isdir(path) or not os.access(folder, os.W_OK):
        raise PermissionError(f"--out {path} cannot be written")
