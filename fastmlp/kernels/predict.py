"""Prediction: the work of one thread over its share of the rows."""

from numba import carray, types

from . import job as args
from .batches import gather, share
from .dense import forward_hidden, forward_output, sum_panels
from .jit import jit
from .losses import softmax, softmax_cross_entropy
from .plan import ACTIVATIONS, CHUNK, INPUT, N_OUT, PANELS, PARTIAL, PRIVATE, ROWS, SAMPLES
from .simd import flush_subnormals, load, restore_mode, store


@jit
def _predict_chunks(
    begin, end, shift, memory, probabilities, totals, input_offset, scale, raw, is_uint8,
    order, labels, index, layers, sizes,
):  # fmt: skip
    """Chunks ``begin:end``: their probabilities, or with labels their loss and hits."""
    output = layers.shape[0] - 1
    n, c = order.size, layers[output, N_OUT]
    logits = shift + sizes[PRIVATE]
    for chunk in range(begin, end):
        row0 = chunk * sizes[CHUNK]
        m = min(sizes[CHUNK], n - row0)
        source = input_offset + row0 * layers[0, N_OUT]
        if input_offset == args.NOT_IN_PLACE:
            source = logits + sizes[INPUT]
            gather(memory, source, raw, is_uint8, scale, order, row0, row0 + m, layers)
        for l in range(1, output):
            target = shift + layers[l, ACTIVATIONS]
            forward_hidden(
                memory, target, source, layers[l - 1, ROWS], index, layers, sizes,
                l, 0, layers[l, PANELS], m,
            )  # fmt: skip
            source = target
        partial = shift + sizes[PARTIAL]
        forward_output(memory, partial, source, layers, sizes, 0, layers[output, PANELS], m)
        sum_panels(memory, logits, partial, layers, sizes, m)
        if labels.size:
            totals[2 * chunk], totals[2 * chunk + 1] = softmax_cross_entropy(
                memory, logits, sizes[SAMPLES], labels, order, row0, m, c, memory.dtype.type(1)
            )
        else:
            softmax(memory, logits, sizes[SAMPLES], m, c)
            for s in range(m):
                for k in range(c):
                    probability = load(memory, logits + k * sizes[SAMPLES] + s)
                    store(probabilities, (row0 + s) * c + k, probability)


def predict(memory_pointer, job_pointer, member):
    """One thread's part of a prediction job (exported): each takes whole chunks of rows."""
    job = carray(job_pointer, (len(args.NAMES),))
    layers, sizes, index = args.tables(job)
    raw, order, labels = args.rows(job)
    n_chunks = (order.size + sizes[CHUNK] - 1) // sizes[CHUNK]
    totals = carray(args.pointer(job[args.TOTALS], types.float64), (2 * n_chunks,))
    memory = carray(memory_pointer, (1,))
    probabilities = carray(args.pointer(job[args.PROBABILITIES], memory_pointer), (1,))
    begin, end = share(n_chunks, member, job[args.N_THREADS])
    mode = flush_subnormals()
    _predict_chunks(
        begin, end, member * job[args.SHIFT], memory, probabilities, totals,
        job[args.INPUT_OFFSET], args.input_scale(job, memory), raw, job[args.IS_UINT8],
        order, labels, index, layers, sizes,
    )  # fmt: skip
    restore_mode(mode)
