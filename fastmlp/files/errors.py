"""The error of a file that cannot be read, and the limits of files."""

from typing import NoReturn

# Limits keep the memory of reading below twice the size of the file plus 50 MB, as Python objects
# take up to 20 times as much as their text. They are checked in writing, too. Only lists may take
# more: the names of a million categories take four times their bytes, and a weight for each.
HEADER_BYTES = 1 << 21
HEADER_ITEMS = 100_000
_LIST_BYTES, _OF_FILE = 16_000_000, 4
DEPTH = 30
INTEGER_BITS = 256
# Keys of a dict that share a hash: the time that it takes grows with their square.
COLLISIONS = 1_000


def most_list_bytes(file_bytes: int) -> int:
    """Bytes that lists of Python may take in a file of this size."""
    return _LIST_BYTES + _OF_FILE * file_bytes


class ModelFileError(ValueError):
    """A model file is damaged, of a newer format, or no model file."""


def damaged(what: str) -> NoReturn:
    """Raise the error of a damaged file."""
    raise ModelFileError(f"the file is damaged: {what}")
