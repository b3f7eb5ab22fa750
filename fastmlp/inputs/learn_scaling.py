"""Scaling of features, learned from the training rows."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from ..data import Array, Numbers
from .bins import FEWEST, bins_per_feature, learn_bins
from .scaling import Scaling

Setting = str | float | tuple[float, ...] | None

# Quantiles are computed from a sample of evenly spaced rows: the fraction below a quantile then
# has a standard error of at most 0.004, and a bin holds at least 0.06 of the rows.
_SAMPLE_ROWS = 20_000
# Columns are converted to float64 in blocks of 32 MB.
_BLOCK_VALUES = 1 << 22
# Points of the map to the normal distribution. For 20,000 rows of a lognormal feature, without the
# outermost hundredths, the error of the map was 0.003 with 64, 0.001 with 256, 0.0006 with 1,000.
_QUANTILES = 256
# Pixels share one unit: for half of them the maximum is at least half of the largest. Images have
# 4 x 4 pixels or more. With a dark background many are 0: 0.81 in MNIST, 0.49 in scikit-learn's
# digits.
_PIXELS, _ZEROS = 16, 0.3
# Kernels skip zeros, but not the inputs of bins. They process six rows together: with 80% zeros
# 1 - 0.8^6 = 0.74 of the work remains, about where skipping pays, see ``fitting.zeros``.
_MOSTLY_ZERO = 0.8
# About unit size: mean near 0, standard deviation within a factor of two of 1, no far outliers.
_OFF_CENTRE, _SPREADS, _OUTLIER = 0.5, (0.5, 2.0), 10.0


def given_scaling(setting: Setting) -> Scaling | None:
    """The scaling that a setting defines; None if it must be learned."""
    if setting is None:
        return Scaling()
    if isinstance(setting, str):
        return None
    return Scaling("factor", factor=np.array(setting) if isinstance(setting, tuple) else setting)


def learn_scaling(
    setting: str, rows: Array, weights: Numbers | None, *, linear: bool = False
) -> Scaling:
    """Learn a scaling from the training rows.

    Parameters
    ----------
    setting : str
        A kind, or "auto": pixels are divided by their largest value, features of about unit size
        stay, others get piecewise scaling, or robust scaling if features of more than two values
        are too many or mostly 0, or rows are few.
    rows : array of shape (n, d)
    weights : array of shape (n,), optional
        A weight of k counts as k rows.
    linear : bool
        For a linear model "auto" chooses standard in place of piecewise and robust scaling.
    """
    low, high = rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64)
    if setting != "auto":
        return _of_kind(setting, "", rows, weights, low, high)
    if (largest := _pixel_range(rows, low, high)) is not None:
        if 0.5 <= largest <= 1:
            return Scaling(reason="auto: pixels between 0 and 1")
        return Scaling("factor", f"auto: pixels up to {largest:.6g}", factor=1 / largest)
    if _are_of_unit_size(rows, weights, low, high):
        return Scaling(reason="auto: features centred, of about unit size")
    kind = "standard" if linear else "piecewise" if _suit_bins(rows, low, high) else "robust"
    return _of_kind(kind, "auto: features of any unit", rows, weights, low, high)


def _pixel_range(rows: Array, low: Numbers, high: Numbers) -> float | None:
    """The largest value if the features look like pixels, else None."""
    top = high[high > low]
    if len(top) < _PIXELS or low.min() < 0 or np.median(top) < top.max() / 2:
        return None
    sample = rows[:: -(-len(rows) // 1000)]
    is_pixels = rows.dtype == np.uint8 or np.mean(sample == 0) >= _ZEROS
    return float(top.max()) if is_pixels else None


def _are_of_unit_size(rows: Array, weights: Numbers | None, low: Numbers, high: Numbers) -> bool:
    varying = high > low
    if max(-low.min(), high.max()) > _OUTLIER or not varying.any():
        return False
    means, spreads = (moments[varying] for moments in _moments(rows, weights))
    centred = np.abs(means) <= _OFF_CENTRE
    return bool((centred & (spreads >= _SPREADS[0]) & (spreads <= _SPREADS[1])).all())


def _of_kind(
    kind: str, reason: str, rows: Array, weights: Numbers | None, low: Numbers, high: Numbers
) -> Scaling:
    size = np.maximum(np.abs(low), np.abs(high))
    if kind == "max_abs":
        return Scaling(kind, reason, _inverse(size, size))
    if kind == "standard":
        means, spreads = _moments(rows, weights)
        return Scaling(kind, reason, _inverse(spreads, size), means)
    if kind == "piecewise":
        return _in_bins(reason, rows, weights, low, high)
    if kind == "robust":
        lower, centre, upper = _quantiles(rows, weights, np.array([0.25, 0.5, 0.75]))
        # Half the range if the quartiles are equal.
        spreads = np.where(upper > lower, upper - lower, high / 2 - low / 2)
        return Scaling(kind, reason, _inverse(spreads, size), centre)
    return _to_normal(reason, rows, weights, low, high)


def _divisible(rows: Array, low: Numbers, high: Numbers) -> npt.NDArray[np.bool_]:
    """Flags of the features with more than two values."""
    sample = _sample(rows)
    return np.asarray(((sample > low) & (sample < high)).any(axis=0))


def _suit_bins(rows: Array, low: Numbers, high: Numbers) -> bool:
    """Whether bins suit the data: divisible features, enough rows, and few zeros to skip."""
    divisible = _divisible(rows, low, high)
    count = int(divisible.sum())
    if count == 0 or bins_per_feature(count, len(rows)) == 0:
        return False
    return bool(np.mean(_sample(rows)[:, divisible] == 0) < _MOSTLY_ZERO)


def _in_bins(
    reason: str, rows: Array, weights: Numbers | None, low: Numbers, high: Numbers
) -> Scaling:
    """Robust scaling, and bins of the scaled features."""
    robust = _of_kind("robust", reason, rows, weights, low, high)
    count = bins_per_feature(int(_divisible(rows, low, high).sum()), len(rows)) or FEWEST
    inner = _quantiles(rows, weights, np.linspace(0, 1, count + 1)[1:-1])
    quantiles, sample = (
        robust.apply(values, np.dtype(np.float64))
        for values in (np.vstack([low, inner, high]), _sample(rows))
    )
    return replace(robust, kind="piecewise", bins=learn_bins(quantiles, sample))


def _to_normal(
    reason: str, rows: Array, weights: Numbers | None, low: Numbers, high: Numbers
) -> Scaling:
    """A map of quantiles to normal quantiles; equal quantiles map to the mean of theirs."""
    fractions = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    points = np.vstack([low, _quantiles(rows, weights, fractions), high])
    points = np.maximum.accumulate(points, axis=0)
    normal = np.array(list(map(NormalDist().inv_cdf, fractions)))
    normal = np.concatenate([[normal[0]], normal, [normal[-1]]])
    levels = np.empty_like(points)
    for j in range(points.shape[1]):
        _, group = np.unique(points[:, j], return_inverse=True)
        levels[:, j] = (np.bincount(group, normal) / np.bincount(group))[group]
    return Scaling("quantile", reason, points=points, levels=levels)


def _inverse(spreads: Numbers, size: Numbers) -> Numbers:
    """Factors 1 / spread; 0 for features that are constant up to rounding."""
    with np.errstate(all="ignore"):
        factors = 1 / spreads
    constant = (spreads <= np.finfo(np.float64).eps * size) | ~np.isfinite(factors)
    return np.where(constant, 0.0, factors)


def _column_blocks(rows: Array) -> list[slice]:
    step = max(1, _BLOCK_VALUES // len(rows))
    return [slice(start, start + step) for start in range(0, rows.shape[1], step)]


def _moments(rows: Array, weights: Numbers | None) -> tuple[Numbers, Numbers]:
    """Mean and standard deviation of each feature."""
    means, spreads = np.empty((2, rows.shape[1]))
    for block in _column_blocks(rows):
        values = rows[:, block].astype(np.float64)
        # Divide by the largest value, so that squares do not overflow.
        unit = np.abs(values).max(axis=0)
        unit[unit == 0] = 1
        values /= unit
        centre = np.average(values, axis=0, weights=weights)
        values -= centre
        means[block] = centre * unit
        spreads[block] = np.sqrt(np.average(values**2, axis=0, weights=weights)) * unit
    return means, spreads


def _sample(rows: Array) -> Array:
    return rows[:: -(-len(rows) // _SAMPLE_ROWS)]


def _quantiles(rows: Array, weights: Numbers | None, fractions: Numbers) -> Numbers:
    """Quantiles of each feature, shape (len(fractions), d)."""
    rows, weights = _sample(rows), None if weights is None else _sample(weights)
    result = np.empty((len(fractions), rows.shape[1]))
    for block in _column_blocks(rows):
        # The only method of NumPy with weights; a weight of k counts as k rows.
        values = rows[:, block].astype(np.float64)
        result[:, block] = np.quantile(
            values, fractions, axis=0, weights=weights, method="inverted_cdf"
        )
    return result
