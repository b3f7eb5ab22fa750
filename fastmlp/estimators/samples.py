"""Rows of a fit, and the rows that early stopping scores."""

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.model_selection import train_test_split

from ..data import Array, EncodedRows, SparseFeatures, rescaled
from ..inputs import Scaling
from ..outputs import Targets
from ..outputs.targets import as_rows
from ..outputs.weights import Weights


class Samples(NamedTuple):
    """Encoded rows and targets, and weights of the rows, if any.

    Targets are indices of classes, int32 of shape (n,), or columns.
    """

    X: EncodedRows
    y: Array
    weights: Array | None

    def part(self, rows: Array) -> "Samples":
        """Some of the rows."""
        weights = None if self.weights is None else self.weights[rows]
        return Samples(self.X[rows], self.y[rows], weights)

    def targets(self, class_weights: Array | None = None) -> Targets:
        """Targets as kernels read them; ``class_weights`` of the rows count in the loss alone."""
        dtype, loss_weights = self.X.dtype, None
        if class_weights is not None:
            product = class_weights if self.weights is None else class_weights * self.weights
            loss_weights = _weights(product, dtype)
        weights = None if self.weights is None else _weights(self.weights, dtype)
        if self.y.ndim == 1:
            return Targets(self.y, None, weights, loss_weights)
        return Targets(None, as_rows(self.y, dtype), weights, loss_weights)


def _weights(values: Array, dtype: np.dtype[Any]) -> Weights:
    """Weights rounded as in kernels of ``dtype``, so that sums agree."""
    values, unit = rescaled(values.astype(np.float64))
    return Weights(values.astype(dtype).astype(np.float64), unit)


def scaled(X: Any, scaling: Scaling, dtype: np.dtype[Any], name: str = "X") -> EncodedRows:
    """Checked rows, an array or a CSR matrix, as kernels read them."""
    if not issparse(X):
        return scaling.apply(X, dtype, name)
    return scaling.apply_sparse(SparseFeatures(X, name).rows(X.dtype), dtype, name)


def held_out(
    n_rows: int, fraction: float, stratify: Array | None, random: np.random.RandomState
) -> tuple[Array, Array]:
    """Numbers of the rows to train on, and of those held out, as scikit-learn draws them.

    Raises
    ------
    ValueError
        If too few rows are held out, or a class has too few to be stratified.
    """
    train, held = train_test_split(
        np.arange(n_rows), random_state=random, test_size=fraction, stratify=stratify
    )
    if len(held) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
    return train, held
