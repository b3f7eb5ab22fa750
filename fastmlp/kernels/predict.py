"""Prediction: the work of one thread over its share of the rows."""

from numba import types

from . import job as args
from .batches import gather, share
from .dense import forward_hidden
from .elements import pointer, pointer_like
from .jit import unit
from .losses import softmax, softmax_cross_entropy
from .output import forward_output, sum_panels
from .plan import (
    ACTIVATIONS,
    CHUNK,
    INPUT,
    N_OUT,
    OUTPUT,
    PANELS,
    PARTIAL,
    PRIVATE,
    ROW,
    ROWS,
    SAMPLES,
)
from .subnormals import flush_subnormals, restore_mode


@unit
def predict(memory, job, member):
    """One thread's share of the chunks: their probabilities, or with labels the loss and hits of
    each."""
    layers, sizes, index = args.tables(job)
    order, labels = pointer(job[args.ORDER], types.int64), pointer(job[args.LABELS], types.int32)
    totals = pointer(job[args.TOTALS], types.float64)
    probabilities = pointer_like(job[args.PROBABILITIES], memory)
    scale = args.input_scale(job, memory)

    output, n = sizes[OUTPUT], job[args.N_ROWS]
    c = layers[output + N_OUT]
    shift = member * job[args.SHIFT]
    logits = shift + sizes[PRIVATE]
    n_chunks = (n + sizes[CHUNK] - 1) // sizes[CHUNK]
    begin, end = share(n_chunks, member, job[args.N_THREADS])
    mode = flush_subnormals()
    for chunk in range(begin, end):
        row0 = chunk * sizes[CHUNK]
        m = min(sizes[CHUNK], n - row0)
        source = job[args.INPUT_OFFSET] + row0 * layers[N_OUT]
        if job[args.INPUT_OFFSET] == args.NOT_IN_PLACE:
            source = logits + sizes[INPUT]
            gather(
                memory, source, job[args.RAW], job[args.IS_UINT8], scale,
                order, row0, row0 + m, layers,
            )  # fmt: skip
        for l in range(ROW, output, ROW):
            target = shift + layers[l + ACTIVATIONS]
            forward_hidden(
                memory, target, source, layers[l - ROW + ROWS], index, layers, sizes,
                l, 0, layers[l + PANELS], m,
            )  # fmt: skip
            source = target
        partial = shift + sizes[PARTIAL]
        forward_output(memory, partial, source, layers, sizes, 0, layers[output + PANELS], m)
        sum_panels(memory, logits, partial, layers, sizes)
        if job[args.N_LABELS]:
            totals[2 * chunk], totals[2 * chunk + 1] = softmax_cross_entropy(
                memory, logits, sizes[SAMPLES], labels, row0, m, c, 1
            )
        else:
            softmax(memory, logits, sizes[SAMPLES], m, c)
            for s in range(m):
                for k in range(c):
                    probability = memory[logits + k * sizes[SAMPLES] + s]
                    probabilities[(row0 + s) * c + k] = probability
    restore_mode(mode)
