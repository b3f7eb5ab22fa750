"""Memory of a first layer of features with bins, see ``products.bins``."""

from typing import Any, NamedTuple

import numpy.typing as npt

from ..language.simd import LINE_BYTES, lanes
from ..products.block_sizes import KNOT_BYTES
from .layout import Allocator, round_up, row_stride


class Binned(NamedTuple):
    """Sizes of such a layer."""

    features: int  # with bins or without
    binned: int  # features with bins
    knots: int  # of all these
    most: int  # segments of a feature


def set_inputs(layers: npt.NDArray[Any], binned: Binned, itemsize: int) -> None:
    """Make the features alone the input."""
    layers["n_out"][:, 0] = binned.features
    layers["stride"][:, 0] = row_stride(round_up(binned.features, lanes(itemsize)), itemsize)


def plan_values(layers: npt.NDArray[Any], memory: Allocator, binned: Binned) -> None:
    """Offsets of the values at knots, which stay while the weights do, for predictions."""
    panel, panels = (int(layers[name][0, 1]) for name in ("panel", "panels"))
    layers["knot_panel"][:, 1] = binned.knots * panel
    layers["knots"][:, 1] = memory.take(panels * binned.knots * panel)


def plan_binned(
    runs: npt.NDArray[Any], own: Allocator, binned: Binned, panel: int, *, together: bool
) -> None:
    """Offsets in the scratch memory of a member; ``together`` for training."""
    chunk, feature = int(runs[0]["chunk"]), (binned.most + 1) * panel
    features = max(1, KNOT_BYTES * own.line // (LINE_BYTES * feature))
    runs["added_together"], runs["n_knots"] = features, binned.knots
    runs["places"] = own.take(2 * chunk * binned.binned)
    runs["row_sums"] = own.take(chunk * panel)
    if together:
        runs["links"] = own.take(2 * chunk * binned.binned)
        runs["values"] = own.take(features * feature)
        runs["total"], runs["bin_tile"] = own.take(panel), own.take(binned.most * panel)
