"""Encoded targets, as kernels read them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import Array, Numbers, Rows

# More than a vector, as kernels load whole vectors, past the last row too.
PADDING = 64


@dataclass(frozen=True)
class Targets:
    """Encoded targets of n rows, either labels or values.

    Parameters
    ----------
    labels : int32 array of shape (n,), optional
        Indices of classes.
    values : array of shape (outputs, n), optional
        Targets of each output, in the network's dtype.
    weights : float64 array of shape (n,), optional
        Sample weights, by default 1.
    """

    labels: npt.NDArray[np.int32] | None = None
    values: npt.NDArray[np.floating] | None = None
    weights: Numbers | None = None

    def __len__(self) -> int:
        return len(self.labels) if self.values is None else self.values.shape[1]  # type: ignore

    @property
    def total(self) -> float:
        """Sum of the sample weights."""
        return float(len(self) if self.weights is None else self.weights.sum())

    def part(self, rows: Rows | list[int]) -> "Targets":
        """The targets of some rows."""
        labels = None if self.labels is None else self.labels[rows]
        values = None if self.values is None else self.values[:, rows]
        return Targets(labels, values, None if self.weights is None else self.weights[rows])

    @property
    def weights_or_ones(self) -> Numbers:
        """Sample weights of all rows."""
        return np.ones(len(self)) if self.weights is None else self.weights

    def gathered(
        self, order: npt.NDArray[np.int64], dtype: np.dtype[Any], *, weighted: bool
    ) -> dict[str, Array]:
        """Copies of the rows ``order``, padded, by the names of the fields of a run."""
        arrays: dict[str, Array] = {}
        if self.values is None:
            arrays["labels"] = np.zeros(len(order), np.int32)
        else:
            arrays["targets"] = np.zeros((len(self.values), len(order) + PADDING), dtype)
        if weighted:
            arrays["weights"] = np.zeros(len(order) + PADDING, dtype)
        self.gather(order, arrays)
        return arrays

    def gather(self, order: npt.NDArray[np.int64], arrays: dict[str, Array]) -> None:
        """Copy the rows ``order`` to arrays from :meth:`gathered`, of the same length."""
        if self.labels is not None:
            # The default mode makes a copy first, in case an index is wrong.
            self.labels.take(order, out=arrays["labels"], mode="clip")
        if self.values is not None:
            arrays["targets"][:, : len(order)] = self.values[:, order]
        if "weights" in arrays:
            arrays["weights"][: len(order)] = 1 if self.weights is None else self.weights[order]


def as_rows(columns: Array, dtype: np.dtype[Any]) -> npt.NDArray[np.floating]:
    """Transpose columns of targets to rows, the layout of the kernels."""
    return np.ascontiguousarray(columns.T, dtype)


def squares(targets: Targets) -> Numbers:
    """Weighted sum of squared deviations from the mean, for the targets of each output."""
    values = np.asarray(targets.values, np.float64)
    weights = targets.weights_or_ones
    means = np.einsum("ij,j->i", values, weights) / targets.total
    sums: Numbers = np.einsum("ij,j->i", (values - means[:, None]) ** 2, weights)
    # 0 for constant columns, which leave rounding errors.
    sums[sums <= (np.finfo(np.float32).eps * means) ** 2 * targets.total] = 0
    return sums
