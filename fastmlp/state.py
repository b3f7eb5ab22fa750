"""What a trainer has learned, and the form in which it is copied and pickled.

That form depends on no machine: plain arrays, and the number of a format.
"""

import pickle
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .data import Signature
from .history import History
from .network import Network
from .settings import SETTINGS

# Of what is pickled.
FORMAT = 4


@dataclass(frozen=True)
class Learned:
    """What a fit leaves and another one goes on from.

    It is replaced as a whole: an interrupt, or another thread, finds all of it or nothing.

    Parameters
    ----------
    network : Network
        What predicts.
    signature : Signature
    hidden : tuple of int
        What the setting was when the network was made.
    random : (seed, state), optional
        Generator of the orders of rows, as the last finished epoch left it; None starts afresh.
    monitored : tuple of float
        What a schedule has monitored, epoch by epoch.
    latest : Network, optional
        What the training left, where the network has averaged weights.
    averaged : int
        Epochs that they are averages of.
    """

    network: Network
    signature: Signature
    hidden: tuple[int, ...]
    random: tuple[int | None, Any] | None = None
    monitored: tuple[float, ...] = ()
    latest: Network | None = None
    averaged: int = 0

    def settled(self, network: Network) -> "Learned":
        """With another network, from which the training goes on."""
        return replace(self, network=network, latest=None, averaged=0)

    def averaged_with(self, latest: Network, kept: float) -> "Learned":
        """After an epoch, of weights of which the average keeps a share; of the first their mean.

        The average has the optimiser's state, so that whoever settles it can go on from it.
        """
        if kept == 0:
            return self.settled(latest)
        count = self.averaged + 1
        kept = min(kept, 1 - 1 / count)
        network = latest.averaged_with(self.network, kept) if kept else latest
        return replace(self, network=network, latest=latest, averaged=count)

    def plain(self) -> dict[str, Any]:
        """The same as plain arrays and values."""
        return {
            **vars(self), "network": self.network.plain(), "signature": self.signature.plain(),
            "latest": self.latest and self.latest.plain(),
        }  # fmt: skip

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Learned":
        """What gave :meth:`plain`; raises an exception of some kind for anything else."""
        network = Network.from_plain(plain["network"])
        signature = Signature.from_plain(plain["signature"])
        sizes = (signature.inputs.count, signature.outputs.count)
        if sizes != (network.layer_sizes[0], network.layer_sizes[-1]):
            raise ValueError(f"a network of {network.layer_sizes} does not map {sizes}")
        if plain["random"] is not None:
            _, np.random.PCG64(0).state = plain["random"]  # an error unless it is one
        latest = plain["latest"] and Network.from_plain(plain["latest"])
        if latest and (latest.layer_sizes, latest.dtype) != (network.layer_sizes, network.dtype):
            raise ValueError(f"a training of {latest.layer_sizes} in {latest.dtype}")
        monitored = tuple(map(float, plain["monitored"]))
        rest = {"averaged": int(plain["averaged"]), "latest": latest, "monitored": monitored}
        return cls(**plain | {"network": network, "signature": signature} | rest)


def learned_state(trainer: Any) -> dict[str, Any]:
    """What a trainer has learned and recorded, without its settings."""
    state = plain_state(trainer)
    names = "n_iter_", "best_epoch_", "stop_reason_"
    attributes = {name: state["attributes"][name] for name in names}
    return {**state, "attributes": attributes}


def set_learned(trainer: Any, state: Any) -> None:
    """Give a trainer what :func:`learned_state` gave; raises as :func:`restore`."""
    attributes = state.get("attributes") if isinstance(state, dict) else None
    if not isinstance(attributes, dict) or set(attributes) & set(SETTINGS):
        raise ValueError("state must be what get_state gave; got something else")
    settings = {k: v for k, v in plain_state(trainer)["attributes"].items() if k not in attributes}
    restore(trainer, {**state, "attributes": settings | attributes})


def plain_state(trainer: Any) -> dict[str, Any]:
    """The attributes of a trainer, what it has learned in plain form, and the format's number."""
    attributes = dict(vars(trainer))  # one step: another thread may be fitting
    attributes.pop("_fitting")
    history, learned = attributes.pop("history"), attributes.pop("_learned")
    n_epochs = attributes["n_iter_"]
    return {
        "format": FORMAT,
        "attributes": attributes,
        "history": {name: values[:n_epochs] for name, values in history.items()},
        "learned": learned and learned.plain(),
    }


def restore(trainer: Any, state: Any) -> None:
    """Give a trainer, made without ``__init__``, a state of :func:`plain_state`.

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
        attributes = state["attributes"] | {
            "history": History(state["history"]),
            "_learned": state["learned"] and Learned.from_plain(state["learned"]),
            "_fitting": None,
        }
        if missing := {*SETTINGS, "n_iter_", "stop_training"} - set(attributes):
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise ValueError(f"the saved state of this trainer is damaged: {what}") from error
    vars(trainer).update(attributes)


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
