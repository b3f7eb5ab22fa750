"""Predictions of a network for rows, in the forms that metrics take."""

from typing import Protocol

import numpy as np

from ..cached import cached_property
from ..data import Array, EncodedRows, Numbers
from ..network.encoding import Encoding
from ..network.packed_network import Floats, Network
from .forward import predict


class Predictions(Protocol):
    """Predictions, of one network or of several."""

    @property
    def decoded(self) -> Array:
        """Labels or numbers, as from ``predict``."""

    @property
    def logits(self) -> Array:
        """One of each class, which are compared within a row only."""

    @property
    def log_odds(self) -> Numbers:
        """log p - log(1 - p), of each class or label; of a pair of classes those of the larger."""


class Predicted:
    """Predictions of a network, each form computed when it is first needed.

    Parameters
    ----------
    network : Network
    encoding : Encoding
    X : array or SparseRows
        Encoded rows.
    threads : int, optional
    """

    def __init__(
        self, network: Network, encoding: Encoding, X: EncodedRows, threads: int | None
    ) -> None:
        self._network, self._encoding, self._X, self._threads = network, encoding, X, threads

    @cached_property
    def activated(self) -> Floats:
        """Outputs after the output function of the loss."""
        return self._outputs(self._encoding.outputs.loss.name)

    @cached_property
    def decoded(self) -> Array:
        """Labels or numbers."""
        return self._encoding.outputs.predictions(self.activated)

    @cached_property
    def logits(self) -> Floats:
        """The outputs themselves."""
        return self._outputs("identity")

    @cached_property
    def log_odds(self) -> Numbers:
        """Log-odds of each class or label."""
        logits = self.logits.astype(np.float64)
        return _of_softmax(logits) if self._encoding.outputs.kind == "classes" else logits

    def _outputs(self, function: str) -> Floats:
        scaling = self._encoding.inputs.of_kernels
        return predict(self._network, self._X, self._threads, scaling, function)


def _of_softmax(logits: Numbers) -> Numbers:
    """z_k - log(sum of exp(z_j), j other than k), shape (n, c), without overflow; exact for c = 2.

    The largest logit of a row, subtracted from all, contributes exactly 1 to the other sums.
    """
    others = logits - logits.max(axis=1, keepdims=True)
    largest = others.argmax(axis=1)[:, None]
    np.put_along_axis(others, largest, -np.inf, axis=1)
    second = others.max(axis=1, keepdims=True)
    exponentials = np.exp(others - second)
    total = exponentials.sum(axis=1, keepdims=True)
    odds: Numbers = others - np.log1p((total - exponentials) * np.exp(second))
    np.put_along_axis(odds, largest, -(second + np.log(total)), axis=1)
    return odds
