"""Which rows a chunk has, whose share is what, and fetching the rows."""

from numba import types

from .elements import as_element, pointer, pointer_like
from .jit import jit, unit
from .plan import ACTIVATIONS, N_OUT, SLOT, SLOTS, STRIDE


@unit
def gather(memory, target, address, is_uint8, scale, order, first, last, layers):
    """Input rows ``order[first:last]``, times ``scale``, -> consecutive rows at ``target``."""
    d, stride = layers[N_OUT], layers[STRIDE]
    pixels, numbers = pointer(address, types.uint8), pointer_like(address, memory)
    for i in range(first, last):
        source, row = order[i] * d, target + (i - first) * stride
        if is_uint8:
            for j in range(d):
                memory[row + j] = scale * as_element(pixels[source + j], memory)
        else:
            for j in range(d):
                memory[row + j] = scale * numbers[source + j]


@jit
def chunk_bounds(step, n, batch, chunk):
    """Rows ``first:last`` of chunk number ``step``, and the batch that they belong to.

    Returns (first, last, batch number, rows of the batch).
    """
    per_batch = (batch + chunk - 1) // chunk
    number = step // per_batch
    start = number * batch
    rows = min(batch, n - start)
    first = start + (step - number * per_batch) * chunk
    return first, min(first + chunk, start + rows), number, rows


@jit
def share(count, member, size):
    return count * member // size, count * (member + 1) // size


@jit
def slot(layers, l, step):
    """Offset of the activations of hidden layer ``l`` for chunk ``step``."""
    return layers[l + ACTIVATIONS] + step % SLOTS * layers[l + SLOT]
