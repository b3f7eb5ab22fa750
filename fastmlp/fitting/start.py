"""Start of a fit: initial weights, or a model to continue."""

import numpy as np

from ..callbacks import EarlyStopping
from ..frozen import changed
from ..network.initializers import initial_weights
from ..network.model import Model
from ..network.packed_network import Network
from ..settings import Choices, FitSettings
from ..settings.combinations import other_network
from ..settings.fit_settings import for_each_layer
from .dataset import FitData


def check_continues(model: Model, choices: Choices | FitSettings) -> None:
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


def goes_on(model: Model, stop_reason: str, data: FitData) -> bool:
    """Whether a fit of the same data, loss and early stopping goes on where one has ended.

    Early stopping and callbacks end a fit for good.
    """
    if stop_reason in ("", "early_stopping", "callback") or model.digest != data.digest:
        return False
    before, now = model.encoding.outputs, data.encoding.outputs
    if (before.loss, before.label_smoothing) != (now.loss, now.label_smoothing):
        return False
    monitor = model.best and model.best.monitor
    stopping = data.settings.early_stopping
    return monitor == (stopping and monitor_of(stopping))


def monitor_of(stopping: EarlyStopping) -> tuple[str, str, bool]:
    """The settings that must be the same for a comparison with the best epoch so far."""
    return stopping.monitor, stopping.mode, stopping.restore_best


def start(data: FitData, known: Model | None) -> tuple[Model, np.random.Generator]:
    """Return the model at the start of the first epoch, and the random generator."""
    settings, encoding = data.settings, data.encoding
    bits = np.random.PCG64(settings.seed)
    rng = np.random.Generator(bits)
    rule = settings.optimizer.rule
    if known is None:
        sizes = (encoding.inputs.count, *settings.hidden, encoding.outputs.count)
        activations = settings.activations(len(settings.hidden))
        weights = initial_weights(rng, sizes, activations, settings.initializer, settings.dtype)
        network = Network(weights, settings.dtype, activations).under(rule)
        model = Model(network, encoding, settings.hidden)
    else:
        if known.random is not None and known.random[0] == settings.seed:
            bits.state = known.random[1]
        model = _under(known, rule, averages=settings.weight_averaging > 0)
    # Estimators decide themselves what goes on.
    digest = 0 if settings.by_batch else data.digest
    return changed(
        model, encoding=encoding, hidden=settings.hidden, random=None,
        split=data.split or model.split, digest=digest,
    ), rng  # fmt: skip


def _under(model: Model, rule: str, *, averages: bool) -> Model:
    """The model with the optimizer state of a rule, which begins a new average if it is another,
    and without an average unless there are to be averages."""
    if model.averaged and not averages:
        network = model.average or model.network
        model = changed(model, latest=network, average=None, averaged=0)
    if model.trained.rule == rule:
        return model
    return changed(model, latest=model.trained.under(rule), average=None, averaged=0)
