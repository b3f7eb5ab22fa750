"""Weights of rows, whose scale has no effect, and their mean over the rows trained on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..cached import cached_property
from ..data import Numbers, Rows, rescaled


@dataclass(frozen=True)
class Weights:
    """Weights ``values * unit``, see :func:`fastmlp.data.rescaled`."""

    values: Numbers
    unit: float = 1.0

    @property
    def given(self) -> Numbers:
        """The weights as they were given."""
        return self.values * self.unit

    @cached_property
    def total(self) -> float:
        """Their sum, in their unit."""
        return float(self.values.sum())

    def part(self, rows: Rows | list[int]) -> "Weights":
        """The weights of some rows."""
        return Weights(self.values[rows], self.unit)

    @classmethod
    def joined(cls, parts: Sequence["Weights"]) -> "Weights":
        """The weights of several parts, one after another."""
        unit = max(part.unit for part in parts)
        return cls(np.concatenate([part.values * (part.unit / unit) for part in parts]), unit)

    def rescaled(self) -> "Weights":
        """The same weights in a unit that suits them."""
        values, unit = rescaled(self.values)
        return Weights(values, unit * self.unit)


class MeanWeight(NamedTuple):
    """Mean weight of the rows that a network has been trained on."""

    rows: float = 0  # infinite for a mean that further rows do not change
    mean: float = 1.0

    @classmethod
    def from_plain(cls, rows: int, mean: float) -> "MeanWeight":
        """The mean restored from a tuple; a ValueError unless it is one."""
        restored = cls(int(rows), float(mean))
        if not (restored.rows >= 0 and 0 < restored.mean < math.inf):
            raise ValueError(f"a mean weight of {restored}")
        return restored

    def after(self, rows: float, mean: float) -> "MeanWeight":
        """The mean with some more rows."""
        if self.rows == 0:
            return MeanWeight(rows, mean)
        total = self.rows + rows
        return MeanWeight(total, self.mean + (mean - self.mean) * (rows / total))
