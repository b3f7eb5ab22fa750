"""Scaling of features, learned from the training rows."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from ..data import Array, Numbers, sample_rows
from .bins import FEWEST, bins_per_feature, learn_bins
from .scaling import Scaling
from .statistics import Statistics

Setting = str | float | tuple[float, ...] | None

# Points of the map to the normal distribution. For 20,000 rows of a lognormal feature, without the
# outermost hundredths, the error of the map was 0.003 with 64, 0.001 with 256, 0.0006 with 1,000.
_QUANTILES = 256
# Pixels share one unit: for half of them the maximum is at least half of the largest. Images have
# 4 x 4 pixels or more. With a dark background many are 0: 0.81 in MNIST, 0.49 in scikit-learn's
# digits.
_PIXELS, _ZEROS, _PIXEL_ROWS = 16, 0.3, 1000
# Kernels skip zeros, but not the inputs of bins. They process six rows together: with 80% zeros
# 1 - 0.8^6 = 0.74 of the work remains, about where skipping pays, see ``fitting.zeros``.
_MOSTLY_ZERO = 0.8
# Where about half of the rows or more have one value up to noise, the distance of the quartiles is
# that of the noise. Half the distance of the 5% and 95% quantiles replaces it where it is below
# this fraction of that half (normal distribution 0.82, Cauchy 0.32); half the range, where it is 0
# up to rounding: for small counts, mostly 0, R² was 0.889, by the quantiles 0.875.
_NARROW, _ROUNDING = 0.2, 1e-12
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
    setting: str, rows: Array, weights: Numbers | None, *, linear: bool = False,
    open_ended: bool = False,
) -> Scaling:  # fmt: skip
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
    open_ended : bool
        Whether more rows may follow: "auto" then leaves no constants, whose size is not known yet,
        as they come.
    """
    if rows.shape[1] == 0:  # of many categories alone
        return Scaling("none" if setting == "auto" else setting)
    known = Statistics(rows, weights)
    if setting != "auto":
        return _of_kind(setting, "", known)
    if (largest := _pixel_range(known)) is not None:
        if 0.5 <= largest <= 1:
            return Scaling(reason="auto: pixels between 0 and 1")
        return Scaling("factor", f"auto: pixels up to {largest:.6g}", factor=1 / largest)
    if _are_of_unit_size(known) and not (open_ended and (known.low == known.high).any()):
        return Scaling(reason="auto: features centred, of about unit size")
    kind = "standard" if linear else "piecewise" if _suit_bins(known) else "robust"
    return _of_kind(kind, "auto: features of any unit", known)


def _pixel_range(known: Statistics) -> float | None:
    """The largest value if the features look like pixels, else None."""
    rows, top = known.rows, known.high[known.high > known.low]
    if len(top) < _PIXELS or known.low.min() < 0 or np.median(top) < top.max() / 2:
        return None
    if rows.dtype != np.uint8:
        sample = rows[sample_rows(len(rows), _PIXEL_ROWS)]
        if np.mean(sample == 0) < _ZEROS:
            return None
    return float(top.max())


def _are_of_unit_size(known: Statistics) -> bool:
    varying = known.high > known.low
    if known.size.max() > _OUTLIER or not varying.any():
        return False
    means, spreads = (moments[varying] for moments in known.moments)
    centred = np.abs(means) <= _OFF_CENTRE
    return bool((centred & (spreads >= _SPREADS[0]) & (spreads <= _SPREADS[1])).all())


def _of_kind(kind: str, reason: str, known: Statistics) -> Scaling:
    if kind == "max_abs":
        return Scaling(kind, reason, _inverse(known.size, known))
    if kind == "standard":
        means, spreads = known.moments
        return Scaling(kind, reason, _inverse(spreads, known), means)
    if kind == "quantile":
        return _to_normal(reason, known)
    robust = _robust(reason, known)
    return robust if kind == "robust" else _with_bins(robust, known)


def _robust(reason: str, known: Statistics) -> Scaling:
    bottom, lower, centre, upper, top = known.quantiles(np.array([0.05, 0.25, 0.5, 0.75, 0.95]))
    inner, outer, half_range = upper - lower, top / 2 - bottom / 2, known.high / 2 - known.low / 2
    spreads = np.where(inner > _NARROW * outer, inner, outer)
    spreads = np.where(inner > _ROUNDING * half_range, spreads, half_range)
    return Scaling("robust", reason, _inverse(spreads, known), centre)


def _divisible(known: Statistics) -> npt.NDArray[np.bool_]:
    """Flags of the features with more than two values."""
    sample = known.sample
    return np.asarray(((sample > known.low) & (sample < known.high)).any(axis=0))


def _suit_bins(known: Statistics) -> bool:
    """Whether bins suit the data: divisible features, enough rows, and few zeros to skip."""
    divisible = _divisible(known)
    count = int(divisible.sum())
    if count == 0 or bins_per_feature(count, len(known.rows)) == 0:
        return False
    return bool(np.mean(known.sample[:, divisible] == 0) < _MOSTLY_ZERO)


def _with_bins(robust: Scaling, known: Statistics) -> Scaling:
    """Robust scaling, and bins of the scaled features."""
    count = bins_per_feature(int(_divisible(known).sum()), len(known.rows)) or FEWEST
    inner = known.quantiles(np.linspace(0, 1, count + 1)[1:-1])
    quantiles, sample = (
        robust.apply(values, np.dtype(np.float64))
        for values in (np.vstack([known.low, inner, known.high]), known.sample)
    )
    return replace(robust, kind="piecewise", bins=learn_bins(quantiles, sample))


def _to_normal(reason: str, known: Statistics) -> Scaling:
    """A map of quantiles to normal quantiles; equal quantiles map to the mean of theirs."""
    fractions = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    points = np.vstack([known.low, known.quantiles(fractions), known.high])
    points = np.maximum.accumulate(points, axis=0)
    normal = np.array(list(map(NormalDist().inv_cdf, fractions)))
    normal = np.concatenate([[normal[0]], normal, [normal[-1]]])
    levels = np.empty_like(points)
    for j in range(points.shape[1]):
        _, group = np.unique(points[:, j], return_inverse=True)
        levels[:, j] = (np.bincount(group, normal) / np.bincount(group))[group]
    return Scaling("quantile", reason, points=points, levels=levels)


def _inverse(spreads: Numbers, known: Statistics) -> Numbers:
    """Factors 1 / spread; 0 for features that are constant up to rounding."""
    with np.errstate(all="ignore"):
        factors = 1 / spreads
    constant = (spreads <= np.finfo(np.float64).eps * known.size) | ~np.isfinite(factors)
    return np.where(constant, 0.0, factors)
