"""Bins as knots: what a binned feature adds to the first layer is a piecewise-linear function.

Below its lowest cut and above its highest one all bins are constant, and the function goes on along
the weight of the feature itself; a further knot on either side, at a distance of 1, defines it
there. So a feature with K bins has K + 3 knots and K + 2 segments between them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data import Array, Numbers
from ..kernels.language.simd import lanes
from ..kernels.runs.binned import Binned
from .bins import Bins


@dataclass(frozen=True, eq=False)
class Knots:
    """The knots of all binned features.

    Parameters
    ----------
    features : array of shape (n,)
        The features that have bins.
    positions : list of array
        The knots of each, rising.
    bins : Bins
    """

    features: Array
    positions: list[Numbers]
    bins: Bins

    @property
    def sizes(self) -> Binned:
        """What the plan of memory depends on."""
        counts = [len(own) for own in self.positions]
        return Binned(self.bins.n_features, len(counts), sum(counts), max(counts) - 1)

    def arrays(self, dtype: np.dtype[Any]) -> dict[str, Array]:
        """The arrays of the kernels, by the names of their fields."""
        rounded = [own.astype(dtype).astype(np.float64) for own in self.positions]
        widths = [np.diff(own, append=own[-1]) for own in rounded]
        for own in widths:
            own[[0, -2]] = 1
        with np.errstate(divide="ignore"):
            inverses = [1 / own for own in widths]
        return {
            "knots": np.concatenate(rounded).astype(dtype),
            "widths": np.concatenate(widths).astype(dtype),
            "inverses": np.concatenate(inverses).astype(dtype),
            "cuts": self._cuts(rounded, dtype),
            "binned": self._table(),
            "unbinned": self._unbinned(),
        }

    def numbers(self, dtype: np.dtype[Any]) -> dict[str, int]:
        """Other fields of the kernels."""
        vectors = -(-(self.sizes.most - 1) // lanes(dtype.itemsize))
        return {
            "n_binned": len(self.features), "n_unbinned": len(self._unbinned()),
            "cut_vectors": vectors, "cut_bytes": vectors * lanes(dtype.itemsize) * dtype.itemsize,
        }  # fmt: skip

    def _table(self) -> Array:
        """Of each feature its column, the row of weights of its first bin and its first knot."""
        starts = np.cumsum([0, *map(len, self.positions)])
        rows = self.bins.n_features + self.bins.ends[:-1][self.features]
        table = np.stack([[*self.features, 0], [*rows, 0], starts], axis=1)
        return np.ascontiguousarray(table, np.int64)

    def _unbinned(self) -> Array:
        """First column and number of each run of features without bins."""
        is_plain = np.diff(self.bins.ends) == 0
        edges = np.flatnonzero(np.diff(is_plain, prepend=False, append=False))
        return np.stack([edges[::2], edges[1::2] - edges[::2]], axis=1).astype(np.int64)

    def _cuts(self, rounded: list[Numbers], dtype: np.dtype[Any]) -> Array:
        """Knots without the outer ones, in whole vectors: behind them NaN, which is below none."""
        width = self.numbers(dtype)["cut_bytes"] // dtype.itemsize
        cuts = np.full((len(rounded), width), np.nan, dtype)
        for row, own in zip(cuts, rounded, strict=True):
            row[: len(own) - 2] = own[1:-1]
        return cuts


def knots_of(bins: Bins) -> Knots:
    """The knots of the features that have bins, of which there must be some."""
    features = np.flatnonzero(np.diff(bins.ends))
    cuts = [bins.cuts(int(j)) for j in features]
    return Knots(features, [np.array([own[0] - 1, *own, own[-1] + 1]) for own in cuts], bins)
