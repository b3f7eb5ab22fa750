"""Weights of the layer that reads sparse rows, of which a batch needs only some.

They lie in strips: the panels of a hidden layer, or the rows of an output layer. A strip consists
of *units*, which are read, updated and brought up to date as a whole: a row of a panel, or a vector
of a row of outputs. A chunk *touches* the units in which it has entries.

Without a gradient, most update rules move weights all the same. What a unit missed is made up for
when it is touched next, and at the end of an epoch: ``layer.present`` has the number of updates of
the epoch that each unit has had. It is kept by strip, so that teams may change at any step.
"""

from ..language.elements import float64s, int64s
from ..language.jit import kernel, plugin
from ..language.parameters import Layer, Memory, Pair, Run
from .updates import clear, update_rule


@plugin
def replay(
    memory: Memory, run: Run, W: Pair, count: int, units: Pair, present: int,
    until: int, opens: int,
):  # fmt: skip
    """Updates without gradient, from number ``present[u]`` to ``until``, of some units u.

    W is (offset, elements between units), of ``count`` elements each; ``units`` a table and its
    length. ``run.squares`` becomes the sum of their squares times ``penalty_factors``, before each
    of these updates and, if it ``opens``, before the next one.
    """


@kernel
def bring_up(memory: Memory, run: Run, layer: Layer, p: int, W: Pair, count: int, total: int):
    """Bring the touched units of strip ``p`` up to date before their present update; penalties of
    the layer, number ``total``, += those of their weights."""
    number, present = run.step // run.chunks_per_batch, layer.present + 8 * p * layer.units
    units, n = run.touched, run.touched_count
    if layer.united:
        counts, united = int64s(layer.united_counts), layer.united + 8 * p * layer.units
        before = 0 if run.opens else counts[p]
        n = _unite(memory, run, W, count, present, united + 8 * before, number)
        units, counts[p] = united + 8 * before, before + n
    if layer.replay:
        replay(layer.replay, memory, run, W, count, (units, n), present, number, 1)
        _weigh(run, layer, total)
    updates, chosen = int64s(present), int64s(units)
    for t in range(n):
        updates[chosen[t]] = number + 1


@kernel
def _weigh(run: Run, layer: Layer, total: int):
    if run.weigh:
        float64s(layer.penalties)[total] += run.squares


@kernel
def _unite(
    memory: Memory, run: Run, W: Pair, count: int, present: int, units: int, number: int
) -> int:
    """units = the touched ones that are new in this batch, their gradient = 0; returns how many."""
    touched, updates, new, n = int64s(run.touched), int64s(present), int64s(units), 0
    start, step = W
    for t in range(run.touched_count):
        unit = touched[t]
        if updates[unit] <= number:
            new[n] = unit
            n += 1
            clear(memory, start + run.gradient + unit * step, count)
    return n


@kernel
def each_united(memory: Memory, run: Run, layer: Layer, p: int, W: Pair, count: int, visitor: int):
    """Call the kernel ``visitor`` on the units of the batch in strip ``p``, and their gradient."""
    united, n = int64s(layer.united + 8 * p * layer.units), int64s(layer.united_counts)[p]
    start, step = W
    for t in range(n):
        w = start + united[t] * step
        update_rule(visitor, memory, run, w, w + run.gradient, count, False)


@kernel
def settle_strip(memory: Memory, run: Run, layer: Layer, p: int, W: Pair, count: int, total: int):
    """Bring the units of strip ``p`` from ``run.first`` to ``run.last`` up to update
    ``run.step``."""
    start, step = W
    for u in range(run.first, run.last, run.chunk):
        n = run.chunk if run.last - u > run.chunk else run.last - u
        present = layer.present + 8 * (p * layer.units + u)
        replay(
            layer.replay, memory, run, (start + u * step, step), count, (run.iota, n), present,
            run.step, 0,
        )  # fmt: skip
        _weigh(run, layer, total)
