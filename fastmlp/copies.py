"""What leaves a trainer: copies and pickles, which depend on no machine."""

import pickle
import sys
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

from .history import History
from .network import Network

# Of what is pickled.
FORMAT = 1

_TRANSIENT = ("_fitting",)

_checking: ContextVar[bool] = ContextVar("checking", default=False)


def plain_state(trainer: Any) -> dict[str, Any]:
    """The attributes of a trainer, its network as plain arrays, and the number of this format."""
    attributes = {name: value for name, value in vars(trainer).items() if name not in _TRANSIENT}
    history, network = attributes.pop("history"), attributes.pop("_network")
    return {
        "format": FORMAT,
        "attributes": attributes,
        "history": {name: list(values) for name, values in history.items()},
        "network": network and network.__getstate__(),
    }


def restore(trainer: Any, state: dict[str, Any]) -> None:
    """Give a trainer, made without ``__init__``, a state of :func:`plain_state`.

    Raises
    ------
    ValueError
        If the state has a format that this version does not know.
    """
    if state.get("format") != FORMAT:
        got = f"got format {state.get('format')!r}, known is {FORMAT}"
        raise ValueError(f"this trainer was saved by another version of fastmlp: {got}")
    network = None
    if state["network"] is not None:
        network = Network.__new__(Network)
        network.__setstate__(state["network"])
    vars(trainer).update(
        state["attributes"], history=History(state["history"]), _network=network, _fitting=False
    )


def check_picklable(callbacks: Iterable[Callable[..., Any]]) -> None:
    """Try to pickle each callback, to name the one that cannot be.

    cloudpickle and dill can pickle more, and tell for themselves.

    Raises
    ------
    pickle.PicklingError
        If one cannot be pickled.
    """
    if _checking.get() or _pickles_more():
        return
    token = _checking.set(True)  # a callback may hold this trainer
    try:
        for index, callback in enumerate(callbacks):
            try:
                pickle.dumps(callback)
            except Exception as error:
                raise pickle.PicklingError(
                    f"callbacks[{index}], {callback!r}, cannot be pickled: set "
                    "trainer.callbacks = () first, or make it a function or class of a module"
                ) from error
    finally:
        _checking.reset(token)


def _pickles_more() -> bool:
    """Whether a pickler of cloudpickle or dill is at work."""
    frame = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if "cloudpickle" in module or module.startswith("dill."):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
