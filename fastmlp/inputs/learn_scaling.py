"""Scaling of features, learned from the training rows."""

from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from .bins import FEWEST, learn_pieces, piece_count
from .scaling import Scaling

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

# Quantiles are those of so many rows at the most, evenly spaced.
_SAMPLE_ROWS = 20_000
# Values of the columns that are looked at together.
_BLOCK_VALUES = 1 << 22
_QUANTILES = 256
# Pixels have one unit: there are many, and half of them come near the largest.
_PIXELS = 16
_ZEROS = 0.3
# Kernels step over zeros, but not over pieces.
_MOSTLY_ZERO = 0.8


def given_scaling(setting: Any) -> Scaling | None:
    """The scaling of a setting that leaves nothing to be learned."""
    if setting is None:
        return Scaling()
    if isinstance(setting, Scaling):
        return setting
    if isinstance(setting, str):
        return None
    return Scaling("factor", factor=setting if np.ndim(setting) == 0 else np.array(setting))


def learn_scaling(
    setting: str, rows: Array, weights: Floats | None, *, linear: bool = False
) -> Scaling:
    """Learn what is done to features.

    Parameters
    ----------
    setting : str
        A kind that is learned, or "auto": features of one unit, such as pixels, are all divided by
        their largest value, those of about unit size stay, others get piecewise scaling, or robust
        scaling where those of more than two values are very many or mostly 0, or their rows few.
    rows : array of shape (n, d)
        The training rows.
    weights : array of shape (n,), optional
        A weight of k counts as k rows.
    linear : bool
        Whether it is for a linear model, which "auto" leaves linear, with standard scaling.
    """
    low, high = rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64)
    if setting != "auto":
        return _model(setting, "", rows, weights, low, high)
    if (largest := _pixel_range(rows, low, high)) is not None:
        if 0.5 <= largest <= 1:
            return Scaling(reason="auto: pixels between 0 and 1")
        return Scaling("factor", f"auto: pixels up to {largest:.6g}", factor=1 / largest)
    if _are_of_unit_size(rows, weights, low, high):
        return Scaling(reason="auto: features centred, of about unit size")
    kind = "standard" if linear else "piecewise" if _suit_pieces(rows, low, high) else "robust"
    return _model(kind, "auto: features of any unit", rows, weights, low, high)


def _pixel_range(rows: Array, low: Floats, high: Floats) -> float | None:
    """The largest value, where features share one unit and many are 0."""
    top = high[high > low]
    if len(top) < _PIXELS or low.min() < 0 or np.median(top) < top.max() / 2:
        return None
    sample = rows[:: -(-len(rows) // 1000)]
    is_pixels = rows.dtype == np.uint8 or np.mean(sample == 0) >= _ZEROS
    return float(top.max()) if is_pixels else None


def _are_of_unit_size(rows: Array, weights: Floats | None, low: Floats, high: Floats) -> bool:
    varying = high > low
    if max(-low.min(), high.max()) > 10 or not varying.any():
        return False
    means, spreads = _moments(rows, weights)
    centred = np.abs(means[varying]) <= 0.5
    return bool(centred.all() and ((spreads >= 0.5) & (spreads <= 2))[varying].all())


def _model(
    kind: str, reason: str, rows: Array, weights: Floats | None, low: Floats, high: Floats
) -> Scaling:
    size = np.maximum(np.abs(low), np.abs(high))
    if kind == "max_abs":
        return Scaling(kind, reason, _inverse(size, size))
    if kind == "standard":
        means, spreads = _moments(rows, weights)
        return Scaling(kind, reason, _inverse(spreads, size), means)
    if kind == "piecewise":
        return _in_pieces(reason, rows, weights, low, high)
    if kind == "robust":
        lower, centre, upper = _quantiles(rows, weights, np.array([0.25, 0.5, 0.75]))
        # Half the range for features of which most values are the same, as those of one category.
        spreads = np.where(upper > lower, upper - lower, high / 2 - low / 2)
        return Scaling(kind, reason, _inverse(spreads, size), centre)
    return _to_normal(kind, reason, rows, weights, low, high)


def _divisible(rows: Array, low: Floats, high: Floats) -> npt.NDArray[np.bool_]:
    """Which features have more than two values."""
    sample = _sample(rows)
    return np.asarray(((sample > low) & (sample < high)).any(axis=0))


def _suit_pieces(rows: Array, low: Floats, high: Floats) -> bool:
    """Whether there is something to cut, enough rows for it, and no zeros to be stepped over."""
    divisible = _divisible(rows, low, high)
    count = int(divisible.sum())
    if count == 0 or piece_count(count, len(rows)) == 0:
        return False
    return bool(np.mean(_sample(rows)[:, divisible] == 0) < _MOSTLY_ZERO)


def _in_pieces(
    reason: str, rows: Array, weights: Floats | None, low: Floats, high: Floats
) -> Scaling:
    """Robust scaling, after which features are cut."""
    robust = _model("robust", reason, rows, weights, low, high)
    count = piece_count(int(_divisible(rows, low, high).sum()), len(rows)) or FEWEST
    shares = np.linspace(0, 1, count + 1)
    inner = _quantiles(rows, weights, shares[1:-1])
    quantiles, sample = (
        robust.apply(values, np.dtype(np.float64))
        for values in (np.vstack([low, inner, high]), _sample(rows))
    )
    return replace(robust, kind="piecewise", pieces=learn_pieces(quantiles, sample))


def _to_normal(
    kind: str, reason: str, rows: Array, weights: Floats | None, low: Floats, high: Floats
) -> Scaling:
    """Quantiles become those of the normal distribution; values that repeat, their mean."""
    shares = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    points = np.vstack([low, _quantiles(rows, weights, shares), high])
    points = np.maximum.accumulate(points, axis=0)
    inverse = NormalDist().inv_cdf
    normal = np.array([inverse(share) for share in shares])
    normal = np.concatenate([[normal[0]], normal, [normal[-1]]])
    levels = np.empty_like(points)
    for j in range(points.shape[1]):
        _, group = np.unique(points[:, j], return_inverse=True)
        levels[:, j] = (np.bincount(group, normal) / np.bincount(group))[group]
    return Scaling(kind, reason, points=points, levels=levels)


def _inverse(spreads: Floats, size: Floats) -> Floats:
    """Factors; 0 for features that are constant, but for rounding."""
    with np.errstate(all="ignore"):
        factors = 1 / spreads
    constant = (spreads <= np.finfo(np.float64).eps * size) | ~np.isfinite(factors)
    return np.where(constant, 0.0, factors)


def _column_blocks(rows: Array) -> list[slice]:
    step = max(1, _BLOCK_VALUES // len(rows))
    return [slice(start, start + step) for start in range(0, rows.shape[1], step)]


def _moments(rows: Array, weights: Floats | None) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each feature."""
    means, spreads = np.empty((2, rows.shape[1]))
    for block in _column_blocks(rows):
        values = rows[:, block].astype(np.float64)
        # Squares of what is divided by the largest do not overflow.
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


def _quantiles(rows: Array, weights: Floats | None, shares: Floats) -> Floats:
    """Values below which such shares of the rows are, shape (len(shares), d)."""
    rows, weights = _sample(rows), None if weights is None else _sample(weights)
    result = np.empty((len(shares), rows.shape[1]))
    for block in _column_blocks(rows):
        # The one definition that weights go with, so that a weight of k is k rows.
        values = rows[:, block].astype(np.float64)
        result[:, block] = np.quantile(
            values, shares, axis=0, weights=weights, method="inverted_cdf"
        )
    return result
