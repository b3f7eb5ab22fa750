"""The form in which a trainer is copied and pickled: plain arrays, and the number of a format.

It depends on no machine.
"""

import pickle
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..history import History
from ..settings import SETTINGS
from .model import Model

State = dict[str, Any]

# Of what is pickled.
FORMAT = 5
# Attributes that tell of the last fit.
_LEARNED = "n_iter_", "best_epoch_", "stop_reason_"


def plain_state(model: Model | None, history: History, attributes: Mapping[str, Any]) -> State:
    """The state of a trainer: its attributes, what was recorded and learned, in plain form."""
    n_epochs = attributes["n_iter_"]
    return {
        "format": FORMAT,
        "attributes": dict(attributes),
        "history": {name: values[:n_epochs] for name, values in history.items()},
        "model": model and model.plain(),
    }


def learned_state(state: State) -> State:
    """A state without settings."""
    attributes = {name: state["attributes"][name] for name in _LEARNED}
    return {**state, "attributes": attributes}


def with_settings(state: Any, own: State) -> State:
    """A :func:`learned_state`, with the settings of the state of a trainer that takes it.

    Raises
    ------
    ValueError
        If it is something else.
    """
    attributes = state.get("attributes") if isinstance(state, Mapping) else None
    if not isinstance(attributes, dict) or set(attributes) & set(SETTINGS):
        raise ValueError("state must be what get_state gave; got something else")
    settings = {k: v for k, v in own["attributes"].items() if k not in attributes}
    return {**state, "attributes": settings | attributes}


def restored(state: Any) -> tuple[dict[str, Any], History, Model | None]:
    """What :func:`plain_state` was given.

    Raises
    ------
    ValueError
        If the state has a format that this version does not know, or is damaged.
    """
    got = state.get("format") if isinstance(state, dict) else None
    if got != FORMAT:
        raise ValueError(
            f"this trainer was saved by another version of fastmlp: got format {got!r}, "
            f"known is {FORMAT}"
        )
    try:
        attributes, history = dict(state["attributes"]), History(state["history"])
        model = state["model"] and Model.from_plain(state["model"])
        if missing := {*SETTINGS, "n_iter_", "stop_training"} - set(attributes):
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise ValueError(f"the saved state of this trainer is damaged: {what}") from error
    return attributes, history, model


class _Nowhere:
    """A file that keeps nothing."""

    def write(self, data: bytes) -> int:
        return len(data)


class _Trial(pickle.Pickler):
    """Pickles to nowhere, without large arrays and the trainers that a callback may hold."""

    def __init__(self, trainer: type) -> None:
        super().__init__(_Nowhere(), protocol=5, buffer_callback=lambda buffer: None)
        self._trainer = trainer

    def persistent_id(self, value: Any) -> Any:
        return True if isinstance(value, self._trainer) else None


# What pickling raises. Exceptions of a time limit, or a lack of memory, pass through.
_UNPICKLABLE = (
    pickle.PicklingError, TypeError, ValueError, AttributeError, RuntimeError, LookupError,
)  # fmt: skip


def check_picklable(callbacks: Iterable[Callable[..., Any]], trainer: type) -> None:
    """Try to pickle each callback, to name the one that cannot be.

    cloudpickle and dill can pickle more, and tell for themselves. Objects of type ``trainer`` in a
    callback, among them the one that it belongs to, check their own.

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
    """Whether a pickler of cloudpickle or dill is at work."""
    frame = sys._getframe(1)
    while frame is not None:
        package = str(frame.f_globals.get("__name__")).split(".")
        if "cloudpickle" in package or "dill" in package:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
