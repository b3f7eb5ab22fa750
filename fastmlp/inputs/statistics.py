"""Statistics of the training rows, by which a scaling goes."""

import numpy as np

from ..cached import cached_property
from ..data import Array, Numbers, sample_rows
from ..member import check_interrupt

# Quantiles are those of a random sample of rows: the fraction below one then has a standard error
# of at most 0.004, and a bin holds at least 0.06 of the rows.
_SAMPLE_ROWS = 20_000
# Columns are converted to float64 in blocks of 32 MB.
_BLOCK_VALUES = 1 << 22


class Statistics:
    """Statistics of each feature.

    Parameters
    ----------
    rows : array of shape (n, d)
    weights : array of shape (n,), optional
        A weight of k counts as k rows.
    """

    def __init__(self, rows: Array, weights: Numbers | None) -> None:
        self.rows, self._weights = rows, weights
        self.low = rows.min(axis=0).astype(np.float64)
        self.high = rows.max(axis=0).astype(np.float64)
        self.size = np.maximum(np.abs(self.low), np.abs(self.high))

    @cached_property
    def sample(self) -> Array:
        """A random sample of rows, drawn by their weights, or all rows if there are few."""
        sample: Array = self.rows[sample_rows(len(self.rows), _SAMPLE_ROWS, self._weights)]
        return sample

    def quantiles(self, fractions: Numbers) -> Numbers:
        """Quantiles of the sample, shape (len(fractions), d)."""
        weights = self._weights if len(self.sample) == len(self.rows) else None
        result = np.empty((len(fractions), self.rows.shape[1]))
        for block in self._column_blocks(self.sample):
            check_interrupt()
            # The only method of NumPy with weights.
            result[:, block] = np.quantile(
                self.sample[:, block].astype(np.float64), fractions, axis=0, weights=weights,
                method="inverted_cdf",
            )  # fmt: skip
        return result

    @cached_property
    def moments(self) -> tuple[Numbers, Numbers]:
        """Mean and standard deviation of all rows."""
        means, spreads = np.empty((2, self.rows.shape[1]))
        for block in self._column_blocks(self.rows):
            check_interrupt()
            values = self.rows[:, block].astype(np.float64)
            # Divide by the largest value, so that squares do not overflow.
            unit = np.abs(values).max(axis=0)
            unit[unit == 0] = 1
            values /= unit
            centre = np.average(values, axis=0, weights=self._weights)
            values -= centre
            means[block] = centre * unit
            spreads[block] = np.sqrt(np.average(values**2, axis=0, weights=self._weights)) * unit
        spreads[self.low == self.high] = 0  # not the rounding error of the mean
        return means, spreads

    @staticmethod
    def _column_blocks(rows: Array) -> list[slice]:
        step = max(1, _BLOCK_VALUES // len(rows))
        return [slice(start, start + step) for start in range(0, rows.shape[1], step)]
