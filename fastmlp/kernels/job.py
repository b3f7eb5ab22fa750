"""The arguments of a kernel that Python starts: a vector of addresses and numbers.

A parallel region hands its arguments on, one by one, through three compiled layers; with all of
them in one vector those layers are small, and the same for every kernel and dtype.
"""

from numba import types

from .elements import as_element, pointer
from .jit import jit

# Elements of a job. Arrays stand as addresses.
NAMES = (
    "n_threads",  # threads that were asked for
    "team",  # int64, see ``team``
    "layers", "sizes", "index",  # int64 tables, see ``plan``
    "input_scale",  # float64, factor of the input as it is read
    "input_offset",  # elements from ``memory`` to the input, or NOT_IN_PLACE
    "raw", "is_uint8",  # input (n x d): of the network's dtype, or uint8
    "order", "n_rows",  # int64 rows of the input to take, and how many
    "row_masks",  # int64, where zeros are skipped, see ``sparsity``
    "labels", "n_labels",  # int32 class indices of the rows, in the order taken
    "totals",  # float64 results: losses and hits
    "rule", "rates", "momentum",  # update rule, float64 step sizes of the batches, and momentum
    "first", "last",  # chunks to do
    "probabilities", "shift",  # output (n x c), elements between the scratch of two threads
)  # fmt: skip
(
    N_THREADS, TEAM, LAYERS, SIZES, INDEX, INPUT_SCALE, INPUT_OFFSET,
    RAW, IS_UINT8, ORDER, N_ROWS,
    ROW_MASKS, LABELS, N_LABELS, TOTALS,
    RULE, RATES, MOMENTUM, FIRST, LAST, PROBABILITIES, SHIFT,
) = range(len(NAMES))  # fmt: skip
POSITIONS = {name: position for position, name in enumerate(NAMES)}

# Input that has to be converted on its way; no distance between two arrays is as large.
NOT_IN_PLACE = 1 << 62


@jit
def tables(job):
    """``layers``, ``sizes`` and ``index``."""
    return (
        pointer(job[LAYERS], types.int64),
        pointer(job[SIZES], types.int64),
        pointer(job[INDEX], types.int64),
    )


@jit
def input_scale(job, memory):
    """The factor of the input, as an element of ``memory``."""
    return as_element(pointer(job[INPUT_SCALE], types.float64)[0], memory)
