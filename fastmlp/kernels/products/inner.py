"""The tile of products along the lanes, as an LLVM intrinsic.

    C[j, k] = sum_q A[j, q] * B[k, q]

Lanes run along the summed index, which lies in panels. Each element of C is one chain of
multiply-adds and one sum over lanes, whatever tile it falls into.
"""

from typing import Any

from ..language.backend import intrinsic, ir, types
from ..language.builders import unpacked
from ..language.jit import kernel
from ..language.parameters import Memory, Pair, Triple
from ..language.simd import INT, TILE_ROWS, ZERO, Emitter, loop, multiple

# 4 x 4 sums fill a vector of 16 lanes, 2 x 4 one of 8.
_HEIGHTS = (4, 2, 1) if TILE_ROWS == 6 else (2, 1)
_COLUMNS = 4


def _sum_lanes(e: Emitter, sums: list[Any]) -> list[Any]:
    """Lane sums of ``sums``, in order, packed into as few vectors as hold them.

    Each round adds the halves of two neighbours into one vector: two shuffles and an addition
    for every pair, against eight instructions for each vector summed alone.
    """
    width = e.lanes
    while width > 1:
        half = width // 2
        low = [base + k for base in range(0, 2 * e.lanes, width) for k in range(half)]
        high = [index + half for index in low]
        sums = [
            e.add(e.shuffle(x, y, low), e.shuffle(x, y, high))
            for x, y in zip(sums[::2], sums[1::2], strict=True)
        ]
        width = half
    return sums


def _inner_tile(
    e: Emitter, rows: int, columns: int, args: dict[str, Any], first_row: Any, first_column: Any
) -> None:
    b = e.builder
    a = e.at(args["A"], b.mul(first_row, args["a_row"]))
    w = e.at(args["B"], b.mul(first_column, args["b_row"]))
    a_rows = [e.at(a, multiple(b, args["a_row"], j)) for j in range(rows)]
    b_rows = [e.at(w, multiple(b, args["b_row"], k)) for k in range(columns)]
    last = b.sub(args["panels"], ir.Constant(INT, 1))

    def panel(p: Any, sums: list[Any]) -> list[Any]:
        a_start, b_start = b.mul(p, args["a_panel"]), b.mul(p, args["b_panel"])
        count = b.select(b.icmp_signed("==", p, last), args["last_vectors"], args["vectors"])

        def vector(q: Any, sums: list[Any]) -> list[Any]:
            offset = multiple(b, q, e.lanes)
            a_offset, b_offset = b.add(a_start, offset), b.add(b_start, offset)
            x = [e.load(e.at(pointer, a_offset)) for pointer in a_rows]
            y = [e.load(e.at(pointer, b_offset)) for pointer in b_rows]
            return [
                e.fma(x[j], y[k], sums[j * columns + k])
                for j in range(rows)
                for k in range(columns)
            ]

        return loop(b, count, sums, vector)  # type: ignore[no-any-return]

    sums = loop(b, args["panels"], [e.zeros()] * (rows * columns), panel)
    padding = [e.zeros()] * (-len(sums) % e.lanes)
    packed = _sum_lanes(e, sums + padding)
    out = e.at(args["C"], b.add(b.mul(first_row, args["c_row"]), first_column))
    for j in range(rows):
        row = e.at(out, multiple(b, args["c_row"], j))
        for k in range(columns):
            index = j * columns + k
            lane = ir.Constant(ir.IntType(32), index % e.lanes)
            b.store(b.extract_element(packed[index // e.lanes], lane), e.at(row, k))


def _emit_inner(e: Emitter, args: dict[str, Any]) -> None:
    b = e.builder

    rest_columns = b.srem(args["columns"], ir.Constant(INT, _COLUMNS))
    whole_columns = b.sub(args["columns"], rest_columns)

    def row_of_tiles(height: int, row: Any) -> list[Any]:
        def full(column: Any, _: list[Any]) -> list[Any]:
            _inner_tile(e, height, _COLUMNS, args, row, column)
            return []

        def single(column: Any, _: list[Any]) -> list[Any]:
            _inner_tile(e, height, 1, args, row, b.add(whole_columns, column))
            return []

        loop(b, whole_columns, [], full, step=_COLUMNS)
        loop(b, rest_columns, [], single)
        return []

    done, left = ZERO, args["rows"]
    for height in _HEIGHTS:
        rest = b.srem(left, ir.Constant(INT, height))
        whole = b.sub(left, rest)

        def tiles(row: Any, _: list[Any], height: int = height, done: Any = done) -> list[Any]:
            return row_of_tiles(height, b.add(done, row))

        loop(b, whole, [], tiles, step=height)
        done, left = b.add(done, whole), rest


@intrinsic
def _inner(typing_context, memory, C, A, B, vectors, panels, last_vectors, rows, columns):
    def emit(context, builder, sig, args):
        e = Emitter(builder, sig.args[0].dtype)
        C, A, B = (unpacked(builder, args[k], count) for k, count in ((1, 2), (2, 3), (3, 3)))
        names = ("vectors", "panels", "last_vectors", "rows", "columns")
        _emit_inner(
            e,
            {
                "C": e.at(args[0], C[0]), "c_row": C[1],
                "A": e.at(args[0], A[0]), "a_row": A[1], "a_panel": A[2],
                "B": e.at(args[0], B[0]), "b_row": B[1], "b_panel": B[2],
            }
            | dict(zip(names, args[4:], strict=True)),
        )  # fmt: skip
        return context.get_dummy_value()

    sizes = [types.int64] * 5
    return types.void(memory, C, A, B, *sizes), emit


@kernel
def inner(
    memory: Memory, C: Pair, A: Triple, B: Triple,
    vectors: int, panels: int, last_vectors: int, rows: int, columns: int,
):  # fmt: skip
    """C[j, k] = sum_q A[j, q] * B[k, q], for ``j < rows`` and ``k < columns``.

    The summed index q runs over ``panels`` panels of ``vectors`` whole vectors, the last one of
    ``last_vectors``. C is a pair (offset, elements between rows), A and B are triples (offset,
    elements between rows, elements between panels).
    """
    _inner(memory, C, A, B, vectors, panels, last_vectors, rows, columns)
