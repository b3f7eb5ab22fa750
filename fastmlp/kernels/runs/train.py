"""Training on mini-batches, by one member of a team."""

from ..language.jit import call, kernel
from ..language.parameters import Memory
from ..language.records import layer_at, run_at
from ..language.subnormals import flush_subnormals, restore_mode
from ..products.output import sum_logits
from .chunks import open_chunk
from .team import barrier, disbands, join


@kernel
def train(memory: Memory, runs: int, member: int):
    """Forward pass, loss, backward pass and update of chunks ``run.first`` to ``run.last``, as a
    member of a team; ``run.first`` becomes the next chunk to do."""
    member = join(runs)
    if member < 0:
        return
    run = run_at(runs, member)
    inputs, output = layer_at(run.layers, 0), layer_at(run.layers, run.n_layers)
    run.sums = run.totals + 8 * run.sum_count * member
    mode = flush_subnormals()
    for step in range(run.first, run.last):
        open_chunk(run, step)
        if run.weigh and run.opens:
            call(run.weigh, memory, run, output)
        call(run.read, memory, run, inputs)
        if inputs.drop:
            call(inputs.drop, memory, run, inputs)
        if run.mask:
            call(run.mask, memory, run, inputs)
        if run.place:
            call(run.place, memory, run, inputs)

        for l in range(1, run.n_layers + 1):
            layer = layer_at(run.layers, l)
            call(layer.forward, memory, run, layer)
            if layer.forward_waits:
                barrier(run)

        # Every member needs the whole delta, and computing it costs less than a barrier.
        sum_logits(memory, run, output)
        call(run.loss, memory, run, output)

        for l in range(run.n_layers, 0, -1):
            layer = layer_at(run.layers, l)
            if l > 1:
                call(layer.backward, memory, run, layer)
                below = layer_at(layer.below, 0)
                if below.drop_deltas:
                    call(below.drop_deltas, memory, run, below)
                call(below.derive, memory, run, below)
            if layer.backward_waits:
                barrier(run)
            call(layer.update, memory, run, layer)
        if run.end_batch and run.closes:
            call(run.end_batch, memory, run, output)
        run.first = step + 1
        if run.size > 1 and disbands(run):
            break
    restore_mode(mode)


@kernel
def settle(memory: Memory, runs: int, member: int):
    """The units of the layer on sparse rows from ``run.first`` to ``run.last``, brought up to
    update number ``run.step``, in the member's panels."""
    run = run_at(runs, member)
    layer = layer_at(run.layers, 1)
    mode = flush_subnormals()
    call(layer.settle, memory, run, layer)
    restore_mode(mode)
