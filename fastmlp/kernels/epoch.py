"""Training: the work of one thread over a run of mini-batches."""

from numba import types

from . import job as args
from .batches import chunk_bounds, gather, share, slot
from .dense import (
    backward_hidden,
    forward_hidden,
    forward_masked,
    relu_backward,
    update_hidden,
)
from .elements import as_element, pointer
from .jit import jit, unit
from .job import NOT_IN_PLACE
from .losses import softmax_cross_entropy
from .output import backward_output, forward_output, sum_panels, update_output
from .panels import NO_MASKS
from .plan import (
    BATCH,
    BIT_BLOCK,
    CHUNK,
    FEATURE_MASKS,
    FEATURE_WORDS,
    INPUT,
    N_OUT,
    OUTPUT,
    OWN_INDEX,
    OWN_INDEX_STEP,
    PANELS,
    PARTIAL,
    PARTIAL_SLOT,
    PRIVATE,
    PRIVATE_STEP,
    ROW,
    ROWS,
    SAMPLE_MASKS,
    SAMPLES,
    SLOTS,
    TILE,
    TRANSPOSED,
)
from .sparsity import join_rows, prefetch_masks, samples_of_groups
from .subnormals import flush_subnormals, restore_mode
from .team import barrier, join


@jit
def _fetch(
    memory, private, own, job, order, row0, row1, index, layers, sizes,
):  # fmt: skip
    """Where the input rows ``order[row0:row1]`` lie: (offset, table of the rows).

    They are read where the caller keeps them, if that is possible; copying a batch costs more than
    reading it twice from scattered rows.
    """
    if job[args.INPUT_OFFSET] == NOT_IN_PLACE:
        gather(
            memory, private + sizes[INPUT], job[args.RAW], job[args.IS_UINT8],
            args.input_scale(job, memory), order, row0, row1, layers,
        )  # fmt: skip
        return private + sizes[INPUT], layers[ROWS]
    d = layers[N_OUT]
    for s in range(row1 - row0):
        index[own + s] = order[row0 + s] * d
    return job[args.INPUT_OFFSET], own


@unit
def train(memory, job, _):
    """The work of one thread over a run of chunks; the threads form a team first.

    Barriers, for L hidden layers: one after each layer's activations (after the last one it
    publishes the partial logits), and one after each delta that another layer's weights are
    multiplied with, before those weights change.
    """
    team = pointer(job[args.TEAM], types.int64)
    member, size = join(team, job[args.N_THREADS])
    if member < 0:
        return
    layers, sizes, index = args.tables(job)
    order = pointer(job[args.ORDER], types.int64)
    row_masks = pointer(job[args.ROW_MASKS], types.int64)
    labels = pointer(job[args.LABELS], types.int32)
    totals = pointer(job[args.TOTALS], types.float64)
    rates = pointer(job[args.RATES], types.float64)
    momentum = as_element(pointer(job[args.MOMENTUM], types.float64)[0], memory)
    rule = job[args.RULE]

    output, n = sizes[OUTPUT], job[args.N_ROWS]
    c = layers[output + N_OUT]
    private = sizes[PRIVATE] + member * sizes[PRIVATE_STEP]
    own = sizes[OWN_INDEX] + member * sizes[OWN_INDEX_STEP]
    tile, transposed = private + sizes[TILE], private + sizes[TRANSPOSED]
    skips = sizes[FEATURE_WORDS] > 0
    masks, sample_masks = own + sizes[FEATURE_MASKS], own + sizes[SAMPLE_MASKS]
    first_panel, last_panel = share(layers[output + PANELS], member, size)
    # Sums go on from the last call's: their order is that of the chunks, wherever calls are cut.
    loss, hits = totals[0], totals[1]

    mode = flush_subnormals()
    for step in range(job[args.FIRST], job[args.LAST]):
        row0, row1, batch, batch_rows = chunk_bounds(step, n, sizes[BATCH], sizes[CHUNK])
        m = row1 - row0
        opens = 1 if row0 == batch * sizes[BATCH] else 0
        closes = 1 if row1 == batch * sizes[BATCH] + batch_rows else 0
        rate = as_element(rates[batch], memory)

        input_rows, input_table = _fetch(
            memory, private, own, job, order, row0, row1, index, layers, sizes
        )
        source, table = input_rows, input_table
        if skips:
            join_rows(index, masks, row_masks, sizes, order, row0, m)
        for l in range(ROW, output, ROW):
            first, last = share(layers[l + PANELS], member, size)
            target = slot(layers, l, step)
            if skips and l == ROW:
                forward_masked(
                    memory, target, source, table, masks, index, layers, sizes, l, first, last, m
                )
            else:
                forward_hidden(
                    memory, target, source, table, index, layers, sizes, l, first, last, m
                )
            source, table = target, layers[l + ROWS]
            if l < output - ROW:
                barrier(team, member, size)
        partial = sizes[PARTIAL] + step % SLOTS * sizes[PARTIAL_SLOT]
        forward_output(memory, partial, source, layers, sizes, first_panel, last_panel, m)
        barrier(team, member, size)

        # Every member needs the whole delta, and computing it costs less than a barrier.
        sum_panels(memory, private, partial, layers, sizes)
        chunk_loss, chunk_hits = softmax_cross_entropy(
            memory, private, sizes[SAMPLES], labels, row0, m, c, 1.0 / batch_rows
        )
        loss += chunk_loss
        hits += chunk_hits
        if output > ROW:
            backward_output(memory, private, index, layers, sizes, first_panel, last_panel, m)
            relu_backward(memory, source, layers, sizes, output - ROW, first_panel, last_panel, m)
        update_output(
            memory, tile, private, source, index, layers, sizes, first_panel, last_panel, m,
            rule, rate, momentum, opens, closes,
        )  # fmt: skip
        if output > 2 * ROW:
            barrier(team, member, size)
        if skips:
            samples_of_groups(
                index, sample_masks, own + sizes[BIT_BLOCK], row_masks, sizes, order, row0, m
            )
            if step + 1 < job[args.LAST]:
                next0, next1, _, _ = chunk_bounds(step + 1, n, sizes[BATCH], sizes[CHUNK])
                prefetch_masks(row_masks, sizes, order, next0, next1)
        for l in range(output - ROW, 0, -ROW):
            source, table = input_rows, input_table
            if l > ROW:
                source, table = slot(layers, l - ROW, step), layers[l - ROW + ROWS]
                first, last = share(layers[l - ROW + PANELS], member, size)
                backward_hidden(memory, transposed, index, layers, sizes, l, first, last, m)
                relu_backward(memory, source, layers, sizes, l - ROW, first, last, m)
                barrier(team, member, size)
            first, last = share(layers[l + PANELS], member, size)
            update_hidden(
                memory, private, source, table, sample_masks if skips and l == ROW else NO_MASKS,
                index, layers, sizes, l, first, last, m, rule, rate, momentum, opens, closes,
            )  # fmt: skip
    restore_mode(mode)
    if member == 0:
        totals[0], totals[1] = loss, hits
