"""The result of a fit, from which another fit can continue."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import check_classes
from ..inputs import Columns, Inputs, Scaling
from ..outputs import MeanWeight, given_outputs
from ..settings import Settings, check_setting
from ..settings.fit_settings import for_each_layer
from .encoding import Encoding
from .given_weights import check_weights
from .packed_network import Network


@dataclass(frozen=True)
class Model:
    """The result of a fit, from which another fit can continue.

    Immutable and replaced as a whole, so that an interrupt or another thread never finds a part.

    Parameters
    ----------
    network : Network
        The network that predicts.
    encoding : Encoding
    hidden : tuple of int
        The setting ``hidden`` when the network was made.
    random : (seed, state), optional
        State of the random generator after the last finished epoch; None for a new one.
    monitored : tuple of float
        Values that a schedule has monitored, one per epoch.
    latest : Network, optional
        The network to continue training from, if ``network`` has averaged weights.
    averaged : int
        Number of epochs in that average.
    extremes : dict of str to (float, float)
        The smallest and the largest value of each recorded quantity in all fits of the network.
    mean_weight : MeanWeight
        That of the rows trained on, by which streams and ``partial_fit`` divide losses.
    """

    network: Network
    encoding: Encoding
    hidden: tuple[int, ...]
    random: tuple[int | None, Any] | None = None
    monitored: tuple[float, ...] = ()
    latest: Network | None = None
    averaged: int = 0
    extremes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    mean_weight: MeanWeight = field(default_factory=MeanWeight)

    def recorded(self, logs: Mapping[str, float]) -> "Model":
        """A copy after an epoch with these recorded values; NaN and the time are left out."""
        extremes = dict(self.extremes)
        for name, value in logs.items():
            if name != "seconds" and not math.isnan(value):
                low, high = extremes.get(name, (value, value))
                extremes[name] = min(low, value), max(high, value)
        return replace(self, extremes=extremes)

    def settled(self, network: Network) -> "Model":
        """A copy with another network, from which training continues."""
        return replace(self, network=network, latest=None, averaged=0)

    def averaged_with(self, latest: Network, kept: float) -> "Model":
        """A copy after an epoch: a moving average of decay ``kept``, a plain mean at first.

        The average also has the optimizer's state, so that training can continue from it.
        """
        if kept == 0:
            return self.settled(latest)
        count = self.averaged + 1
        kept = min(kept, 1 - 1 / count)
        network = latest.averaged_with(self.network, kept) if kept else latest
        return replace(self, network=network, latest=latest, averaged=count)

    def with_weights(
        self,
        weights: Sequence[npt.ArrayLike],
        classes: npt.ArrayLike | None = None,
        scaling: Scaling | float | npt.ArrayLike | None = None,
    ) -> "Model":
        """A copy with other weights, in the unit of the targets, and perhaps classes and scaling.

        Raises
        ------
        TypeError, ValueError
            If they do not fit the network.
        """
        network, encoding = self.network, self.encoding
        n_inputs, *hidden, n_outputs = network.layer_sizes
        checked = check_weights(
            weights, n_features=n_inputs, n_outputs=n_outputs, hidden=tuple(hidden)
        )
        checked = check_weights(encoding.outputs.from_units(checked), dtype=network.dtype)
        if classes is not None:
            labels = check_classes(classes, len(encoding.outputs.labels))
            encoding = replace(encoding, outputs=replace(encoding.outputs, classes=labels))
        if scaling is not None:
            inputs = encoding.inputs.scaled_by(scaling)
            if inputs.count != n_inputs:
                got = f"{inputs.count} with {inputs.scaling}"
                raise ValueError(f"scaling must make {n_inputs} inputs of the features; got {got}")
            encoding = replace(encoding, inputs=inputs)
        return replace(self.settled(network.with_weights(checked)), encoding=encoding)

    def restarted(self) -> "Model":
        """A copy with new optimizer state, random generator, extremes and mean weight."""
        network = self.network.restarted(self.network.rule)
        return replace(self, network=network, random=None, extremes={}, mean_weight=MeanWeight())

    def plain(self) -> dict[str, Any]:
        """The model as plain arrays and values."""
        return {
            **vars(self), "network": self.network.plain(), "encoding": self.encoding.plain(),
            "latest": self.latest and self.latest.plain(), "extremes": dict(self.extremes),
            "mean_weight": tuple(self.mean_weight),
        }  # fmt: skip

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Model":
        """The model restored from :meth:`plain`; raises some exception for anything else."""
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
        extremes = {str(k): (float(a), float(b)) for k, (a, b) in plain["extremes"].items()}
        rest = {
            "averaged": int(plain["averaged"]), "latest": latest, "monitored": monitored,
            "extremes": extremes, "mean_weight": MeanWeight.from_plain(*plain["mean_weight"]),
        }  # fmt: skip
        return cls(**plain | {"network": network, "encoding": encoding} | rest)


def given_model(weights: Sequence[npt.ArrayLike], scaling: Any, settings: Settings) -> Model:
    """A model of weights given by a user, with their scaling, if any."""
    names = "dtype", "hidden", "activation", "scaling", "loss"
    dtype, hidden, activation, setting, loss = (
        check_setting(name, getattr(settings, name)) for name in names
    )
    checked = check_weights(weights, dtype=dtype)
    count = len(checked) // 2 - 1
    activations = for_each_layer(activation, count)
    if len(activations) != count:
        got = f"got activation={activation!r} and {count} hidden layers"
        raise ValueError(f"activation must be one name, or one for each hidden layer; {got}")
    network = Network(checked, dtype, activations)
    n_inputs, *_, n_outputs = network.layer_sizes
    outputs = given_outputs(loss, n_outputs)
    bins = scaling.bins if isinstance(scaling, Scaling) else None
    inputs = Inputs(Columns(n_inputs - (bins.count if bins else 0)))
    if not isinstance(setting, str):
        inputs = inputs.scaled_by(setting)
    return Model(network, Encoding(inputs, outputs, fitted=False), hidden)
