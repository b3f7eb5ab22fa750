"""Atomic replacement of files."""

import contextlib
import os
import secrets
from pathlib import Path


def replace_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file so that, whenever the process or the machine stops, the old or the new one is
    there.

    A symbolic link stays, and its target is replaced.

    Raises
    ------
    OSError
        If it cannot be written; an old file stays as it was.
    """
    target = Path(os.path.realpath(path))
    # In the same folder, as a replacement is atomic within a file system only.
    new = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}")
    try:
        with open(new, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == os.fspath(new) and not error.filename2:
            error.filename = os.fspath(path)  # which the caller knows
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name last, where folders can be opened."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # a folder that may not be read
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
