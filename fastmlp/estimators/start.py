"""The trainer of a fit, and the first model, as scikit-learn draws it."""

import copy
from functools import lru_cache
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np

from ..data import Array, open_features
from ..inputs import Columns, Inputs, learn_inputs
from ..losses import Loss
from ..network.encoding import Encoding
from ..network.model import Model
from ..network.packed_network import Network
from ..optimizers import SGD, Adam, Optimizer
from ..settings import FitSettings, choices, resolved
from ..trainer import Trainer
from .parameters import Parameters

# Rows of a batch, if there are as many.
_BATCH = 200


def hidden_units(sizes: Any) -> tuple[int, ...]:
    """Units of the hidden layers.

    Raises
    ------
    TypeError, ValueError
        Unless all are integers > 0.
    """
    units = tuple(sizes) if np.iterable(sizes) else (sizes,)
    if not all(isinstance(count, Integral) for count in units):
        raise TypeError(f"hidden_layer_sizes must be integers, got {list(units)}.")
    if any(count <= 0 for count in units):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {list(units)}.")
    return units


def check_hidden_units(units: tuple[int, ...], model: Model) -> None:
    """Raise a ValueError unless they are those of a model to be continued."""
    known = model.network.layer_sizes[1:-1]
    if units != known:
        raise ValueError(
            f"hidden_layer_sizes must be those of the network that is trained further, {known}; "
            f"got {units}"
        )


def trainer_of(given: Parameters, loss: Loss, dtype: np.dtype[Any]) -> tuple[Trainer, FitSettings]:
    """A trainer with the parameters of an estimator, and its settings, for any number of rows.

    Raises
    ------
    TypeError, ValueError
        For items of sequences, which scikit-learn's constraints do not check.
    """
    hidden = hidden_units(given.hidden_layer_sizes)
    settings = dict(
        hidden=hidden,
        activation=given.activation if hidden else (),
        dropout=given.dropout,
        loss=loss,
        optimizer=_optimizer(given),
        schedule=None,
        l2=given.alpha,
        epochs=given.max_iter,
        batch_size=_BATCH if isinstance(given.batch_size, str) else given.batch_size,
        weight_averaging=0.0,
        shuffle=given.shuffle,
        scaling=given.scaling,
        validation_fraction=0.0,
        early_stopping=False,
        time_budget=given.time_budget,
        dtype=dtype,
        threads=given.threads,
    )
    if given.callbacks is not None:
        return _made(callbacks=given.callbacks, **settings)
    try:
        hash(tuple(settings.values()))
    except TypeError:  # arrays or lists
        return _made(**settings)
    trainer, chosen = _kept(**settings)
    return copy.copy(trainer), chosen


def _made(**given: Any) -> tuple[Trainer, FitSettings]:
    trainer = Trainer(**given)
    return trainer, resolved(choices(trainer), 1, validated=False)


# Without callbacks, which may hold data of the user. Of a fit of 100 rows it saves 0.1 ms.
_kept = lru_cache(maxsize=16, typed=True)(_made)


def _optimizer(given: Parameters) -> Optimizer:
    rate = given.learning_rate_init
    if given.solver == "sgd":
        momentum = min(given.momentum, np.nextafter(1.0, 0.0))  # ours is less than 1
        return SGD(rate, momentum=momentum, nesterov=given.nesterovs_momentum and momentum > 0)
    return Adam(rate, beta1=given.beta_1, beta2=given.beta_2, epsilon=given.epsilon)


def first_inputs(X: Any, weights: Array | None, settings: FitSettings) -> Inputs:
    """The inputs of a network, with a scaling learned from the rows X."""
    if settings.scaling is None:
        return Inputs(Columns(X.shape[1]))
    return learn_inputs(open_features(X), slice(None), weights, settings)[0]


def first_model(
    encoding: Encoding, settings: FitSettings, activation: str, random: np.random.RandomState
) -> Model:
    """A model with weights and biases drawn uniformly, layer by layer."""
    inputs, outputs = encoding.inputs, encoding.outputs
    factor = 2.0 if activation == "logistic" else 6.0
    weights = []
    for n_in, n_out in pairwise((inputs.count, *settings.hidden, outputs.count)):
        bound = np.sqrt(factor / (n_in + n_out))
        weights.append(random.uniform(-bound, bound, (n_in, n_out)))
        weights.append(random.uniform(-bound, bound, n_out))
    network = Network(weights, settings.dtype, settings.activations(len(settings.hidden)))
    return Model(network, encoding, settings.hidden)
