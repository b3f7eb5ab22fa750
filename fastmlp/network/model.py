"""What a fit leaves and another one goes on from."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .encoding import Encoding
from .network import Network


@dataclass(frozen=True)
class Model:
    """What a fit leaves and another one goes on from.

    It is replaced as a whole: an interrupt, or another thread, finds all of it or nothing.

    Parameters
    ----------
    network : Network
        What predicts.
    encoding : Encoding
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
    encoding: Encoding
    hidden: tuple[int, ...]
    random: tuple[int | None, Any] | None = None
    monitored: tuple[float, ...] = ()
    latest: Network | None = None
    averaged: int = 0

    def settled(self, network: Network) -> "Model":
        """With another network, from which the training goes on."""
        return replace(self, network=network, latest=None, averaged=0)

    def averaged_with(self, latest: Network, kept: float) -> "Model":
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
            **vars(self), "network": self.network.plain(), "encoding": self.encoding.plain(),
            "latest": self.latest and self.latest.plain(),
        }  # fmt: skip

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Model":
        """What gave :meth:`plain`; raises an exception of some kind for anything else."""
        network = Network.from_plain(plain["network"])
        encoding = Encoding.from_plain(plain["encoding"])
        sizes = (encoding.inputs.count, encoding.outputs.count)
        if sizes != (network.layer_sizes[0], network.layer_sizes[-1]):
            raise ValueError(f"a network of {network.layer_sizes} does not map {sizes}")
        if plain["random"] is not None:
            _, np.random.PCG64(0).state = plain["random"]  # an error unless it is one
        latest = plain["latest"] and Network.from_plain(plain["latest"])
        if latest and (latest.layer_sizes, latest.dtype) != (network.layer_sizes, network.dtype):
            raise ValueError(f"a training of {latest.layer_sizes} in {latest.dtype}")
        monitored = tuple(map(float, plain["monitored"]))
        rest = {"averaged": int(plain["averaged"]), "latest": latest, "monitored": monitored}
        return cls(**plain | {"network": network, "encoding": encoding} | rest)
