"""Dropout: units of a chunk are multiplied by 0, or by 1 / kept where they stay (Srivastava et al.,
JMLR 15, 2014; scaled in training, so that predictions need nothing).

Nothing is drawn and nothing is kept: whether a unit stays is a hash of the key of the epoch, the
row's number in the epoch, the layer and the unit. So the backward pass finds the factors of the
forward pass, whatever the vectors, the dtype, the team and the chunks. Key, layer and row are
mixed into a seed of 64 bits (the finaliser of Steele, Lea and Flood's SplitMix64, OOPSLA 2014);
its halves and the number of a unit are mixed in 32 bits, on whole vectors (with the multipliers of
Wellons' lowbias32).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..language.backend import intrinsic, ir, types
from ..language.codegen import codegen
from ..language.elements import as_element, int64s
from ..language.jit import kernel
from ..language.parameters import Layer, Memory, Run
from ..language.records import vectors_of
from ..language.simd import INT, Emitter, each, multiple
from .elementwise import in_vectors

_GOLDEN = 0x9E3779B97F4A7C15
_WORD = ir.IntType(32)


def thresholds(dropout: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Below which of 2^32 numbers a unit stays, for each fraction of units that are dropped."""
    kept = np.rint((1.0 - np.asarray(dropout, np.float64)) * 2.0**32)
    return np.minimum(kept, 2.0**32 - 1).astype(np.int64)


def _mixed(b: ir.IRBuilder, z: Any) -> Any:
    """64 bits, each of which depends on all of ``z``."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = b.mul(b.xor(z, b.lshr(z, ir.Constant(INT, shift))), ir.Constant(INT, factor))
    return b.xor(z, b.lshr(z, ir.Constant(INT, 31)))


@intrinsic
def _row_seed(typing_context, key, layer_number, row):
    """What the factors of a row of a layer come from."""
    i = types.int64

    def emit(context, builder, sig, args):
        seed, golden = args[0], ir.Constant(INT, _GOLDEN)
        for number in args[1:]:
            following = builder.add(number, ir.Constant(INT, 1))
            seed = _mixed(builder, builder.add(seed, builder.mul(following, golden)))
        return seed

    return i(i, i, i), emit


def _words(e: Emitter, scalar: Any) -> Any:
    """A vector that has the lowest 32 bits of an integer in every lane."""
    b = e.builder
    undefined = ir.Constant(ir.VectorType(_WORD, e.lanes), ir.Undefined)
    first = b.insert_element(undefined, b.trunc(scalar, _WORD), ir.Constant(_WORD, 0))
    return e.shuffle(first, undefined, [0] * e.lanes)


def _hashed(e: Emitter, numbers: Any, low: Any, high: Any) -> Any:
    """32 bits of each unit; ``high`` comes in midway, or rows with near ``low`` would be the same
    but for a shift."""
    b, vector = e.builder, ir.VectorType(_WORD, e.lanes)

    def folded(x: Any, shift: int) -> Any:
        return b.xor(x, b.lshr(x, ir.Constant(vector, [shift] * e.lanes)))

    def times(x: Any, factor: int) -> Any:
        return b.mul(x, ir.Constant(vector, [factor] * e.lanes))

    x = b.xor(times(folded(b.add(numbers, low), 16), 0x7FEB352D), high)
    return folded(times(folded(x, 15), 0x846CA68B), 16)


@codegen
def _drop(e, memory, start, first, vectors, seed, threshold, factor):
    """Units ``first``, ... of a row, whole vectors from ``start`` on, times 0 or ``factor``."""
    b = e.builder
    low, high = _words(e, seed), _words(e, b.lshr(seed, ir.Constant(INT, 32)))
    bound, factor, row = _words(e, threshold), e.splat(factor), e.at(memory, start)
    lane = ir.Constant(ir.VectorType(_WORD, e.lanes), list(range(e.lanes)))

    def vector(v: Any) -> None:
        begin = multiple(b, v, e.lanes)
        numbers = b.add(_words(e, b.add(first, begin)), lane)
        stays = b.icmp_unsigned("<", _hashed(e, numbers, low, high), bound)
        address = e.at(row, begin)
        # A product: what is not finite shows even where it is dropped.
        e.store(b.fmul(e.load(address), b.select(stays, factor, e.zeros())), address)

    each(b, vectors, vector)


@codegen
def _drop_entries(e, memory, start, columns, count, seed, threshold, factor):
    """The same for ``count`` entries, whose units are a table; it has whole vectors."""
    b = e.builder
    low, high = _words(e, seed), _words(e, b.lshr(seed, ir.Constant(INT, 32)))
    bound, factor, row = _words(e, threshold), e.splat(factor), e.at(memory, start)
    table, wide = b.inttoptr(columns, INT.as_pointer()), ir.VectorType(INT, e.lanes)

    def vector(first: Any, mask: Any = None) -> None:
        units = b.load(b.bitcast(e.at(table, first), wide.as_pointer()), align=8)
        numbers, address = b.trunc(units, ir.VectorType(_WORD, e.lanes)), e.at(row, first)
        stays = b.icmp_unsigned("<", _hashed(e, numbers, low, high), bound)
        kept = b.select(stays, factor, e.zeros())
        e.store(b.fmul(e.load(address, mask), kept), address, mask)

    in_vectors(e, count, vector)


def _drop_panels(name: str, *, of_deltas: bool) -> Any:
    """Kernel outputs (m, n_out), or deltas (m, n_out), *= factors, in the member's panels."""

    def drop(memory: Memory, run: Run, layer: Layer):
        start, row_step, panel_step = layer.outputs, layer.stride, layer.panel
        if of_deltas:
            start, row_step, panel_step = layer.deltas, layer.panel, layer.delta_panel
        key, number, threshold = run.dropout_key, layer.number, layer.threshold
        first_row, panel, factor = run.row, layer.panel, as_element(1.0 / layer.kept, memory)
        for s in range(run.m):
            seed, row = _row_seed(key, number, first_row + s), start + s * row_step
            for p in range(layer.first, layer.last):
                vectors = vectors_of(run, layer, p)
                _drop(memory, row + p * panel_step, p * panel, vectors, seed, threshold, factor)

    drop.__name__ = name
    return kernel(drop)


drop_outputs = _drop_panels("drop_outputs", of_deltas=False)
drop_deltas = _drop_panels("drop_deltas", of_deltas=True)


@kernel
def drop_inputs(memory: Memory, run: Run, layer: Layer):
    """The member's own copy of the input rows (m, d) *= factors."""
    key, number, threshold = run.dropout_key, layer.number, layer.threshold
    first_row, factor = run.row, as_element(1.0 / layer.kept, memory)
    vectors = (layer.n_out + run.lanes - 1) // run.lanes
    for s in range(run.m):
        seed = _row_seed(key, number, first_row + s)
        _drop(memory, run.copy + s * layer.stride, 0, vectors, seed, threshold, factor)


@kernel
def drop_entries(memory: Memory, run: Run, layer: Layer):
    """The entries of the member's copy of sparse input rows *= factors."""
    key, number, threshold = run.dropout_key, layer.number, layer.threshold
    first_row, factor = run.row, as_element(1.0 / layer.kept, memory)
    starts, columns, values = int64s(run.row_starts), run.columns, run.copy
    for s in range(run.m):
        seed, first = _row_seed(key, number, first_row + s), starts[s]
        count = starts[s + 1] - first
        _drop_entries(memory, values + first, columns + 8 * first, count, seed, threshold, factor)
