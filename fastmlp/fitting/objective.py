"""Loss and gradient of all rows, for optimizers that are not mini-batch rules."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ..network.encoding import Encoding
from ..network.model import Model
from ..network.packed_network import Floats, Network
from ..optimizers import SGD
from ..settings import Settings, choices, resolved
from .dataset import FitData
from .epoch import TrainingRun


class Objective:
    """The loss of all rows as a function of the packed weights, with its gradient.

    Parameters
    ----------
    network : Network
        Of the layers and the dtype of the weights.
    data : FitData
        Dropout, clipping and weight decay have no effect.
    """

    def __init__(self, network: Network, data: FitData) -> None:
        settings = replace(
            data.settings, batch_size=len(data.X), dropout=0.0, clip_norm=None, optimizer=SGD()
        )
        # A clipped loss contradicts its gradient: line searches on raw data end at the first step.
        outputs = replace(data.encoding.outputs, least_probability=0.0)
        encoding = replace(data.encoding, outputs=outputs)
        data = replace(data, settings=settings, encoding=encoding)
        self._run = TrainingRun(network.restarted("sgd"), data, keeps_gradient=True)

    def __call__(self, packed: Floats) -> tuple[float, Floats]:
        """Return loss and gradient at packed weights, whose layout the gradient has."""
        return self._run.loss_and_gradient(packed)

    def end(self) -> None:
        """Leave the memory to another one, after the last call."""
        self._run.end()


def loss_and_gradient(
    model: Model, threads: int | None, X: Any, Y: Any, sample_weight: Any
) -> tuple[float, list[Floats]]:
    """Loss of a model in the unit of the targets, and its gradient by the weights in that unit.

    Raises
    ------
    TypeError, ValueError
        For data that do not suit the model.
    FloatingPointError
        When the loss or its gradient is not finite.
    """
    outputs = model.encoding.outputs
    weights = outputs.in_units(model.network.get_weights())
    # As wide as the last layer: float32 may be too coarse for targets in their unit.
    dtype = np.dtype(weights[-1].dtype)
    network = Network(weights, dtype, model.network.activations)
    encoding = Encoding(model.encoding.inputs, outputs.unscaled(), model.encoding.fitted)
    rows, targets = encoding.rows_and_targets(X, Y, sample_weight, dtype)
    # Neither penalties nor dropout; contradictions among those of a trainer do not matter.
    settings = resolved(choices(Settings(threads=threads)), len(rows), validated=True)
    objective = Objective(network, FitData(rows, targets, encoding, settings))
    loss, packed = objective(network.packed)
    objective.end()
    if not (math.isfinite(loss) and np.isfinite(packed).all()):
        raise FloatingPointError(
            f"the loss or its gradient is not finite, as weights or values of X are too large; got "
            f"a loss of {loss}"
        )
    gradient = network.trained(packed, network.state, 0).get_weights()
    return loss, [g.astype(w.dtype) for g, w in zip(gradient, weights, strict=True)]
