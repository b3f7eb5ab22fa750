"""Prediction: the work of one thread over its share of the rows."""

from numba import types

from . import job as args
from .batches import gather, share
from .dense import forward_hidden, forward_output, sum_panels
from .elements import load, store
from .losses import softmax, softmax_cross_entropy
from .plan import ACTIVATIONS, CHUNK, INPUT, N_OUT, PANELS, PARTIAL, PRIVATE, ROWS, SAMPLES
from .subnormals import flush_subnormals, restore_mode


def predict(memory_pointer, job_pointer, member):
    """One thread's share of the chunks (exported): their probabilities, or with labels the loss
    and hits of each."""
    job = args.array_of(job_pointer, len(args.NAMES))
    memory = args.array_of(memory_pointer, args.ANY_SIZE)
    layers, sizes, index = args.tables(job)
    raw, order, labels = args.rows(job)
    totals = args.array(job, args.TOTALS, types.float64)
    probabilities = args.array(job, args.PROBABILITIES, memory.dtype)
    scale = args.input_scale(job, memory)

    output = layers.shape[0] - 1
    n, c = order.size, layers[output, N_OUT]
    shift = member * job[args.SHIFT]
    logits = shift + sizes[PRIVATE]
    n_chunks = (n + sizes[CHUNK] - 1) // sizes[CHUNK]
    begin, end = share(n_chunks, member, job[args.N_THREADS])
    mode = flush_subnormals()
    for chunk in range(begin, end):
        row0 = chunk * sizes[CHUNK]
        m = min(sizes[CHUNK], n - row0)
        source = job[args.INPUT_OFFSET] + row0 * layers[0, N_OUT]
        if job[args.INPUT_OFFSET] == args.NOT_IN_PLACE:
            source = logits + sizes[INPUT]
            gather(memory, source, raw, job[args.IS_UINT8], scale, order, row0, row0 + m, layers)
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
                memory, logits, sizes[SAMPLES], labels, row0, m, c, memory.dtype.type(1)
            )
        else:
            softmax(memory, logits, sizes[SAMPLES], m, c)
            for s in range(m):
                for k in range(c):
                    probability = load(memory, logits + k * sizes[SAMPLES] + s)
                    store(probabilities, (row0 + s) * c + k, probability)
    restore_mode(mode)
