"""Encoded targets, as kernels read them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cached import cached_property
from ..data import Array, Numbers, Rows
from .weights import Weights

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
    weights : Weights, optional
        Sample weights, by default 1.
    loss_weights : Weights, optional
        Weights in the loss, by default the sample weights.
    """

    labels: npt.NDArray[np.int32] | None = None
    values: npt.NDArray[np.floating] | None = None
    weights: Weights | None = None
    loss_weights: Weights | None = None

    def __len__(self) -> int:
        return len(self.labels) if self.values is None else self.values.shape[1]  # type: ignore

    @property
    def is_weighted(self) -> bool:
        """Whether rows have different weights."""
        return self.weights is not None or self.loss_weights is not None

    @property
    def of_loss(self) -> Weights:
        """Weights of all rows in the loss."""
        return self.loss_weights or self.of_scores

    @cached_property
    def of_scores(self) -> Weights:
        """Weights of all rows in metrics."""
        return self.weights or Weights(np.broadcast_to(1.0, len(self)))

    @cached_property
    def totals(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Sum and unit of the weights in the loss, and of those in metrics."""
        of_loss, of_scores = (
            (float(len(self)), 1.0) if weights is None else (weights.total, weights.unit)
            for weights in (self.loss_weights or self.weights, self.weights)
        )
        return of_loss, of_scores

    @property
    def weights_or_ones(self) -> Numbers:
        """Sample weights of all rows, in some unit."""
        return self.of_scores.values

    def part(self, rows: Rows | list[int]) -> "Targets":
        """The targets of some rows."""
        labels = None if self.labels is None else self.labels[rows]
        values = None if self.values is None else self.values[:, rows]
        weights, loss_weights = (w and w.part(rows) for w in (self.weights, self.loss_weights))
        return Targets(labels, values, weights, loss_weights)

    @classmethod
    def joined(cls, parts: Sequence["Targets"]) -> "Targets":
        """The targets of several parts, one after another."""
        labels = [part.labels for part in parts if part.labels is not None]
        values = [part.values for part in parts if part.values is not None]
        if labels and values:  # rows of probabilities, of which those of a part are one-hot
            ones = np.eye(len(values[0]), dtype=values[0].dtype)
            values = [
                ones[:, part.labels] if part.values is None else part.values for part in parts
            ]
        weights, loss_weights = (
            None if own[0] is None else Weights.joined([w for w in own if w is not None])
            for own in zip(*((part.weights, part.loss_weights) for part in parts), strict=True)
        )
        return cls(
            None if values else np.concatenate(labels),
            np.concatenate(values, axis=1) if values else None, weights, loss_weights,
        )  # fmt: skip

    @property
    def arrays(self) -> list[Array | None]:
        """Labels, values, and the weights of both kinds in their units."""
        of_weights = [
            None if own is None else own.values for own in (self.weights, self.loss_weights)
        ]
        return [self.labels, self.values, *of_weights]

    def with_arrays(self, arrays: list[Array | None]) -> "Targets":
        """The same with other arrays, of the same kinds."""
        labels, values, *of_weights = arrays
        weights, loss_weights = (
            own and Weights(np.asarray(array), own.unit)
            for own, array in zip((self.weights, self.loss_weights), of_weights, strict=True)
        )
        return Targets(labels, values, weights, loss_weights)

    def rescaled(self) -> "Targets":
        """The same with weights in units that suit these rows."""
        if not self.is_weighted:
            return self
        weights, loss_weights = (w and w.rescaled() for w in (self.weights, self.loss_weights))
        return replace(self, weights=weights, loss_weights=loss_weights)

    @cached_property
    def moments(self) -> tuple[Numbers, Numbers]:
        """Weighted mean and variance of the targets of each output; the variance of constant
        targets, which leave rounding errors, is 0."""
        assert self.values is not None
        values, weights = self.values.astype(np.float64), self.of_scores
        means = np.einsum("ij,j->i", values, weights.values) / weights.total
        squares = np.einsum("ij,j->i", (values - means[:, None]) ** 2, weights.values)
        variances = squares / weights.total
        variances[variances <= (np.finfo(self.values.dtype).eps * means) ** 2] = 0
        return means, variances

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
            arrays["weights"] = arrays["score_weights"] = np.zeros(len(order) + PADDING, dtype)
            if self.loss_weights is not None:
                arrays["score_weights"] = np.zeros_like(arrays["weights"])
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
            sample = 1 if self.weights is None else self.weights.values[order]
            arrays["score_weights"][: len(order)] = sample
            if self.loss_weights is not None:
                arrays["weights"][: len(order)] = self.loss_weights.values[order]


def as_rows(columns: Array, dtype: np.dtype[Any]) -> npt.NDArray[np.floating]:
    """Transpose columns of targets to rows, the layout of the kernels."""
    return np.ascontiguousarray(columns.T, dtype)
