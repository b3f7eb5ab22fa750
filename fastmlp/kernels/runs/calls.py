"""Predictions called by other compiled code: without Python, locks, or shared memory that changes.

A call copies the records of the network to the stack, where its scratch memory is, too, so that any
number of threads may call at the same time. Offsets in scratch memory are moved there; the weights
stay where they are.
"""

from ..language.call_record import call_at
from ..language.elements import int64s
from ..language.heap_and_stack import from_heap, on_stack, to_heap
from ..language.jit import kernel, plugin
from ..language.records import layer_at, run_at
from ..language.simd import LINE_BYTES
from .launch import run_entry


@kernel
def call_network(
    network: int, x: int, kind: int, n_rows: int, row_step: int, column_step: int,
    result: int, as_float64: int,
) -> int:  # fmt: skip
    """result (n_rows, columns) = predictions for x (n_rows, features), whose numbers of ``kind``
    are at address ``x``; returns 1 if there is no memory, else 0.

    ``network`` is the address of the record of the call.
    """
    known = call_at(network, 0)
    block, taken = on_stack(known.stack), 0
    if known.heap:
        taken = from_heap(known.heap)
        if taken == 0:
            return 1
        block = (taken + LINE_BYTES - 1) & -LINE_BYTES
    source, target = int64s(network), int64s(block)
    for i in range(known.records >> 3):
        target[i] = source[i]

    call, run = call_at(block, 0), run_at(block + known.run, 0)
    call.kind, call.row_step, call.column_step = kind, row_step, column_step
    if as_float64:
        call.as_float64 = 1
    run.call, run.input, run.predictions, run.n_rows = block, x, result, n_rows
    run.first, run.last = 0, (n_rows + run.chunk - 1) // run.chunk
    _move(block, (block + call.scratch - call.memory) // call.itemsize - call.scratch_start)
    run_entry(call.predict, call.memory, block + call.run, 0)
    if taken:
        to_heap(taken)
    return 0


@kernel
def _move(block: int, distance: int):
    """Make the records at ``block`` those of a network whose scratch memory is ``distance``
    elements away from where it was planned."""
    call = call_at(block, 0)
    run, first = run_at(block + call.run, 0), block + call.layers
    run.layers = first
    run.logits += distance
    run.copy += distance
    run.partial += distance
    run.places += distance
    run.row_sums += distance
    layer_at(first, 0).outputs = run.copy
    for l in range(1, run.n_layers + 1):
        layer = layer_at(first, l)
        layer.below += first
        layer.activations += distance


@plugin
def call_at_address(
    network: int, x: int, kind: int, n_rows: int, row_step: int, column_step: int,
    result: int, as_float64: int,
) -> int:  # fmt: skip
    """:func:`call_network`, at the address that a network has."""
    return 0  # the prototype alone counts
