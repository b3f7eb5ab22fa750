"""Encoding of rows and targets: from users' data to the arrays of kernels."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data import EncodedRows, Rows, check_row_order, read_targets, take_rows
from ..inputs import Inputs
from ..outputs import Outputs, Targets


@dataclass(frozen=True)
class Encoding:
    """The inputs and outputs of a network.

    Parameters
    ----------
    inputs : Inputs
    outputs : Outputs
    fitted : bool
        Whether column names (or their absence) and outputs come from a fit. Weights given by a user
        accept any names.
    """

    inputs: Inputs
    outputs: Outputs
    fitted: bool = True

    def plain(self) -> dict[str, Any]:
        """The encoding as plain arrays and values."""
        return {**vars(self), "inputs": self.inputs.plain(), "outputs": self.outputs.plain()}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Encoding":
        """The encoding restored from :meth:`plain`."""
        inputs, outputs = Inputs.from_plain(plain["inputs"]), Outputs.from_plain(plain["outputs"])
        return cls(inputs, outputs, plain["fitted"])

    def rows(self, X: Any, dtype: np.dtype[Any], name: str = "X") -> EncodedRows:
        """Encode rows like those of the fit."""
        return self.inputs.rows(X, dtype, name, named=self.fitted)

    def targets(
        self, Y: Any, n_rows: int, sample_weight: Any, dtype: np.dtype[Any], prefix: str = ""
    ) -> tuple[Targets, Rows]:
        """Encode targets like those of the fit; return those of weight > 0, and their rows."""
        targets = read_targets(Y, n_rows, sample_weight, prefix)
        return self.outputs.encode(targets, dtype), targets.kept

    def rows_and_targets(
        self, X: Any, Y: Any, sample_weight: Any, dtype: np.dtype[Any], prefix: str = ""
    ) -> tuple[EncodedRows, Targets]:
        """Encode rows and targets like those of the fit, without those of weight 0."""
        rows = self.rows(X, dtype, f"{prefix}X")
        targets, kept = self.targets(Y, len(rows), sample_weight, dtype, prefix)
        check_row_order(X, Y, sample_weight, prefix)
        return take_rows(rows, kept), targets
