"""Scaling of features, learned or given."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ..cached import cached_property
from ..data import Array, Numbers, SparseRows, all_finite, finite, some
from ..kernels.plugins.given_rows import BEYOND, CLIP
from ..member import check_interrupt
from ..settings.checks import LEARNED_SCALINGS
from .bins import Bins
from .knots import Knots, knots_of

# Values per block, so that a block stays in the cache of a core.
_BLOCK_VALUES = 1 << 14
_UINT8 = np.dtype(np.uint8)


@np.errstate(all="ignore")
def _cast(rows: Array, dtype: np.dtype[Any]) -> Array:
    return rows.astype(dtype, order="C")


@dataclass(frozen=True, eq=False)
class Scaling:
    """Scaling of the features before they enter the network.

    Parameters
    ----------
    kind : str
        "none", "factor", "max_abs", "standard", "robust", "piecewise" or "quantile".
    reason : str
        Why it was chosen, where the setting was "auto".
    factor : float or array of shape (d,)
        Factor of each feature, or one for all.
    centre : array of shape (d,), optional
        Subtracted before the factor is applied.
    points : array of shape (k, d), optional
        For "quantile": quantiles of the features.
    levels : array of shape (k, d), optional
        For "quantile": the quantiles of the normal distribution that replace them.
    bins : Bins, optional
        For "piecewise": further inputs of the scaled features, computed by kernels that read rows.
    """

    kind: str = "none"
    reason: str = ""
    factor: float | Numbers = 1.0
    centre: Numbers | None = None
    points: Numbers | None = None
    levels: Numbers | None = None
    bins: Bins | None = None

    def __str__(self) -> str:
        what = "features as they come" if self.kind == "none" else f"{self.kind} scaling"
        if self.kind == "factor":
            what = f"features times {some(np.atleast_1d(self.factor))}"
        if self.bins is not None:
            what += f" and {self.bins.count} bins"
        return f"{what} ({self.reason})" if self.reason else what

    def __repr__(self) -> str:
        return f"<Scaling: {self}>"

    @property
    def kernel_factor(self) -> float:
        """Factor that kernels apply when they read rows."""
        return 1.0 if isinstance(self.factor, np.ndarray) else float(self.factor)

    @cached_property
    def leaves_rows(self) -> bool:
        """Whether rows go to the kernels unchanged."""
        learned = isinstance(self.factor, np.ndarray) or self.centre is not None
        return not learned and self.points is None

    @cached_property
    def knots(self) -> Knots | None:
        """The knots of the features that have bins; None if there are none."""
        return knots_of(self.bins) if self.bins is not None and self.bins.count else None

    @property
    def clips(self) -> bool:
        """Whether scaled features are smoothly clipped."""
        return self.kind in ("robust", "piecewise")

    def as_read(self, rows: Array, dtype: np.dtype[Any]) -> Array:
        """The inputs of a network of ``dtype`` that kernels make of encoded rows."""
        rows = rows.astype(dtype) * dtype.type(self.kernel_factor)
        return rows if self.bins is None else self.bins.beside(rows)

    @property
    def constant(self) -> list[int]:
        """The features that become constants, as they were one in the training rows."""
        if self.points is not None and self.levels is not None:
            return np.flatnonzero(self.levels[0] == self.levels[-1]).tolist()
        return np.flatnonzero(np.asarray(self.factor) == 0).tolist()

    def n_inputs(self, n_features: int) -> int:
        """Number of inputs for ``n_features`` features."""
        return n_features + (0 if self.bins is None else self.bins.count)

    def check(self, n_features: int) -> "Scaling":
        """Return itself if it is for ``n_features`` features; raise a ValueError otherwise."""
        given = [self.factor, self.centre, self.points, self.levels]
        counts = [value.shape[-1] for value in given if isinstance(value, np.ndarray)]
        if self.bins is not None:
            counts.append(self.bins.n_features)
        for count in counts:
            if count != n_features:
                raise ValueError(f"scaling must be for {n_features} features; got {count} of them")
        return self

    def apply(self, rows: Array, dtype: np.dtype[Any], name: str = "X") -> Array:
        """Scale rows for the kernels: C-contiguous, in ``dtype``, or uint8 if they stay unchanged.

        Parameters
        ----------
        rows : array of shape (n, d)
            Finite, in the precision of the data.

        Raises
        ------
        ValueError
            If a value is not finite in ``dtype``.
        """
        if self.leaves_rows:
            stay = rows.dtype in (dtype, _UINT8) and rows.flags.c_contiguous
            if stay:
                return rows
            # For a few rows the way of `finite` would take 3 us more.
            if rows.size <= _BLOCK_VALUES and all_finite(cast := _cast(rows, dtype)):
                return cast
            return finite(rows, dtype, name)
        result = np.empty(rows.shape, dtype)
        step = max(1, _BLOCK_VALUES // rows.shape[1])
        for start in range(0, len(rows), step):
            check_interrupt()
            block = slice(start, start + step)
            self._change(rows[block], result[block])
        return result

    def apply_sparse(self, rows: SparseRows, dtype: np.dtype[Any], name: str = "X") -> SparseRows:
        """The same for sparse rows; raises also as :meth:`check_keeps_zeros`."""
        self.check_keeps_zeros(name)
        if self.leaves_rows:
            return rows.with_values(finite(rows.values, dtype, f"values of {name}"))
        assert isinstance(self.factor, np.ndarray)
        values = np.empty(len(rows.values), dtype)
        with np.errstate(all="ignore"):  # values that overflow are found by kernels
            for start in range(0, len(values), _BLOCK_VALUES):
                check_interrupt()
                block = slice(start, start + _BLOCK_VALUES)
                values[block] = rows.values[block] * self.factor[rows.columns[block]]
        return rows.with_values(values)

    def check_keeps_zeros(self, name: str) -> None:
        """Raise a ValueError if zeros of ``name``, sparse rows, do not stay zeros."""
        if self.centre is not None or self.points is not None:
            raise ValueError(
                f"{name} must be dense for a network with {self}, which makes other numbers of "
                "zeros; got sparse rows: call .toarray() of a matrix or .sparse.to_dense() of a "
                "frame, or fit with scaling='max_abs'"
            )

    # Values that overflow are clipped, or found by kernels. A decorator takes half the time of a
    # with statement.
    @np.errstate(all="ignore")
    def _change(self, rows: Array, result: Array) -> None:
        # In float64, so that results do not depend on the dtype of the data.
        result[...] = self._changed(rows.astype(np.float64))

    def _changed(self, rows: Numbers) -> Numbers:
        if self.points is not None:
            return self._to_normal(rows)
        if self.centre is not None:
            rows -= self.centre
        rows *= self.factor
        return _smooth_clip(rows) if self.clips else rows

    def _to_normal(self, rows: Numbers) -> Numbers:
        columns = [
            np.interp(rows[:, j], self.points[:, j], self.levels[:, j])  # type: ignore[index]
            for j in range(rows.shape[1])
        ]
        return np.stack(columns, axis=1)

    def plain(self) -> dict[str, Any]:
        """The scaling as plain arrays and values."""
        plain = {item.name: getattr(self, item.name) for item in fields(self)}
        return {**plain, "bins": self.bins and vars(self.bins)}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Scaling":
        """The scaling restored from :meth:`plain`."""
        scaling = cls(**plain)
        if scaling.kind not in ("none", "factor", *LEARNED_SCALINGS):
            raise ValueError(f"scaling of kind {scaling.kind!r}")
        arrays = {
            name: np.asarray(plain[name], np.float64)
            for name in ("factor", "centre", "points", "levels")
            if plain[name] is not None
        }
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise ValueError("scaling that is not finite")
        n_dims = {name: array.ndim for name, array in arrays.items()}
        wanted = {"factor": min(1, n_dims["factor"]), "centre": 1, "points": 2, "levels": 2}
        if n_dims != {name: wanted[name] for name in n_dims}:
            raise ValueError(f"scaling by arrays of {n_dims} dimensions")
        shapes = [np.shape(plain[name]) for name in ("points", "levels")]
        if shapes[0] != shapes[1] or 0 in shapes[0]:
            raise ValueError(f"quantiles of shapes {shapes}")
        if arrays["factor"].ndim == 0:
            arrays.pop("factor")
        bins = None if plain["bins"] is None else Bins.from_plain(plain["bins"])
        return replace(scaling, **arrays, bins=bins)  # type: ignore[arg-type]


def _smooth_clip(z: Numbers) -> Numbers:
    """z / sqrt(1 + (z / 3)^2), between -3 and 3, in place (arXiv 2407.04491, section 3.1)."""
    np.clip(z, -BEYOND, BEYOND, out=z)
    root = z * (1 / CLIP)
    root *= root
    root += 1
    np.sqrt(root, out=root)
    z /= root
    return z
