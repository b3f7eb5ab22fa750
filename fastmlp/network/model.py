"""The result of a fit, from which another fit can continue."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..callbacks import EarlyStopping
from ..data import Split, check_classes
from ..frozen import changed
from ..inputs import Columns, Inputs, Scaling
from ..outputs import MeanWeight, given_outputs
from ..settings import Settings, check_setting
from ..settings.fit_settings import for_each_layer
from .encoding import Encoding
from .given_weights import check_weights
from .packed_network import Network


class Best(NamedTuple):
    """The best epoch so far of a fit with early stopping."""

    monitor: tuple[str, str, bool]  # settings of EarlyStopping: monitor, mode, restore_best
    epoch: int
    value: float  # signed so that less is better


@dataclass(frozen=True)
class Model:
    """The result of a fit, from which another fit can continue.

    Immutable and replaced as a whole, so that an interrupt or another thread never finds a part.

    Parameters
    ----------
    network : Network
        The network that predicts: during a fit that of the last epoch, afterwards the best one.
    encoding : Encoding
    hidden : tuple of int
        The setting ``hidden`` when the network was made.
    random : (seed, state), optional
        State of the random generator after the last finished epoch; None for a new one.
    monitored : tuple of float
        Values that a schedule has monitored, one per epoch.
    latest : Network, optional
        The network to continue training from, unless it is ``network``.
    average : Network, optional
        The average of the weights after the last epoch, unless it is ``network``.
    averaged : int
        Number of epochs in that average; 0 for none.
    best : Best, optional
        What early stopping knows; its network is ``best_network``, or ``network`` if that is None.
    best_network : Network, optional
    rate : float, optional
        The learning rate that a callback has set.
    split : Split, optional
        Rows kept for validation.
    digest : int
        Checksum of the data that were trained on and validated on.
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
    average: Network | None = None
    averaged: int = 0
    best: Best | None = None
    best_network: Network | None = None
    rate: float | None = None
    split: Split | None = None
    digest: int = 0
    extremes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    mean_weight: MeanWeight = field(default_factory=MeanWeight)

    def recorded(self, logs: Mapping[str, float], **changes: Any) -> "Model":
        """A copy whose extremes include the values of an epoch, except NaN and the time, and with
        further changes."""
        extremes = dict(self.extremes)
        for name, value in logs.items():
            known = extremes.get(name)
            if known is None:
                if name != "seconds" and not math.isnan(value):
                    extremes[name] = value, value
            elif value < known[0]:
                extremes[name] = value, known[1]
            elif value > known[1]:
                extremes[name] = known[0], value
        return changed(self, extremes=extremes, **changes)

    @property
    def trained(self) -> Network:
        """The network from which training continues."""
        return self.latest or self.network

    def averaged_with(self, latest: Network, kept: float) -> "Model":
        """A copy after an epoch: a moving average of decay ``kept``, a plain mean at first.

        The average also has the optimizer's state, so that training can continue from it.
        """
        if kept == 0:
            return changed(self, network=latest, latest=None, average=None, averaged=0)
        count = self.averaged + 1
        kept = min(kept, 1 - 1 / count)
        before = self.average or self.network
        network = latest.averaged_with(before, kept) if kept else latest
        return changed(self, network=network, latest=latest, average=None, averaged=count)

    def judged(self, before: "Model", stopping: EarlyStopping, best: Best) -> "Model":
        """A copy after an epoch, which becomes the best one or keeps the best network ``before``.

        ``best`` describes the epoch itself; one whose value is NaN is never the best.
        """
        known = self.best
        limit = math.inf if known is None else known.value - stopping.min_delta
        if best.value < limit:
            return changed(self, best=best, best_network=None)
        if known is None or not stopping.restore_best:
            return self
        return changed(self, best_network=before.best_network or before.network)

    def ended(self) -> "Model":
        """A copy at the end of a fit: the best network predicts, training continues from the
        latest one."""
        if self.best_network is None:
            return self
        return changed(
            self, network=self.best_network, best_network=None,
            latest=self.trained, average=self.network if self.averaged else None,
        )  # fmt: skip

    def at_rate(self, rate: float | None, given: float | None, default: float) -> "Model":
        """A copy with a learning rate that callbacks have set, unless it is the given one.

        ``default`` is the optimizer's rate, which None sets.
        """
        own = None if rate == given else default if rate is None else float(rate)
        return self if own == self.rate else changed(self, rate=own)

    def afresh(self) -> "Model":
        """A copy for a fit that begins with the network that predicts, without a best epoch."""
        return changed(self, latest=None, average=None, averaged=0, best=None, best_network=None)

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
        if not encoding.fitted:
            outputs = encoding.outputs.centred_for(checked)
            encoding = replace(encoding, outputs=outputs)
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
        return changed(
            self, network=network.with_weights(checked), encoding=encoding,
            latest=self.latest and self.latest.with_weights(checked), average=None,
        )  # fmt: skip

    def restarted(self) -> "Model":
        """A copy that knows nothing of earlier fits but the network that predicts."""
        network = self.network.restarted(self.network.rule)
        return Model(network, self.encoding, self.hidden)

    def plain(self) -> dict[str, Any]:
        """The model as plain arrays and values."""
        networks = {name: getattr(self, name) for name in _NETWORKS}
        networks = {name: network and network.plain() for name, network in networks.items()}
        return {
            **vars(self), **networks, "encoding": self.encoding.plain(),
            "best": self.best and tuple(self.best), "split": self.split and tuple(self.split),
            "extremes": dict(self.extremes), "mean_weight": tuple(self.mean_weight),
        }  # fmt: skip

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Model":
        """The model restored from :meth:`plain`; raises some exception for anything else."""
        networks: dict[str, Any] = {
            name: None if plain[name] is None else Network.from_plain(plain[name])
            for name in _NETWORKS
        }
        network, encoding = networks["network"], Encoding.from_plain(plain["encoding"])
        sizes = (encoding.inputs.count, encoding.outputs.count)
        if sizes != (network.layer_sizes[0], network.layer_sizes[-1]):
            raise ValueError(f"a network of {network.layer_sizes} does not map {sizes}")
        for other in filter(None, networks.values()):
            if (other.layer_sizes, other.dtype) != (network.layer_sizes, network.dtype):
                raise ValueError(f"a training of {other.layer_sizes} in {other.dtype}")
        if plain["random"] is not None:
            _, np.random.PCG64(0).state = plain["random"]  # an error unless it is one
        rest = {
            "averaged": int(plain["averaged"]), "digest": int(plain["digest"]),
            "monitored": tuple(map(float, plain["monitored"])),
            "best": None if plain["best"] is None else _best(*plain["best"]),
            "rate": None if plain["rate"] is None else float(plain["rate"]),
            "split": None if plain["split"] is None else _split(*plain["split"]),
            "extremes": {str(k): (float(a), float(b)) for k, (a, b) in plain["extremes"].items()},
            "mean_weight": MeanWeight.from_plain(*plain["mean_weight"]),
        }  # fmt: skip
        return cls(**plain | networks | rest | {"encoding": encoding})


_NETWORKS = "network", "latest", "average", "best_network"


def _best(monitor: Any, epoch: Any, value: Any) -> Best:
    name, mode, restored = monitor
    return Best((str(name), str(mode), bool(restored)), int(epoch), float(value))


def _split(seed: Any, n_rows: Any, fraction: Any, kind: Any) -> Split:
    if kind not in ("last", "shuffled", "stratified", "hash"):
        raise ValueError(f"a split that is {kind!r}")
    return Split(int(seed), int(n_rows), float(fraction), str(kind))


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
