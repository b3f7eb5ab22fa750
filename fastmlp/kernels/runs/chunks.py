"""Chunks of mini-batches: their rows, and the factors of their batch."""

from ..language.elements import float64s
from ..language.jit import kernel
from ..language.parameters import Run


@kernel
def open_chunk(run: Run, step: int):
    """Make chunk number ``step`` of an epoch the present one."""
    run.step = step
    number = step // run.chunks_per_batch
    first = number * run.batch_size
    last = first + run.batch_size
    if last > run.n_rows:
        last = run.n_rows
    run.row = first + (step - number * run.chunks_per_batch) * run.chunk
    end = run.row + run.chunk
    if end > last:
        end = last
    run.m = end - run.row
    run.slot = step & 1
    run.opens, run.closes = run.row == first, end == last
    run.updates = run.closes and not run.end_batch
    run.straight = run.plain and run.opens and run.closes
    run.sample_scale = float64s(run.sample_scales)[number]
    run.rate = float64s(run.rates)[number]
    if run.penalise:
        run.l2, run.l1 = float64s(run.l2s)[number], float64s(run.l1s)[number]
    if run.shrink:
        run.decay = float64s(run.decays)[number]
