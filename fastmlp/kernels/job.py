"""The arguments of an exported kernel: a vector of addresses and numbers.

A parallel region hands its arguments on, one by one, through three compiled layers; with all of
them in one vector those layers are small, and the same for every kernel and dtype.
"""

from numba import carray, types
from numba.extending import intrinsic

from .jit import jit
from .plan import N_FIELDS, N_SIZES

# Elements of a job. Arrays stand as addresses.
NAMES = (
    "n_threads",  # threads that were asked for
    "team",  # int64, see ``team``
    "layers", "n_layers", "sizes", "index",  # int64 tables, see ``plan``
    "input_scale",  # float64, factor of the input as it is read
    "input_offset",  # elements from ``memory`` to the input, or NOT_IN_PLACE
    "raw", "is_uint8",  # input (n x d) as bytes: of the network's dtype, or uint8
    "order", "n_rows",  # int64 rows of the input to take, and how many
    "feature_masks", "feature_words",  # int64, see ``sparsity``; with 0 words zeros are not skipped
    "group_masks", "group_words",
    "labels", "n_labels",  # int32 class indices of the input's rows
    "totals",  # float64 results: losses and hits
    "rule", "rates", "updates",  # update rule, float64 (learning rate, momentum), batches before
    "first", "last",  # chunks to do
    "probabilities", "shift",  # output (n x c), elements between the scratch of two threads
)  # fmt: skip
(
    N_THREADS, TEAM, LAYERS, N_LAYERS, SIZES, INDEX, INPUT_SCALE, INPUT_OFFSET,
    RAW, IS_UINT8, ORDER, N_ROWS,
    FEATURE_MASKS, FEATURE_WORDS, GROUP_MASKS, GROUP_WORDS, LABELS, N_LABELS, TOTALS,
    RULE, RATES, UPDATES, FIRST, LAST, PROBABILITIES, SHIFT,
) = range(len(NAMES))  # fmt: skip
POSITIONS = {name: position for position, name in enumerate(NAMES)}

# Input that has to be converted on its way; no distance between two arrays is as large.
NOT_IN_PLACE = 1 << 62


@intrinsic
def pointer(typing_context, address, dtype):
    """``address`` as a pointer to elements of ``dtype``: a Numba scalar type, or as another
    pointer's."""
    signature = types.CPointer(dtype.dtype)(types.int64, dtype)

    def emit(context, builder, sig, args):
        return builder.inttoptr(args[0], context.get_value_type(sig.return_type))

    return signature, emit


@jit
def tables(job):
    """``layers``, ``sizes`` and ``index`` (its length is not checked)."""
    layers = carray(pointer(job[LAYERS], types.int64), (job[N_LAYERS], N_FIELDS))
    sizes = carray(pointer(job[SIZES], types.int64), (N_SIZES,))
    return layers, sizes, carray(pointer(job[INDEX], types.int64), (1,))


@jit
def input_scale(job, memory):
    """The factor of the input, in the dtype of ``memory``."""
    return memory.dtype.type(carray(pointer(job[INPUT_SCALE], types.float64), (1,))[0])


@jit
def rows(job):
    """``raw`` (its length is not checked), ``order`` and ``labels``."""
    raw = carray(pointer(job[RAW], types.uint8), (1,))
    order = carray(pointer(job[ORDER], types.int64), (job[N_ROWS],))
    labels = carray(pointer(job[LABELS], types.int32), (job[N_LABELS],))
    return raw, order, labels
