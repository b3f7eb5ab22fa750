"""Decoding of outputs to predictions, for other compiled code; ``outputs.Outputs`` does it in
Python."""

import math
from typing import Any

from ..language.call_record import call_at
from ..language.codegen import codegen
from ..language.elements import as_element, elements_like, float64s, int64s
from ..language.jit import call, kernel
from ..language.parameters import Layer, Memory, Run
from ..language.subnormals import keep_subnormals, restore_mode
from .elementwise import in_vectors


@codegen
def _in_units(e, row, means, spreads, count):
    """row (count) = means + spreads * row, rounded twice as in NumPy."""

    def vector(first: Any, mask: Any = None) -> None:
        z, mean, spread = (e.load(e.at(start, first), mask) for start in (row, means, spreads))
        e.store(e.add(mean, e.multiply(spread, z)), e.at(row, first), mask)

    in_vectors(e, count, vector)


@kernel
def sort_row(row: Memory, count: int):
    """Sort the few numbers of a row."""
    for k in range(1, count):
        x, place = row[k], k
        while place > 0 and row[place - 1] > x:
            row[place] = row[place - 1]
            place -= 1
        row[place] = x


@kernel
def keep_decoded(memory: Memory, run: Run, layer: Layer):
    """predictions (m, columns) = probabilities, or numbers in the unit of the targets; NaN where
    the numbers of a row were not finite. An output of a pair of classes has two columns."""
    call(run.loss, memory, run, layer)
    made = call_at(run.call, 0)
    row, finite = float64s(run.call + made.row), int64s(run.call + made.finite)
    c, columns, logits, one = layer.n_out, made.columns, run.logits, as_element(1, memory)
    for s in range(run.m):
        first = columns - c
        for k in range(c):
            row[first + k] = memory[logits + k * run.samples + s]
        if first:
            row[0] = one - memory[logits + s]
        if made.spreads:
            mode = keep_subnormals()
            _in_units(row, float64s(made.means), float64s(made.spreads), c)
            restore_mode(mode)
        if made.sorts:
            sort_row(row, c)
        if not finite[s]:
            for k in range(columns):
                row[k] = math.nan
        target = (run.row + s) * columns
        if made.as_float64:
            results = float64s(run.predictions)
            for k in range(columns):
                results[target + k] = row[k]
        else:
            numbers = elements_like(run.predictions, memory)
            for k in range(columns):
                numbers[target + k] = as_element(row[k], memory)
