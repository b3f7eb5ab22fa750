"""Readers: where the input rows of a chunk lie, and copying those that cannot be read in place.

``layer`` is the record of the input. A reader leaves the offset of the rows in ``layer.outputs``,
and the table of their distances from it in ``layer.rows``; what does not change, Python sets.
"""

from typing import Any

import numpy as np

from ..language.elements import as_element, elements_like, int64s, uint8s
from ..language.jit import kernel
from ..language.parameters import Layer, Memory, Run
from .sparse_entries import read_sparse


@kernel
def read_scattered(memory: Memory, run: Run, layer: Layer):
    """inputs (m, d) = X[order], read where the caller keeps them.

    Copying a batch costs more than reading it twice from scattered rows.
    """
    order, row_offsets = int64s(run.order), int64s(run.row_offsets)
    for s in range(run.m):
        row_offsets[s] = order[run.row + s] * layer.n_out


@kernel
def read_consecutive(memory: Memory, run: Run, layer: Layer):
    """inputs (m, d) = the next m rows of X, read where the caller keeps them."""
    layer.outputs = layer.activations + run.row * layer.n_out


@kernel
def copy_numbers(memory: Memory, run: Run, layer: Layer):
    """copy (m, d) = input_factor * X[order], X of the network's dtype."""
    numbers, order = elements_like(run.input, memory), int64s(run.order)
    scale, d = as_element(run.input_factor, memory), layer.n_out
    for s in range(run.m):
        source, row = order[run.row + s] * d, run.copy + s * layer.stride
        for j in range(d):
            memory[row + j] = scale * numbers[source + j]


@kernel
def copy_uint8(memory: Memory, run: Run, layer: Layer):
    """The same for X of uint8."""
    pixels, order = uint8s(run.input), int64s(run.order)
    scale, d = as_element(run.input_factor, memory), layer.n_out
    for s in range(run.m):
        source, row = order[run.row + s] * d, run.copy + s * layer.stride
        for j in range(d):
            memory[row + j] = scale * as_element(pixels[source + j], memory)


@kernel
def copy_bins(memory: Memory, run: Run, layer: Layer):
    """copy (m, d + bins) = X[order] and the bins of its features, X of the network's dtype.
    ``run.features`` is d."""
    numbers, order, d = elements_like(run.input, memory), int64s(run.order), run.features
    for s in range(run.m):
        source, row = order[run.row + s] * d, run.copy + s * layer.stride
        for j in range(d):
            memory[row + j] = numbers[source + j]
        add_bins(memory, run, row)


@kernel
def add_bins(memory: Memory, run: Run, row: int):
    """The bins (bins) behind the features (d) of a row: lines, clipped to -reach and reach."""
    d, ends, slopes = run.features, int64s(run.bin_ends), elements_like(run.bin_slopes, memory)
    offsets, reach = elements_like(run.bin_offsets, memory), as_element(run.bin_reach, memory)
    for j in range(d):
        x = memory[row + j]
        for i in range(ends[j], ends[j + 1]):
            y = slopes[i] * x + offsets[i]
            y = -reach if y < -reach else y
            memory[row + d + i] = reach if y > reach else y


READERS = {
    "sparse": read_sparse,
    "scattered": read_scattered,
    "consecutive": read_consecutive,
    "numbers": copy_numbers,
    "uint8": copy_uint8,
    "bins": copy_bins,
}


def reader_of(dtype: np.dtype[Any]) -> str:
    """Name of the reader that copies rows of ``dtype``."""
    return "uint8" if dtype == np.uint8 else "numbers"
