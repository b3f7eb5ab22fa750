"""Start of a fit: initial weights, or a model to continue."""

from dataclasses import replace

import numpy as np

from ..network.encoding import Encoding
from ..network.initializers import initial_weights
from ..network.model import Model
from ..network.packed_network import Network
from ..settings import Choices, FitSettings
from ..settings.combinations import other_network
from ..settings.fit_settings import for_each_layer


def check_continues(model: Model, choices: Choices) -> None:
    """Raise a ValueError for settings that differ from the network to be continued."""
    network, dropout = model.network, choices.dropout
    count = len(network.activations)
    got = ""
    if choices.hidden not in (model.hidden, network.layer_sizes[1:-1]):
        got = f"hidden={choices.hidden!r}, but the network has layers of {network.layer_sizes}"
    elif for_each_layer(choices.activation, count) != network.activations:
        got = f"activation={choices.activation!r}, but the network has {network.activations}"
    elif isinstance(dropout, tuple) and any(dropout) and len(dropout) != count + 1:
        got = f"dropout={dropout!r}, but the network has {count} hidden layers"
    elif choices.dtype != network.dtype:
        got = f"dtype={choices.dtype.name!r}, but the network is of {network.dtype.name}"
    if got:
        raise other_network(got)


def start(
    settings: FitSettings, encoding: Encoding, known: Model | None
) -> tuple[Model, np.random.Generator]:
    """Return the model at the start of the first epoch, and the random generator."""
    bits = np.random.PCG64(settings.seed)
    rng = np.random.Generator(bits)
    rule = settings.optimizer.rule
    if known is None:
        sizes = (encoding.inputs.count, *settings.hidden, encoding.outputs.count)
        activations = settings.activations(len(settings.hidden))
        weights = initial_weights(rng, sizes, activations, settings.initializer)
        network = Network(weights, settings.dtype, activations).under(rule)
        return Model(network, encoding, settings.hidden), rng
    if known.random is not None and known.random[0] == settings.seed:
        bits.state = known.random[1]
    model = replace(known, encoding=encoding, hidden=settings.hidden, random=None)
    if known.latest is None or settings.weight_averaging == 0:
        return model.settled(known.network.under(rule)), rng
    latest = known.latest.under(rule)
    return (model if latest is known.latest else model.settled(latest)), rng
