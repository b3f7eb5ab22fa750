"""The error of a file that cannot be read, and the limits of files."""

from typing import NoReturn

# Limits keep the memory of reading below twice the size of the file plus 50 MB, as Python objects
# take up to 20 times as much as their text. They are checked in writing, too.
HEADER_BYTES = 1 << 21
HEADER_ITEMS = 100_000
LIST_BYTES = 16_000_000
DEPTH = 30
INTEGER_BITS = 256
# Keys of a dict that share a hash: the time that it takes grows with their square.
COLLISIONS = 1_000


class ModelFileError(ValueError):
    """A model file is damaged, of a newer format, or no model file."""


def damaged(what: str) -> NoReturn:
    """Raise the error of a damaged file."""
    raise ModelFileError(f"the file is damaged: {what}")
