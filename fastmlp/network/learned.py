"""What a fit leaves and another one goes on from."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .encoding import Signature
from .network import Network


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
