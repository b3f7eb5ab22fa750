"""Atomic replacement of files."""

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path


def replace_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file so that, whenever the process or the machine stops, the old or the new one is
    there.

    A symbolic link stays, and its target is replaced; permissions stay, too.

    Raises
    ------
    OSError
        If it cannot be written; an old file stays as it was.
    """
    target = Path(os.path.realpath(path))
    # In the same folder, as a replacement is atomic within a file system only. 50 characters take
    # at most 200 of the 255 bytes that a name may have.
    new = target.with_name(f".{target.name[:50]}.{secrets.token_hex(8)}")
    try:
        with open(new, "xb") as file:
            with suppress(FileNotFoundError):  # before there is anything to read
                shutil.copymode(target, new)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, target)
    except BaseException as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == os.fspath(new) and not error.filename2:
            error.filename = os.fspath(path)  # which the caller knows
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name last, where the system can do that with folders."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
