"""Piecewise-linear encoding of features (Gorishniy, Rubachev and Babenko, arXiv 2203.05556).

Quantiles divide a feature into bins. Each bin [a, b] becomes an input that rises from ``-REACH`` at
a to ``REACH`` at b and is constant outside; the feature itself stays. The first layer can then
learn a piecewise-linear function of the feature.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import Array, Numbers

# The paper has inputs from 0 to 1. On the tuning tables a reach of 1/2 gave accuracy +0.003 and R²
# +0.008, 1/4 R² +0.004 more, 1/8 about the same as 1/4: large inputs overfit.
REACH = 0.15
# Bins of a feature: at most 16, of at least 64 rows each, and 1,024 over all features, as each is
# an input of the first layer; no bins if that leaves fewer than 4.
_MOST, FEWEST, _MOST_OF_ALL, _ROWS = 16, 4, 1024, 64
# Shorter bins, of features of about unit size, vanish in float32 rounding (6e-8 of 3).
_SHORTEST = 1e-6
# Files may have other bins: kernels keep the number of a segment, of which a feature has two more
# than bins, in a byte; and far beyond scaled values, which end at 3, float32 rounding is coarse.
_MOST_IN_FILES, _FARTHEST = 254, 4.0


@dataclass(frozen=True, eq=False)
class Bins:
    """The bins of d features, feature by feature.

    Parameters
    ----------
    ends : array of shape (d + 1,)
        Feature j has the bins from ``ends[j]`` to ``ends[j + 1]``.
    slopes, offsets : array of shape (b,)
        The inputs are ``slopes * feature + offsets``, clipped at ``REACH``.
    """

    ends: npt.NDArray[np.int64]
    slopes: Numbers
    offsets: Numbers

    @property
    def count(self) -> int:
        """Number of bins, each one input."""
        return len(self.slopes)

    @property
    def n_features(self) -> int:
        """Number of features, with or without bins."""
        return len(self.ends) - 1

    @property
    def meet(self) -> bool:
        """Whether each bin of a feature rises, and begins where the one before ends."""
        if not (self.slopes > 0).all():
            return False
        starts, stops = ((side - self.offsets) / self.slopes for side in (-REACH, REACH))
        follows = np.ones(self.count + 1, bool)
        follows[self.ends] = False
        return np.allclose(stops[:-1][follows[1:-1]], starts[1:][follows[1:-1]], 1e-9, 1e-9)

    def arrays(self, dtype: np.dtype[Any]) -> dict[str, Array]:
        """The arrays of the kernels, by the names of their fields."""
        return {
            "bin_ends": self.ends,
            "bin_slopes": self.slopes.astype(dtype),
            "bin_offsets": self.offsets.astype(dtype),
        }

    def beside(self, rows: Array) -> Array:
        """Rows of d features, followed by the inputs of their bins, as kernels compute them."""
        features = np.repeat(np.arange(rows.shape[1]), np.diff(self.ends))
        values = rows[:, features] * self.slopes + self.offsets
        return np.hstack([rows, np.clip(values, -REACH, REACH).astype(rows.dtype)])

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Bins":
        """The bins restored from plain arrays, after checks."""
        bins = cls(*(np.array(plain[name]) for name in ("ends", "slopes", "offsets")))
        ends, slopes, offsets = bins.ends, bins.slopes, bins.offsets
        if ends.dtype != np.int64 or ends.ndim != 1 or not slopes.dtype == offsets.dtype == float:
            raise ValueError("bins of other types")
        whole = ends[0] == 0 and ends[-1] == len(slopes) and (np.diff(ends) >= 0).all()
        largest = np.finfo(np.float32).max  # of networks of float32
        finite = all((np.abs(values) <= largest).all() for values in (slopes, offsets))
        if not (whole and finite and slopes.shape == offsets.shape == (len(slopes),)):
            raise ValueError("bins that do not fit together")
        if not bins.meet:
            raise ValueError("bins that do not rise one after the other")
        if (np.diff(ends) > _MOST_IN_FILES).any():
            raise ValueError(f"more than {_MOST_IN_FILES} bins of a feature")
        if any((np.abs(side - offsets) > _FARTHEST * slopes).any() for side in (-REACH, REACH)):
            raise ValueError(f"bins beyond {_FARTHEST:g}")
        return bins


def learn_bins(quantiles: Numbers, rows: Array) -> Bins:
    """Compute the bins of features of about unit size.

    Parameters
    ----------
    quantiles : array of shape (k, d)
        In rising order, from the smallest value to the largest.
    rows : array of shape (n, d)
        Used for features of which most quantiles are equal.
    """
    return bins_between([_cuts(quantiles[:, j], rows[:, j]) for j in range(rows.shape[1])])


def bins_between(cuts: Sequence[Numbers]) -> Bins:
    """The bins between the cuts of each feature, which rise; a feature may have none."""
    counts = [max(0, len(own) - 1) for own in cuts]
    starts = np.concatenate([own[:-1] for own in cuts])
    slopes = 2 * REACH / np.concatenate([np.diff(own) for own in cuts])
    return Bins(np.cumsum([0, *counts]), slopes, -REACH - slopes * starts)


def bins_per_feature(n_features: int, n_rows: int) -> int:
    """Number of bins of each feature; 0 for too many features or too few rows."""
    count = min(_MOST, _MOST_OF_ALL // max(1, n_features), n_rows // _ROWS)
    return count if count >= FEWEST else 0


def _cuts(quantiles: Numbers, values: Numbers) -> Numbers:
    """Bounds of the bins of a feature; none if there is one bin, which would repeat the feature."""
    cuts = _apart(quantiles)
    if len(cuts) < 3:
        # Most values are equal: divide the distinct ones evenly.
        different = _apart(np.unique(values))
        cuts = different[np.linspace(0, len(different) - 1, len(quantiles)).astype(int)]
        cuts = _apart(cuts)
    return cuts if len(cuts) > 2 else cuts[:0]


def _apart(values: Numbers) -> Numbers:
    """Rising values, without those too close to the one before."""
    return values[np.diff(values, prepend=-np.inf) > _SHORTEST]
