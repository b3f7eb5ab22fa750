"""Model files: values and arrays of a trainer, an ensemble or an estimator."""

import os
import reprlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..callbacks import EarlyStopping
from ..files import ModelFileError, read_file, write_file
from ..fit_warning import warn
from ..losses import LOSSES
from ..optimizers import OPTIMIZERS
from ..schedules import SCHEDULES
from .saved_state import FORMAT, State

SUFFIX = ".safetensors"
# The objects that settings may be.
_KINDS = {
    kind.__name__: kind
    for kind in (*LOSSES.values(), *OPTIMIZERS.values(), *SCHEDULES.values(), EarlyStopping)
}


def save_model(path: str | os.PathLike[str], model: Any, wanted: type, values: State) -> None:
    """Write the values of a model, an object of the very class that is wanted, to a file.

    Raises
    ------
    TypeError, ValueError
        For another path, an object of a subclass, or a value that cannot be written.
    OSError
        If the file cannot be written; an old one stays.
    """
    check_path(path)
    if type(model) is not wanted:
        raise TypeError(
            f"only objects of {wanted.__name__} itself can be saved, as a file has no code; "
            f"got a {type(model).__name__}"
        )
    write_file(path, {"format": FORMAT, "kind": wanted.__name__, **values}, _KINDS)


def check_path(path: Any) -> None:
    """Raise a TypeError or ValueError unless it is the path of a model file."""
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise TypeError(f"path must be a string or a path; got {path!r}")
    if not os.fspath(path).endswith(SUFFIX):
        raise ValueError(f"path must end in {SUFFIX!r}; got {os.fspath(path)!r}")


def warn_of_callbacks(callbacks: Sequence[Any]) -> None:
    """Warn of callbacks, which a file leaves out."""
    if callbacks:
        names = ", ".join(reprlib.repr(callback) for callback in callbacks)
        again = "fastmlp.load(path, callbacks=...) sets them again"
        warn(f"the file is without the callbacks, {names}: {again}", UserWarning)


def read_model(path: str | os.PathLike[str]) -> tuple[str, State]:
    """The name of the class whose object was saved, and its values; raises as ``fastmlp.load``."""
    values = read_file(path, _KINDS, FORMAT)
    return str(values.pop("kind", None)), values


# Exceptions of values that do not fit together.
_UNFIT = TypeError, ValueError, LookupError, AttributeError, ArithmeticError


@contextmanager
def restoring(path: Any) -> Iterator[None]:
    """Make a ModelFileError of an exception in restoring a model from values of a file."""
    try:
        yield
    except _UNFIT as error:
        what = error if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise ModelFileError(f"{os.fspath(path)} cannot be read: {what}") from error
