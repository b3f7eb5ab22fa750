"""The arguments of an exported kernel: a vector of addresses and numbers.

A parallel region hands its arguments on, one by one, through three compiled layers; with all of
them in one vector those layers are small, and the same for every kernel and dtype.
"""

from typing import Any

from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

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
    "row_masks",  # int64, where zeros are skipped, see ``sparsity``
    "labels", "n_labels",  # int32 class indices of the rows, in the order taken
    "totals",  # float64 results: losses and hits
    "rule", "rates", "updates",  # update rule, float64 (learning rate, momentum), batches before
    "first", "last",  # chunks to do
    "probabilities", "shift",  # output (n x c), elements between the scratch of two threads
)  # fmt: skip
(
    N_THREADS, TEAM, LAYERS, N_LAYERS, SIZES, INDEX, INPUT_SCALE, INPUT_OFFSET,
    RAW, IS_UINT8, ORDER, N_ROWS,
    ROW_MASKS, LABELS, N_LABELS, TOTALS,
    RULE, RATES, UPDATES, FIRST, LAST, PROBABILITIES, SHIFT,
) = range(len(NAMES))  # fmt: skip
POSITIONS = {name: position for position, name in enumerate(NAMES)}

# Input that has to be converted on its way; no distance between two arrays is as large.
NOT_IN_PLACE = 1 << 62

# Length of an array whose length the kernel does not know.
ANY_SIZE = 1 << 40


@intrinsic
def array_of(typing_context, pointer, size):
    """The ``size`` elements from ``pointer`` on as a flat array."""
    array = types.Array(pointer.dtype, 1, "C")

    def emit(context, builder, sig, args):
        return _make_array(context, builder, array, args[0], [args[1]])

    return array(pointer, types.int64), emit


@intrinsic
def _array_at(typing_context, address, dtype, size):
    """The ``size`` elements of ``dtype`` from ``address`` on as a flat array."""
    array = types.Array(dtype.dtype, 1, "C")

    def emit(context, builder, sig, args):
        pointer = builder.inttoptr(args[0], context.get_data_type(array.dtype).as_pointer())
        return _make_array(context, builder, array, pointer, [args[2]])

    return array(types.int64, dtype, types.int64), emit


@intrinsic
def _table_at(typing_context, address, rows):
    """``rows`` rows of N_FIELDS int64 from ``address`` on."""
    array = types.Array(types.int64, 2, "C")

    def emit(context, builder, sig, args):
        pointer = builder.inttoptr(args[0], context.get_data_type(array.dtype).as_pointer())
        columns = context.get_constant(types.int64, N_FIELDS)
        return _make_array(context, builder, array, pointer, [args[1], columns])

    return array(types.int64, types.int64), emit


def _make_array(context: Any, builder: Any, array_type: Any, data: Any, shape: list[Any]) -> Any:
    """A C-contiguous array around memory that somebody else owns.

    As ``numba.carray``, whose every use is compiled as a function of its own.
    """
    itemsize = context.get_constant(types.intp, array_type.dtype.bitwidth // 8)
    strides = [itemsize]
    for extent in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], extent))
    array = context.make_array(array_type)(context, builder)
    populate_array(array, data, shape, strides, itemsize, None)
    return array._getvalue()


@jit
def array(job, name, dtype):
    """The array of ``dtype`` that ``name`` of the job is the address of."""
    return _array_at(job[name], dtype, ANY_SIZE)


@jit
def tables(job):
    """``layers``, ``sizes`` and ``index``."""
    sizes = _array_at(job[SIZES], types.int64, N_SIZES)
    return _table_at(job[LAYERS], job[N_LAYERS]), sizes, array(job, INDEX, types.int64)


@jit
def input_scale(job, memory):
    """The factor of the input, in the dtype of ``memory``."""
    return memory.dtype.type(array(job, INPUT_SCALE, types.float64)[0])


@jit
def rows(job):
    """``raw``, ``order`` and ``labels``."""
    order = _array_at(job[ORDER], types.int64, job[N_ROWS])
    labels = _array_at(job[LABELS], types.int32, job[N_LABELS])
    return array(job, RAW, types.uint8), order, labels
