"""What a network takes and gives: rows and targets as kernels take them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import check_sample_weight, read_targets
from ..inputs import Inputs
from ..outputs import Outputs, Targets

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Encoding:
    """What a network takes and gives.

    Parameters
    ----------
    inputs : Inputs
    outputs : Outputs
        What they stand for.
    fitted : bool
        Whether names (or that there are none) and outputs come from a fit. Weights that were given
        go with any.
    """

    inputs: Inputs
    outputs: Outputs
    fitted: bool = True

    def plain(self) -> dict[str, Any]:
        """Plain arrays and values."""
        return {**vars(self), "inputs": self.inputs.plain(), "outputs": self.outputs.plain()}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Encoding":
        """The encoding that gave :meth:`plain`."""
        inputs, outputs = Inputs.from_plain(plain["inputs"]), Outputs.from_plain(plain["outputs"])
        return cls(inputs, outputs, plain["fitted"])

    def rows(self, X: Any, dtype: np.dtype[Any], name: str = "X") -> Array:
        """Rows as kernels take them, from rows like those of the fit."""
        return self.inputs.rows(X, dtype, name, named=self.fitted)

    def targets(
        self, Y: Any, n_rows: int, sample_weight: Any, dtype: np.dtype[Any], prefix: str = ""
    ) -> tuple[Targets, slice | Array]:
        """Targets like those of the fit, without those of weight 0, and which rows that leaves."""
        targets = read_targets(Y, n_rows, name=f"{prefix}Y")
        kept, weights = weighted_rows(n_rows, sample_weight, prefix)
        return self.outputs.encoded(targets[kept], weights, dtype, f"{prefix}Y"), kept

    def rows_and_targets(
        self, X: Any, Y: Any, sample_weight: Any, dtype: np.dtype[Any], prefix: str = ""
    ) -> tuple[Array, Targets]:
        """Rows like those of the fit and their targets; those of weight 0 are left out."""
        rows = self.rows(X, dtype, f"{prefix}X")
        targets, kept = self.targets(Y, len(rows), sample_weight, dtype, prefix)
        return rows[kept], targets


def weighted_rows(
    n_rows: int, sample_weight: Any, prefix: str = ""
) -> tuple[slice | Array, npt.NDArray[np.float64] | None]:
    """The rows whose weight is not 0, and their weights."""
    weights = check_sample_weight(sample_weight, n_rows, f"{prefix}sample_weight")
    if weights is None or weights.all():
        return slice(None), weights
    kept = np.flatnonzero(weights)
    return kept, weights[kept]
