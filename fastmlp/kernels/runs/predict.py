"""Prediction by one thread, for its part of the rows."""

from ..language.elements import elements_like
from ..language.jit import call, kernel
from ..language.parameters import Layer, Memory, Run
from ..language.records import layer_at, run_at
from ..language.subnormals import flush_subnormals, restore_mode
from ..products.output import sum_logits


@kernel
def predict(memory: Memory, runs: int, member: int):
    """outputs of the network for X (n, d), in one thread's chunks of at most ``run.chunk`` rows;
    ``run.finish`` stores them."""
    run = run_at(runs, member)
    inputs, output = layer_at(run.layers, 0), layer_at(run.layers, run.n_layers)
    mode = flush_subnormals()
    for chunk in range(run.first, run.last):
        run.row = chunk * run.chunk
        run.m = run.n_rows - run.row
        if run.m > run.chunk:
            run.m = run.chunk
        call(run.read, memory, run, inputs)
        if run.place:
            call(run.place, memory, run, inputs)
        for l in range(1, run.n_layers + 1):
            layer = layer_at(run.layers, l)
            call(layer.forward, memory, run, layer)
        sum_logits(memory, run, output)
        call(run.finish, memory, run, output)
    restore_mode(mode)


@kernel
def keep_outputs(memory: Memory, run: Run, layer: Layer):
    """predictions (m, c) of the chunk = output function of logits (c, m)."""
    call(run.loss, memory, run, layer)
    predictions, c = elements_like(run.predictions, memory), layer.n_out
    logits, stride, target = run.logits, run.samples, run.row * c
    for s in range(run.m):
        for k in range(c):
            predictions[target + s * c + k] = memory[logits + k * stride + s]


@kernel
def keep_totals(memory: Memory, run: Run, layer: Layer):
    """The sums of the chunk."""
    run.sums = run.totals + 8 * run.sum_count * (run.row // run.chunk)
    call(run.loss, memory, run, layer)
