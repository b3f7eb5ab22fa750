"""Model files: values and arrays of a trainer, an ensemble or an estimator."""

import os
import reprlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..callbacks import EarlyStopping
from ..checks import PATH
from ..files import SUFFIX, ModelFileError, is_model_file, replace_file
from ..fit_warning import warn
from ..losses import LOSSES
from ..optimizers import OPTIMIZERS
from ..schedules import SCHEDULES
from .saved_state import FORMAT
from .state_types import State

# Formats of files; before 7 there were none.
_FORMATS = range(7, FORMAT + 1)
# The objects that settings may be.
_KINDS = {
    kind.__name__: kind
    for kind in (*LOSSES.values(), *OPTIMIZERS.values(), *SCHEDULES.values(), EarlyStopping)
}


def save_model(path: str | os.PathLike[str], content: Callable[[], bytes]) -> None:
    """Write the content of a model file; raises as ``Trainer.save``."""
    PATH["check"]("path", path)
    if not is_model_file(path):
        raise ValueError(f"path must end in {SUFFIX!r}; got {os.fspath(path)!r}")
    replace_file(path, content())


def content_of(model: Any, values: State) -> bytes:
    """The content of a file with the values of a model, an object of a class of this package.

    Raises
    ------
    TypeError, ValueError
        For an object of a subclass, or a value that cannot be written.
    """
    from ..files.safetensors_file import to_bytes

    package = __name__.partition(".")[0]
    wanted = next(kind for kind in type(model).__mro__ if kind.__module__.startswith(f"{package}."))
    if type(model) is not wanted:
        raise TypeError(
            f"only objects of {wanted.__name__} itself can be saved, as a file has no code; "
            f"got a {type(model).__name__}"
        )
    return to_bytes({"format": FORMAT, "kind": wanted.__name__, **values}, _KINDS)


def warn_of_callbacks(callbacks: Sequence[Any]) -> None:
    """Warn of callbacks, which a file leaves out."""
    if callbacks:
        names = ", ".join(getattr(each, "__qualname__", reprlib.repr(each)) for each in callbacks)
        again = "fastmlp.load(path, callbacks=...) sets them again"
        warn(f"the file is without the callbacks, {names}: {again}", UserWarning)


def read_model(path: str | os.PathLike[str]) -> tuple[str, State]:
    """The name of the class whose object was saved, and its values; raises as ``fastmlp.load``."""
    from ..files.safetensors_file import read_file

    values = read_file(PATH["check"]("path", path), _KINDS, _FORMATS)
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
        raise ModelFileError(f"{os.fspath(path)} cannot be read: {what!s:.500}") from error
