"""The tile of products with sparse rows, as an LLVM intrinsic.

    C[rows[t], :] = base[rows[t], :] + sum_i values[i] * B[columns[i], :]

Lanes run along the columns of B; the sum, over the entries of t in their order, stays in registers.
"""

from typing import Any

from ..language.backend import ir
from ..language.builders import prefetched
from ..language.codegen import codegen
from ..language.jit import kernel, plugin
from ..language.parameters import Memory, Pair, Triple
from ..language.simd import INT, LINE_BYTES, TILE_VECTORS, each, loop
from .tiles import store_sums

# Entries by which rows of B, and rows by which those of the base, are asked for ahead. Tables of
# columns and of rows have as many elements more.
AHEAD = 8


@plugin
def gather(
    memory: Memory, C: Pair, base: Pair, rows: int, entries: Triple, B: Pair,
    count: int, rectified: int,
):  # fmt: skip
    """C[rows[t], :] = base[rows[t], :] + sum_i values[i] * B[columns[i], :] for t < count; at least
    0 if ``rectified``.

    C, base and B are pairs (offset, elements between rows) of rows of as many whole vectors as the
    kernel is made for. ``entries`` are two tables and an offset: i runs from ``starts[t]`` to
    ``starts[t + 1]``, over ``columns`` and ``values``.
    """


def _gather(vectors: int) -> Any:
    """The kernel of :func:`gather` for rows of ``vectors`` vectors."""

    @codegen
    def sums(e, memory, C, base, rows, entries, B, count, rectified):
        b, table = e.builder, INT.as_pointer()
        starts, columns, rows = (b.inttoptr(address, table) for address in (*entries[:2], rows))
        values, C0, base0, B0 = (
            e.at(memory, offset) for offset in (entries[2], C[0], base[0], B[0])
        )
        step = LINE_BYTES // e.itemsize

        def row_of(start: Any, stride: Any, table: Any, index: Any) -> Any:
            return e.at(start, b.mul(b.load(e.at(table, index)), stride))

        def ask(row: Any) -> None:
            for first in range(0, vectors * e.lanes, step):
                prefetched(b, e.at(row, first))

        def target(t: Any) -> None:
            first = b.load(e.at(starts, t))
            end = b.load(e.at(starts, b.add(t, ir.Constant(INT, 1))))
            ask(row_of(base0, base[1], rows, b.add(t, ir.Constant(INT, AHEAD))))

            def add(i: Any, totals: list[Any]) -> list[Any]:
                i = b.add(first, i)
                ask(row_of(B0, B[1], columns, b.add(i, ir.Constant(INT, AHEAD))))
                value, source = e.splat(b.load(e.at(values, i))), row_of(B0, B[1], columns, i)
                return [
                    e.fma(value, e.load(e.at(source, v * e.lanes)), total)
                    for v, total in enumerate(totals)
                ]

            totals = loop(b, b.sub(end, first), [e.zeros()] * vectors, add)
            start, out = row_of(base0, base[1], rows, t), row_of(C0, C[1], rows, t)
            totals = [e.add(e.load(e.at(start, v * e.lanes)), x) for v, x in enumerate(totals)]
            store_sums(e, totals, [e.at(out, v * e.lanes) for v in range(vectors)], rectified)

        each(b, count, target)

    def gather(
        memory: Memory, C: Pair, base: Pair, rows: int, entries: Triple, B: Pair,
        count: int, rectified: int,
    ):  # fmt: skip
        sums(memory, C, base, rows, entries, B, count, rectified)

    gather.__name__ = f"gather_{vectors}"
    return kernel(gather)


# Kernels of :func:`gather` by the vectors of a row.
GATHER = {vectors: _gather(vectors) for vectors in range(1, TILE_VECTORS + 1)}
