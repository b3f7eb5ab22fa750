"""Bins as knots: what a binned feature adds to the first layer is a piecewise-linear function.

Below its lowest cut and above its highest one all bins are constant, and the function goes on along
the weight of the feature itself; a further knot on either side, at a distance of 1, defines it
there. So a feature with K bins has K + 3 knots and K + 2 segments between them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cached import cached_property
from ..data import Array, Numbers
from ..kernels.language.simd import lanes
from ..kernels.runs.binned import Binned
from .bins import REACH, Bins


@dataclass(frozen=True, eq=False)
class Knots:
    """The knots of all binned features.

    Parameters
    ----------
    features : array of shape (n,)
        The features that have bins.
    starts : array of shape (n + 1,)
        The first knot of each, and the number of all.
    positions : array
        Those of a feature rise.
    bins : Bins
    """

    features: Array
    starts: Array
    positions: Numbers
    bins: Bins

    @cached_property
    def sizes(self) -> Binned:
        """What the plan of memory depends on."""
        most = int(np.diff(self.starts).max()) - 1
        return Binned(self.bins.n_features, len(self.features), int(self.starts[-1]), most)

    @cached_property
    def _arrays(self) -> dict[np.dtype[Any], dict[str, Array]]:
        return {}

    def arrays(self, dtype: np.dtype[Any]) -> dict[str, Array]:
        """The arrays of the kernels, by the names of their fields, kept for further fits."""
        if dtype not in self._arrays:
            self._arrays[dtype] = self._of(dtype)
        return self._arrays[dtype]

    def _of(self, dtype: np.dtype[Any]) -> dict[str, Array]:
        rounded = self.positions.astype(dtype).astype(np.float64)
        widths = np.diff(rounded, append=0)
        widths[self.starts[:-1]] = widths[self.starts[1:] - 2] = 1
        widths[self.starts[1:] - 1] = 0
        with np.errstate(divide="ignore"):
            inverses = 1 / widths
        return {
            "knots": rounded.astype(dtype),
            "widths": widths.astype(dtype),
            "inverses": inverses.astype(dtype),
            "cuts": self._cuts(rounded, dtype),
            "binned": self._table,
            "unbinned": self._unbinned,
        }

    def numbers(self, dtype: np.dtype[Any]) -> dict[str, int]:
        """Other fields of the kernels."""
        vectors = -(-(self.sizes.most - 1) // lanes(dtype.itemsize))
        return {
            "n_binned": len(self.features), "n_unbinned": len(self._unbinned),
            "cut_vectors": vectors, "cut_bytes": vectors * lanes(dtype.itemsize) * dtype.itemsize,
        }  # fmt: skip

    @cached_property
    def _table(self) -> Array:
        """Of each feature its column, the row of weights of its first bin and its first knot."""
        rows = self.bins.n_features + self.bins.ends[self.features]
        table = np.stack([[*self.features, 0], [*rows, 0], self.starts], axis=1)
        return np.ascontiguousarray(table, np.int64)

    @cached_property
    def _unbinned(self) -> Array:
        """First column and number of each run of features without bins."""
        is_plain = np.diff(self.bins.ends) == 0
        edges = np.flatnonzero(np.diff(is_plain, prepend=False, append=False))
        return np.stack([edges[::2], edges[1::2] - edges[::2]], axis=1).astype(np.int64)

    def _cuts(self, rounded: Numbers, dtype: np.dtype[Any]) -> Array:
        """Knots without the outer ones, in whole vectors: behind them NaN, which is below none."""
        width = self.numbers(dtype)["cut_bytes"] // dtype.itemsize
        cuts = np.full((len(self.features), width), np.nan, dtype)
        inner = np.delete(rounded, [*self.starts[:-1], *(self.starts[1:] - 1)])
        cuts[np.arange(width) < (np.diff(self.starts) - 2)[:, None]] = inner
        return cuts


def knots_of(bins: Bins) -> Knots:
    """The knots of the features that have bins, of which there must be some."""
    counts = np.diff(bins.ends)
    features = np.flatnonzero(counts)
    first, last = bins.ends[features], bins.ends[features + 1]
    below, above = ((side - bins.offsets) / bins.slopes for side in (-REACH, REACH))
    highest = above[last - 1]
    at = np.stack([first, last, last], axis=1).ravel()
    outer = np.stack([below[first] - 1, highest, highest + 1], axis=1).ravel()
    starts = np.append(0, np.cumsum(counts[features] + 3))
    return Knots(features, starts, np.insert(below, at, outer), bins)
