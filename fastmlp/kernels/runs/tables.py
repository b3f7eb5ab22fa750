"""Tables of whole numbers in the plan of a run."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..language.simd import TILE_ROWS
from ..plugins.zeros import mask_words
from ..products.block_sizes import PACKED_INPUTS, UPDATE_ROWS
from ..products.gather import AHEAD

Records = npt.NDArray[Any]
Keep = Callable[[npt.ArrayLike], int]  # keeps a table and returns its address


def plan_tables(runs: Records, layers: Records, table: Keep, *, is_sparse: bool) -> None:
    """Tables of distances, which kernels only read."""
    first, chunk, samples = layers[0], int(runs[0]["chunk"]), int(runs[0]["samples"])
    classes = int(first["n_out"][-1])
    longest = max(int(first["n_out"][is_sparse:].max()), chunk + AHEAD, UPDATE_ROWS + AHEAD)
    runs["iota"], runs["zero_offsets"] = table(np.arange(longest)), table(np.zeros(longest))
    runs["sample_rows"] = table(np.arange(max(classes, PACKED_INPUTS)) * samples)
    for index in range(len(first) - 1):
        layer = first[index]
        layers["rows"][:, index] = table(np.arange(chunk) * layer["stride"])
        if index and layer["delta_panel"]:
            panels, columns = np.divmod(np.arange(layer["n_out"]), layer["panel"])
            layers["delta_rows"][:, index] = table(np.arange(chunk) * layer["panel"])
            units = panels * layer["delta_panel"] + columns
            layers["delta_units"][:, index] = table(units)


def plan_own_tables(
    runs: Records, layers: Records, table: Keep, *, skip_zeros: bool, n_knots: int
) -> None:
    """Tables that each member fills itself; ``n_knots`` if it links samples to these."""
    chunk = int(runs["chunk"][0])
    feature_words, group_words = mask_words(int(layers["n_out"][0, 0]))
    for run in runs:
        run["row_offsets"] = table(np.zeros(chunk, np.int64))
        if skip_zeros:
            run["feature_words"], run["mask_words"] = feature_words, feature_words + group_words
            run["feature_masks"] = table(np.zeros(-(-chunk // TILE_ROWS) * feature_words))
            run["sample_masks"] = table(np.zeros(64 * group_words * -(-chunk // 64)))
            run["bit_block"] = table(np.zeros(64))
        if n_knots:
            run["heads"] = table(np.zeros(-(-n_knots // 2)))  # of int32
