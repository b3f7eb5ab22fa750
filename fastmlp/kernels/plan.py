"""Where everything lies: the tables of offsets and sizes that the kernels read.

All floating-point numbers of a run lie in one flat array, ``memory``. ``layers`` has a row for
each layer, 0 being the input and the last one the output; its columns are the constants of the
first group below. ``sizes`` is a vector indexed by those of the second.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .simd import TILE_ROWS, TILE_VECTORS, lanes

_LINE_BYTES = 64

# Columns of ``layers``.
(
    N_IN,  # inputs of the layer
    N_OUT,  # its units
    PANEL,  # columns of one panel of units
    PANELS,  # panels
    LAST,  # vectors in the last panel (the others have PANEL / lanes)
    WEIGHTS,  # offset of the weights
    BIAS,  # offset of the biases (output layer)
    STRIDE,  # elements between rows: of activations; for the output layer, of weights
    ROWS,  # offset in ``index`` of the table s -> s * STRIDE
    ACTIVATIONS,  # offset of the activations
    SLOT,  # elements between copies of the activations
    DELTA,  # offset of the deltas
    DELTA_PANEL,  # elements between panels of deltas
    DELTA_ROWS,  # offset in ``index`` of the table s -> offset of the sample's deltas
    DELTA_UNITS,  # offset in ``index`` of the table unit -> offset of its deltas
    ROW,  # elements in a row of ``layers``
) = range(16)

# Elements of ``sizes``.
(
    WEIGHT_COUNT,  # elements of all weights, which come first in memory; then the state
    GRADIENT,  # distance from a weight to its gradient
    OUTPUT,  # offset in ``layers`` of the row of the output layer
    BATCH,  # rows of a mini-batch
    CHUNK,  # rows that pass through the network at a time
    SAMPLES,  # distance between rows of logits
    LANES,  # elements in a vector
    ZEROS,  # offset of a panel of zeros
    ONE,  # offset of a one
    PARTIAL,  # offset of the logits by panel
    PARTIAL_SLOT,  # elements between copies of them
    PRIVATE,  # offset of the first thread's own part
    PRIVATE_STEP,  # elements from one thread's to the next one's
    INPUT,  # offset in a thread's own part of its input rows
    TRANSPOSED,  # offset in a thread's own part of what it transposes: weights, inputs
    TILE,  # offset in a thread's own part of its gradient tile
    IOTA,  # offset in ``index`` of 0, 1, 2, ...
    NOUGHTS,  # offset in ``index`` of zeros
    SAMPLE_ROWS,  # offset in ``index`` of the table k -> k * SAMPLES
    OWN_INDEX,  # offset in ``index`` of the first thread's own part, first in it its input rows
    OWN_INDEX_STEP,  # elements from one thread's to the next one's
    FEATURE_WORDS,  # words in a mask of features; 0 where zeros are not skipped
    GROUP_WORDS,  # words in a mask of groups of features
    SAMPLE_WORDS,  # words in a mask of the samples of a chunk
    FEATURE_MASKS,  # offset in a thread's own part of ``index`` of its masks of features
    SAMPLE_MASKS,  # offset there of its masks of samples
    BIT_BLOCK,  # offset there of 64 words to work in
    N_SIZES,
) = range(28)

# Copies of the activations: a thread may already compute those of the next chunk while another
# one still reads these.
SLOTS = 2

# Rows of weights whose gradient is finished, in L1, before the update rule runs over it.
UPDATE_ROWS = 4 * TILE_ROWS

# Rows that pass through the network at a time, at most. Larger batches accumulate their gradient
# over several chunks, which bounds the memory.
MAX_CHUNK = 1024

# A narrow layer with fewer weights stays one panel, as threads would wait for one another longer
# than they work. Halved, 784-64-10 takes 0.64 of the time on two threads (1.15 on one), but
# 28-64-64-2 takes 1.24.
_SHARED_WEIGHTS = 16_384
# A larger share of panels of 3 vectors must be smaller by more than this factor.
_NARROW_COST = 1.05

# Inputs are transposed, PACKED_INPUTS at a time, for the sums of MANY_SAMPLES samples or more.
MANY_SAMPLES = 256
PACKED_INPUTS = 192


class Plan(NamedTuple):
    """Tables of one network at one batch size, and the elements of memory that they span."""

    layers: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    index_table: npt.NDArray[np.int64]
    scratch_start: int
    memory_size: int


class _Allocator:
    """Hands out consecutive offsets, each at the start of a cache line."""

    def __init__(self, itemsize: int) -> None:
        self.line = _LINE_BYTES // itemsize
        self.used = 0

    def take(self, count: int) -> int:
        offset = self.used
        self.used += -(-count // self.line) * self.line
        return offset


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _row_stride(width: int, itemsize: int) -> int:
    """``width``, and a vector more where rows would fall into few sets of the cache."""
    return width + lanes(itemsize) if width * itemsize % 512 == 0 else width


def make_plan(
    layer_sizes: tuple[int, ...],
    dtype: np.dtype,
    *,
    chunk: int,
    batch_size: int = 0,
    n_threads: int = 1,
    state_vectors: int = 0,
    skip_zeros: bool = False,
    input_in_place: bool = False,
) -> Plan:
    """Plan the memory of a network: weights, optimiser state, gradient, then scratch.

    Parameters
    ----------
    layer_sizes : tuple of int
        Features, hidden units of each layer, classes.
    dtype : numpy.dtype
        float32 or float64.
    chunk : int
        Rows that pass through the network at a time.
    batch_size : int
        Rows of a mini-batch; 0 for prediction.
    n_threads : int
        Largest team that will work with this plan.
    state_vectors : int
        Vectors of optimiser state, each as large as the weights.
    skip_zeros : bool
        Whether the first layer steps over zeros of the input.
    input_in_place : bool
        Whether input rows, consecutive ones, are read where the caller keeps them.
    """
    vector = lanes(dtype.itemsize)
    layers = np.zeros((len(layer_sizes), ROW), np.int64)
    sizes = np.zeros(N_SIZES, np.int64)
    memory = _Allocator(dtype.itemsize)

    _plan_units(layers, layer_sizes, dtype.itemsize)
    if input_in_place:
        layers[0, STRIDE] = layer_sizes[0]
    for row in layers[1:-1]:
        row[WEIGHTS] = memory.take(row[PANELS] * (row[N_IN] + 1) * row[PANEL])
    output = layers[-1]
    output[WEIGHTS] = memory.take(output[N_OUT] * output[STRIDE])
    output[BIAS] = memory.take(output[N_OUT])
    weight_count = memory.used
    memory.take(state_vectors * weight_count)
    several_chunks = batch_size > chunk
    sizes[GRADIENT] = memory.take(weight_count if several_chunks else 0)
    scratch_start = memory.used

    for row in layers[1:-1]:
        row[SLOT] = chunk * row[STRIDE]
        row[ACTIVATIONS] = memory.take(SLOTS * row[SLOT])
        row[DELTA_PANEL] = _row_stride(int(chunk * row[PANEL]), dtype.itemsize)
        row[DELTA] = memory.take(row[PANELS] * row[DELTA_PANEL])
    classes = layer_sizes[-1]
    widest = int(layers[:, PANEL].max())
    samples = _round_up(chunk, memory.line)
    sizes[ZEROS], sizes[ONE] = memory.take(widest), memory.take(1)
    sizes[PARTIAL_SLOT] = output[PANELS] * classes * samples
    sizes[PARTIAL] = memory.take(SLOTS * int(sizes[PARTIAL_SLOT]))
    private = _Allocator(dtype.itemsize)
    private.take((classes + 3) * samples)
    sizes[INPUT] = private.take(chunk * layers[0, STRIDE])
    pairs = pairwise(layers[1:-1])
    largest = max((int(l[PANELS] * l[PANEL] * below[PANEL]) for below, l in pairs), default=0)
    packed = PACKED_INPUTS * samples if chunk >= MANY_SAMPLES else 0
    sizes[TRANSPOSED] = private.take(max(largest, packed))
    sizes[TILE] = private.take(max(UPDATE_ROWS * widest, classes))
    sizes[PRIVATE], sizes[PRIVATE_STEP] = memory.take(n_threads * private.used), private.used
    sizes[[WEIGHT_COUNT, BATCH, CHUNK, SAMPLES, LANES, OUTPUT]] = (
        weight_count, batch_size, chunk, samples, vector, (len(layers) - 1) * ROW,
    )  # fmt: skip
    index = _plan_index(layers, sizes, n_threads, skip_zeros)
    return Plan(layers, sizes, index, scratch_start, memory.used)


def mask_words(d: int) -> tuple[int, int]:
    """Words in a mask of ``d`` features, and of their groups of TILE_ROWS."""
    return -(-d // 64), -(-d // (64 * TILE_ROWS))


def _plan_index(
    layers: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
    n_threads: int,
    skip_zeros: bool,
) -> npt.NDArray[np.int64]:
    """The tables of element offsets, and room for those that each thread fills itself."""
    chunk, classes = int(sizes[CHUNK]), int(layers[-1, N_OUT])
    longest = max(int(layers[:, N_OUT].max()), chunk)
    rows = max(classes, PACKED_INPUTS)
    parts = [np.arange(longest), np.zeros(longest, int), np.arange(rows) * sizes[SAMPLES]]
    parts += [np.arange(chunk) * stride for stride in layers[:-1, STRIDE]]
    for row in layers[1:-1]:
        panels, columns = np.divmod(np.arange(row[N_OUT]), row[PANEL])
        parts += [np.arange(chunk) * row[PANEL], panels * row[DELTA_PANEL] + columns]
    own = _Allocator(itemsize=8)
    own.take(chunk)
    if skip_zeros:
        d = int(layers[0, N_OUT])
        sizes[FEATURE_WORDS], sizes[GROUP_WORDS] = mask_words(d)
        sizes[SAMPLE_WORDS] = -(-chunk // 64)
        sizes[FEATURE_MASKS] = own.take(-(-chunk // TILE_ROWS) * int(sizes[FEATURE_WORDS]))
        sizes[SAMPLE_MASKS] = own.take(64 * int(sizes[GROUP_WORDS] * sizes[SAMPLE_WORDS]))
        sizes[BIT_BLOCK] = own.take(64)
    parts += [np.zeros(own.used, int)] * n_threads
    starts = np.cumsum([0, *map(len, parts)])
    sizes[[IOTA, NOUGHTS, SAMPLE_ROWS]] = starts[:3]
    deltas = 2 + len(layers)
    layers[:-1, ROWS] = starts[3:deltas]
    layers[1:-1, [DELTA_ROWS, DELTA_UNITS]] = starts[deltas : -1 - n_threads].reshape(-1, 2)
    sizes[[OWN_INDEX, OWN_INDEX_STEP]] = starts[-1 - n_threads], own.used
    return np.concatenate(parts)


def _panel_vectors(vectors: int, weights: int) -> int:
    """Vectors in a panel of a layer of ``vectors``, with ``weights`` to and from it.

    Panels are what threads share, and two threads are the most common team. The number of threads
    itself must not count: a sum over panels would depend on it.
    """
    if vectors <= TILE_VECTORS:
        return -(-vectors // 2) if weights >= _SHARED_WEIGHTS else vectors

    def larger_share(width: int) -> int:
        first = -(-vectors // width) // 2 * width
        return max(first, vectors - first)

    narrower = TILE_VECTORS - 1
    if _NARROW_COST * larger_share(narrower) < larger_share(TILE_VECTORS):
        return narrower
    return TILE_VECTORS


def _plan_units(layers: npt.NDArray[np.int64], layer_sizes: tuple[int, ...], itemsize: int) -> None:
    """How the units of each layer fall into panels and rows."""
    vector = lanes(itemsize)
    for index, units in enumerate(layer_sizes):
        neighbours = sum(layer_sizes[max(index - 1, 0) : index + 2]) - units
        panel = _panel_vectors(-(-units // vector), units * neighbours) * vector
        panels = -(-units // panel)
        last = _round_up(units - (panels - 1) * panel, vector) // vector
        width = (panels - 1) * panel + last * vector
        layers[index, [N_OUT, PANEL, PANELS, LAST]] = units, panel, panels, last
        layers[index, STRIDE] = _row_stride(width, itemsize)
        if index:
            layers[index, N_IN] = layer_sizes[index - 1]
    # The rows of the output layer run along its inputs.
    inputs = [PANEL, PANELS, LAST, STRIDE]
    layers[-1, inputs] = layers[-2, inputs]


def aligned_zeros(count: int, dtype: np.dtype) -> npt.NDArray[np.floating]:
    """A flat array of zeros that starts on a 64-byte boundary.

    A 64-byte vector that crosses cache lines costs two loads: 0.60 instead of 0.79 of the FMA
    limit in the forward tile.
    """
    raw = np.zeros(count * dtype.itemsize + _LINE_BYTES, np.uint8)
    start = -raw.ctypes.data % _LINE_BYTES
    return raw[start : start + count * dtype.itemsize].view(dtype)
