"""Losses, with their settings.

z is an output of the network, y its target; the loss of a batch is the mean over its samples of the
loss times their weights, whose mean over all training rows is 1, as Keras's ``sum_over_batch_size``
but for that mean. To add one: its formula in ``kernels.plugins``, a class here with the source, and
a line in ``LOSSES``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .checks import RATE, Checked

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Loss(Checked):
    """Base of the losses."""

    # Kind of targets: "classes", one per row; "labels", any number per row; "numbers"; or "counts",
    # which are never negative.
    targets: ClassVar[str]
    # Name in ``LOSSES``.
    name: ClassVar[str]
    # The loss scales with the unit of the targets as ``unit ** degree``.
    degree: ClassVar[int] = 0

    @property
    def count(self) -> int:
        """Number of outputs for each target."""
        return 1

    @property
    def is_numeric(self) -> bool:
        """Whether targets are numbers or counts, which have no classes and no probabilities."""
        return self.targets in ("numbers", "counts")

    def has_outputs_of(self, other: Loss) -> bool:
        """Whether outputs trained with ``other`` have the same meaning under this loss."""
        return (self.targets, self.count) == (other.targets, other.count)

    def parameters(self, spread: Numbers) -> Numbers:
        """Parameter of the loss for each output, in units of its ``spread``; 0 if there is none."""
        return np.zeros_like(spread)


@dataclass(frozen=True)
class SoftmaxCrossEntropy(Loss):
    """-sum_k y_k log p_k, where p is the softmax of the outputs, one for each class."""

    targets: ClassVar[str] = "classes"


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """-y log p - (1 - y) log(1 - p), p = 1 / (1 + exp(-z)).

    For two classes from one output, or for rows of 0 and 1, with an output for each label and the
    sum of their losses, as in scikit-learn (Keras averages them).
    """

    targets: ClassVar[str] = "labels"


@dataclass(frozen=True)
class SquaredError(Loss):
    """(z - y)^2 / 2, as in scikit-learn; the mean over the outputs."""

    targets: ClassVar[str] = "numbers"
    degree: ClassVar[int] = 2


@dataclass(frozen=True)
class AbsoluteError(Loss):
    """abs(z - y), whose slope at 0 is 0; the mean over the outputs."""

    targets: ClassVar[str] = "numbers"
    degree: ClassVar[int] = 1


@dataclass(frozen=True)
class Huber(Loss):
    """(z - y)^2 / 2 up to an error of delta, then delta * (abs(z - y) - delta / 2).

    Huber 1964, as in Keras and in scikit-learn's boosting; the mean over the outputs.

    Parameters
    ----------
    delta : float, default 1.0
        In the unit of the targets.
    """

    delta: float = field(default=1.0, metadata=RATE)

    targets: ClassVar[str] = "numbers"
    degree: ClassVar[int] = 2

    def parameters(self, spread: Numbers) -> Numbers:
        """Delta in units of each spread."""
        return self.delta / spread


def _check_quantiles(name: str, value: Any) -> float | tuple[float, ...]:
    def one(number: Any) -> float:
        if isinstance(number, Real) and not isinstance(number, bool) and 0 < float(number) < 1:
            return float(number)
        raise ValueError(f"{name} must be numbers > 0 and < 1; got {value!r}")

    if not isinstance(value, Sequence) or isinstance(value, str):
        return one(value)
    quantiles = tuple(map(one, value))
    if not quantiles or any(a >= b for a, b in pairwise(quantiles)):
        raise ValueError(f"{name} must be in rising order; got {value!r}")
    return quantiles


@dataclass(frozen=True)
class Quantile(Loss):
    """The pinball loss: q * (y - z) for y above z, (1 - q) * (z - y) below.

    Koenker and Bassett 1978, as scikit-learn's ``QuantileRegressor``. Several quantiles of one
    target get an output each, and the loss is their mean; predictions are sorted, which never
    increases that mean (Chernozhukov, Fernández-Val and Galichon 2010). The loss in the history is
    that of the unsorted outputs.

    Parameters
    ----------
    q : float or sequence of float, default 0.5
        Quantiles, between 0 and 1, in rising order.
    """

    q: float | tuple[float, ...] = field(default=0.5, metadata={"check": _check_quantiles})

    targets: ClassVar[str] = "numbers"
    degree: ClassVar[int] = 1

    @property
    def count(self) -> int:
        """Number of quantiles, and so of outputs for each target."""
        return len(self.q) if isinstance(self.q, tuple) else 1

    def parameters(self, spread: Numbers) -> Numbers:
        """The quantile of each output."""
        return np.full_like(spread, self.q)


@dataclass(frozen=True)
class Poisson(Loss):
    """exp(z) - y z, as scikit-learn's ``PoissonRegressor`` and Keras without terms of y alone.

    The outputs are logarithms of the expected counts; the mean over the outputs.
    """

    targets: ClassVar[str] = "counts"
    degree: ClassVar[int] = 1


LOSSES: dict[str, type[Loss]] = {
    "softmax_cross_entropy": SoftmaxCrossEntropy,
    "binary_cross_entropy": BinaryCrossEntropy,
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "quantile": Quantile,
    "poisson": Poisson,
}
for _name, _kind in LOSSES.items():
    _kind.name = _name
