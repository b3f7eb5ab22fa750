"""State of a trainer for copies and pickles: plain arrays and values with a format number.

Independent of the machine.
"""

import math
import pickle
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..history import History
from ..settings import SETTINGS
from .model import Model
from .state_types import State, check_state

# Version of pickled states.
FORMAT = 7
# Attributes that describe the last fit.
_OF_LAST_FIT = "n_iter_", "best_epoch_", "stop_reason_"


def plain_state(model: Model | None, history: History, attributes: Mapping[str, Any]) -> State:
    """The state of a trainer: attributes, history and model, as plain arrays and values."""
    n_epochs = attributes["n_iter_"]
    return {
        "format": FORMAT,
        "attributes": {**attributes, "stop_training": bool(attributes["stop_training"])},
        # A list of the user's own may be shorter.
        "history": {
            name: [*values[:n_epochs], *[math.nan] * (n_epochs - len(values))]
            for name, values in history.items()
        },
        "model": model and model.plain(),
    }


def without_settings(state: State) -> State:
    """A copy of a state without settings."""
    attributes = {name: state["attributes"][name] for name in _OF_LAST_FIT}
    return {**state, "attributes": attributes}


def with_settings(state: Any, own: State) -> State:
    """Add the settings of a trainer's ``own`` state to one :func:`without_settings`.

    Raises
    ------
    ValueError
        If ``state`` is something else.
    """
    attributes = state.get("attributes") if isinstance(state, Mapping) else None
    if not isinstance(attributes, dict) or set(attributes) & set(SETTINGS):
        raise ValueError("state must be what get_state gave; got something else")
    _check_format(state)
    settings = {k: v for k, v in own["attributes"].items() if k not in attributes}
    return {**state, "attributes": settings | attributes}


def restored(state: Any) -> tuple[dict[str, Any], History, Model | None]:
    """Restore attributes, history and model from :func:`plain_state`.

    Raises
    ------
    ValueError
        If the state has an unknown format, or is damaged.
    """
    _check_format(state)
    try:
        check_state(state)
        attributes = dict(state["attributes"])
        history = History({name: [*map(float, v)] for name, v in state["history"].items()})
        model = None if state["model"] is None else Model.from_plain(state["model"])
        n_epochs = attributes["n_iter_"]
        if model and model.best and model.best.epoch >= n_epochs:
            raise ValueError(f"its best epoch is {model.best.epoch} of {n_epochs}")
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        what = f"{type(error).__name__}: {error}"
        raise ValueError(f"the saved state of this trainer is damaged: {what}") from error
    return attributes, history, model


def _check_format(state: Any) -> None:
    got = state.get("format") if isinstance(state, Mapping) else None
    if type(got) is not int or got != FORMAT:
        raise ValueError(
            f"this trainer was saved by another version of fastmlp: got format {got!r}, "
            f"known is {FORMAT}"
        )


class _Nowhere:
    """A file that discards its data."""

    def write(self, data: bytes) -> int:
        return len(data)


class _Trial(pickle.Pickler):
    """A pickler that discards its output, and skips large arrays and the trainers in a callback."""

    def __init__(self, trainer: type) -> None:
        super().__init__(_Nowhere(), protocol=5, buffer_callback=lambda buffer: None)
        self._trainer = trainer

    def persistent_id(self, value: Any) -> Any:
        return True if isinstance(value, self._trainer) else None


# Exceptions of pickling. Those of a time limit, or a lack of memory, pass through.
_UNPICKLABLE = (
    pickle.PicklingError, TypeError, ValueError, AttributeError, RuntimeError, LookupError,
)  # fmt: skip


def check_picklable(callbacks: Iterable[Callable[..., Any]], trainer: type) -> None:
    """Try to pickle each callback, to name one that fails.

    Not under cloudpickle and dill, which can pickle more and report errors themselves. Trainers in
    a callback, of type ``trainer``, are skipped, as they check their own callbacks.

    Raises
    ------
    pickle.PicklingError
        If one cannot be pickled.
    """
    if _pickles_more():
        return
    for index, callback in enumerate(callbacks):
        try:
            _Trial(trainer).dump(callback)
        except _UNPICKLABLE as error:
            raise pickle.PicklingError(
                f"callbacks[{index}], {callback!r}, cannot be pickled: set "
                "trainer.callbacks = () first, or make it a function or class of a module"
            ) from error


def _pickles_more() -> bool:
    """Whether cloudpickle or dill is pickling now."""
    frame = sys._getframe(1)
    while frame is not None:
        package = str(frame.f_globals.get("__name__")).split(".")
        if "cloudpickle" in package or "dill" in package:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
