"""Entries of sparse rows: those of a chunk, row by row and unit by unit.

Every member has its own copy of all of them, so that none waits for another one.
"""

from ..language.elements import as_element, elements_like, int32s, int64s
from ..language.jit import kernel
from ..language.parameters import Layer, Memory, Run


@kernel
def read_sparse(memory: Memory, run: Run, layer: Layer):
    """columns (entries) and copy (entries) = those of X[order], copy times input_factor."""
    order, ends, source = int64s(run.order), int64s(run.row_ends), int32s(run.entry_columns)
    starts, columns, target = int64s(run.row_starts), int64s(run.columns), run.copy
    numbers, factor = elements_like(run.input, memory), as_element(run.input_factor, memory)
    first, m, done = run.row, run.m, 0
    for s in range(m):
        row = order[first + s]
        begin, starts[s] = ends[row], done
        count = ends[row + 1] - begin
        for i in range(count):
            columns[done + i] = source[begin + i]
            memory[target + done + i] = factor * numbers[begin + i]
        done += count
    starts[m] = done


@kernel
def sort_entries(memory: Memory, run: Run, layer: Layer):
    """The entries by unit, in the order in which units appear; those of a unit in that of rows.

    Takes time by the entries alone: ``counts`` is zero before and after.
    """
    starts, columns, shift, m = int64s(run.row_starts), int64s(run.columns), run.unit_shift, run.m
    touched, unit_starts, counts = (
        int64s(run.touched), int64s(run.unit_starts), int64s(run.counts)
    )  # fmt: skip
    n, done = 0, 0
    for i in range(starts[m]):
        unit = columns[i] >> shift
        if counts[unit] == 0:
            touched[n] = unit
            n += 1
        counts[unit] += 1
    for t in range(n):
        unit = touched[t]
        unit_starts[t], count = done, counts[unit]
        counts[unit] = done
        done += count
    unit_starts[n] = done

    rows, places = int64s(run.entry_rows), int64s(run.entry_places)
    source, target = run.copy, run.sorted
    for s in range(m):
        for i in range(starts[s], starts[s + 1]):
            unit = columns[i] >> shift
            place = counts[unit]
            counts[unit] = place + 1
            rows[place], places[place] = s, columns[i] - (unit << shift)
            memory[target + place] = memory[source + i]
    for t in range(n):
        counts[touched[t]] = 0
    run.touched_count = n
