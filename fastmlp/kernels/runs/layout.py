"""Layout of memory and of weights, which is the same in all runs of a network."""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ..language.records import LAYER
from ..language.simd import LINE_BYTES, TILE_VECTORS, lanes

# A narrow layer with fewer weights stays one panel, as threads would wait for one another longer
# than they work. Halved, 784-64-10 takes 0.64 of the time on two threads (1.15 on one), but
# 28-64-64-2 takes 1.24.
_SHARED_WEIGHTS = 16_384
# The larger of two threads' parts must be smaller by more than this factor for panels of 3 vectors:
# their tiles take 1.02 to 1.10 times as long as those of 4, for each vector.
_NARROW_COST = 1.05

# Shapes whose layouts and plans are kept, some kB each: making a plan takes 0.1 ms, three layouts
# per fit 0.05.
SHAPES = 32


class Allocator:
    """Hands out consecutive offsets, each at the start of a cache line."""

    def __init__(self, itemsize: int) -> None:
        self.line = LINE_BYTES // itemsize
        self.used = 0

    def take(self, count: int) -> int:
        """The offset of ``count`` elements."""
        offset = self.used
        self.used += round_up(count, self.line)
        return offset


@lru_cache(maxsize=SHAPES)
def weight_layout(layer_sizes: tuple[int, ...], itemsize: int) -> tuple[npt.NDArray[Any], int]:
    """Records of the input and the layers with their panels and weights, which are the same in all
    runs, read-only; and the number of elements of all weights.
    """
    layers = np.zeros(len(layer_sizes), LAYER)
    vector = lanes(itemsize)
    for index, units in enumerate(layer_sizes):
        neighbours = sum(layer_sizes[max(index - 1, 0) : index + 2]) - units
        panel = _panel_vectors(-(-units // vector), units * neighbours) * vector
        panels = -(-units // panel)
        last = round_up(units - (panels - 1) * panel, vector) // vector
        layer = layers[index]
        layer["n_in"] = layer_sizes[index - 1] if index else 0
        layer["n_out"], layer["panel"], layer["panels"] = units, panel, panels
        layer["last_vectors"] = last
        layer["stride"] = row_stride((panels - 1) * panel + last * vector, itemsize)
    # The rows of the output layer run along its inputs.
    inputs = ["panel", "panels", "last_vectors", "stride"]
    layers[inputs][-1] = layers[inputs][-2]
    memory = Allocator(itemsize)
    for layer in layers[1:-1]:
        layer["weight_panel"] = (layer["n_in"] + 1) * layer["panel"]
        layer["weights"] = memory.take(layer["panels"] * layer["weight_panel"])
    output = layers[-1]
    output["weights"] = memory.take(output["n_out"] * output["stride"])
    output["bias"] = memory.take(output["n_out"])
    layers.flags.writeable = False
    return layers, memory.used


def round_up(value: int, multiple: int) -> int:
    """The next multiple that is not smaller."""
    return -(-value // multiple) * multiple


def row_stride(width: int, itemsize: int) -> int:
    """``width``, and a vector more where rows would fall into few sets of the cache.

    With it 1024-2048-10 trained 1.46 times as fast on one machine, and as fast on another (EPYC).
    """
    return width + lanes(itemsize) if width * itemsize % 512 == 0 else width


def _panel_vectors(vectors: int, weights: int) -> int:
    """Vectors in a panel of a layer of ``vectors``, with ``weights`` to and from it.

    Panels are what threads share, and two threads are the most common team. The number of threads
    itself must not count: a sum over panels would depend on it.
    """
    if vectors <= TILE_VECTORS:
        return -(-vectors // 2) if weights >= _SHARED_WEIGHTS else vectors

    def larger_part(width: int) -> int:
        first = -(-vectors // width) // 2 * width
        return max(first, vectors - first)

    narrower = TILE_VECTORS - 1
    if _NARROW_COST * larger_part(narrower) < larger_part(TILE_VECTORS):
        return narrower
    return TILE_VECTORS


def aligned_zeros(count: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """A flat array of zeros that starts on a 64-byte boundary.

    A 64-byte vector that crosses cache lines costs two loads: 0.60 instead of 0.79 of the FMA
    limit in the forward tile.
    """
    raw = np.zeros(count * dtype.itemsize + LINE_BYTES, np.uint8)
    start = -raw.ctypes.data % LINE_BYTES
    return raw[start : start + count * dtype.itemsize].view(dtype)
