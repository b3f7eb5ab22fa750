"""Sums of values at knots, and sums of deltas by bin, see ``products.bins``."""

from collections.abc import Callable
from typing import Any

from ..language.backend import ir
from ..language.codegen import codegen
from ..language.jit import kernel, plugin
from ..language.parameters import Layer, Memory, Pair, Run
from ..language.places import fraction, load_place, store_place
from ..language.simd import INT, TILE_VECTORS, ZERO, Emitter, each, loop, multiple, while_loop
from .knot_values import numbers_at, reach_of

_BYTE, _WORD = ir.IntType(8), ir.IntType(32)
# Of the number of a feature among some, its fraction and the number of its knot among theirs.
PlaceOf = Callable[[Any], tuple[Any, Any]]


@plugin
def add_knots(
    memory: Memory, run: Run, inputs: Layer, C: Pair, base: Pair, V: Pair, features: Pair,
    links: int, rectified: int,
):  # fmt: skip
    """C (m) = base (m) + sum of (1 - t) V[k] + t V[k + 1], of some features, whose values are the
    fraction t of the way from knot k to the next one; at least 0 if ``rectified``.

    C, base and V are pairs (offset, elements between rows), of as many vectors as the kernel is
    made for; ``features`` the first one and their number. If ``links``, the samples of each segment
    are linked to one another.
    """


def _add_places(
    e: Emitter, memory: Any, run: Any, inputs: Any, features: list[Any], links: Any
) -> Callable[[Any], PlaceOf]:
    """Places are in memory."""
    b, first = e.builder, e.at(memory, run("places"))
    binned = b.inttoptr(run("binned"), INT.as_pointer())
    start = b.load(e.at(e.at(binned, multiple(b, features[0], 3)), 2))

    def of_row(s: Any) -> PlaceOf:
        row = e.at(first, multiple(b, b.add(b.mul(s, run("n_binned")), features[0]), 2))

        def place_of(i: Any) -> tuple[Any, Any]:
            t, knot = load_place(e, e.at(row, multiple(b, i, 2)))
            return t, b.sub(knot, start)

        return place_of

    return of_row


def _add_linked(
    e: Emitter, memory: Any, run: Any, inputs: Any, features: list[Any], links: Any
) -> Callable[[Any], PlaceOf]:
    """Segments of all rows are known."""
    b, table = e.builder, INT.as_pointer()
    chunk, count = run("chunk"), run("n_binned")
    binned = e.at(b.inttoptr(run("binned"), table), multiple(b, features[0], 3))
    start = b.load(e.at(binned, 2))
    order = e.at(b.inttoptr(run("order"), table), run("row"))
    segments = e.at(b.inttoptr(run("segments"), _BYTE.as_pointer()), features[0])
    rows, outputs = b.inttoptr(inputs("rows"), table), e.at(memory, inputs("outputs"))
    numbers = e.scalar.as_pointer()
    knots, inverses = (b.inttoptr(run(name), numbers) for name in ("knots", "inverses"))
    heads = b.inttoptr(run("heads"), _WORD.as_pointer())
    linked = e.at(e.at(memory, run("links")), multiple(b, b.mul(features[0], chunk), 2))
    is_linking = b.icmp_signed("!=", links, ZERO)

    def of_row(s: Any) -> PlaceOf:
        row = e.at(outputs, b.load(e.at(rows, s)))
        own = e.at(segments, b.mul(b.load(e.at(order, s)), count))
        number = b.add(s, ir.Constant(INT, 1))

        def place_of(i: Any) -> tuple[Any, Any]:
            feature = e.at(binned, multiple(b, i, 3))
            x = b.load(e.at(row, b.load(feature)))
            segment = b.zext(b.load(e.at(own, i)), INT)
            knot = b.add(b.load(e.at(feature, 2)), segment)
            t = fraction(b, x, b.load(e.at(knots, knot)), b.load(e.at(inverses, knot)))
            with b.if_then(is_linking):
                head = e.at(heads, knot)
                place = e.at(linked, multiple(b, b.add(b.mul(i, chunk), s), 2))
                store_place(e, place, t, b.zext(b.load(head), INT))
                b.store(b.trunc(number, _WORD), head)
            return t, b.sub(knot, start)

        return place_of

    return of_row


def _add_knots(name: str, places: Any, vectors: int) -> Any:
    @codegen
    def add(e, memory, run, inputs, C, base, V, features, links, rectified):
        b, one = e.builder, e.constant(1.0)
        target, start, knots = (e.at(memory, operand[0]) for operand in (C, base, V))
        is_rectified = e.splat(b.icmp_signed("!=", rectified, ZERO))
        of_row = places(e, memory, run, inputs, features, links)

        def row(s: Any) -> None:
            place_of = of_row(s)

            def feature(i: Any, sums: list[Any]) -> list[Any]:
                fraction, knot = place_of(i)
                low = e.at(knots, b.mul(knot, V[1]))
                high, t = e.at(low, V[1]), e.splat(fraction)
                terms = [(low, b.fsub(one, t)), (high, t)]
                new = []
                for number, total in enumerate(sums):
                    at, x = terms[number // vectors]
                    y = e.load(e.at(at, number % vectors * e.lanes))
                    new.append(e.fma(x, y, total))
                return new

            sums = loop(b, features[1], [e.zeros()] * (2 * vectors), feature)
            of_base, of_target = (
                e.at(at, b.mul(s, step)) for at, step in ((start, base[1]), (target, C[1]))
            )
            for v in range(vectors):
                total = e.add(sums[v], sums[vectors + v])
                value = e.add(e.load(e.at(of_base, v * e.lanes)), total)
                # "less than" is false for NaN, which therefore passes through.
                negative = b.and_(is_rectified, b.fcmp_ordered("<", value, e.zeros()))
                value = b.select(negative, e.zeros(), value)
                e.store(value, e.at(of_target, v * e.lanes))

        each(b, run("m"), row)

    def add_knots(
        memory: Memory, run: Run, inputs: Layer, C: Pair, base: Pair, V: Pair, features: Pair,
        links: int, rectified: int,
    ):  # fmt: skip
        add(memory, run, inputs, C, base, V, features, links, rectified)

    add_knots.__name__ = f"{name}_{vectors}"
    return kernel(add_knots)


@plugin
def sum_bins(memory: Memory, run: Run, G: Pair, deltas: Pair, feature: int, knot: int, bins: int):
    """G (1 + bins) = gradient of the weights of a feature and of its bins, from the deltas and the
    linked samples of its segments, from ``knot`` on. A row more of G is overwritten."""


def _sum_bins(vectors: int) -> Any:
    @codegen
    def sums(e, memory, run, G, deltas, feature, knot, bins):
        b = e.builder
        target, first, total = (e.at(memory, at) for at in (G[0], deltas[0], run("total")))
        # The number of a sample counts from 1, as 0 ends a list.
        first = e.at(first, b.neg(deltas[1]))
        links = multiple(b, b.sub(b.mul(feature, run("chunk")), ir.Constant(INT, 1)), 2)
        links = e.at(e.at(memory, run("links")), links)
        heads = e.at(b.inttoptr(run("heads"), _WORD.as_pointer()), knot)
        positions, widths = numbers_at(e, run, knot)
        reach = reach_of(e, run)
        whole = [e.multiply(reach, e.load(e.at(total, v * e.lanes))) for v in range(vectors)]
        minus_2 = b.fneg(e.add(reach, reach))

        def store(row: Any, values: list[Any]) -> None:
            start = e.at(target, b.mul(row, G[1]))
            for v, value in enumerate(values):
                e.store(value, e.at(start, v * e.lanes))

        def sample(carried: list[Any]) -> list[Any]:
            s, count, rise = carried[0], carried[1 : 1 + vectors], carried[1 + vectors :]
            fraction, following = load_place(e, e.at(links, multiple(b, s, 2)))
            row, t = e.at(first, b.mul(s, deltas[1])), e.splat(fraction)
            delta = [e.load(e.at(row, v * e.lanes)) for v in range(vectors)]
            count = [e.add(x, y) for x, y in zip(count, delta, strict=True)]
            return [following, *count, *(e.fma(t, y, x) for x, y in zip(rise, delta, strict=True))]

        def segment(k: Any, carried: list[Any]) -> list[Any]:
            below, slope = carried[:vectors], carried[vectors:]
            s = b.zext(b.load(e.at(heads, k)), INT)
            _, *both = while_loop(
                b, [s, *[e.zeros()] * (2 * vectors)],
                lambda carried: b.icmp_signed("!=", carried[0], ZERO), sample,
            )  # fmt: skip
            count, rise = both[:vectors], both[vectors:]
            x, width = (e.splat(b.load(e.at(at, k))) for at in (positions, widths))
            below = [e.add(x, y) for x, y in zip(below, count, strict=True)]
            slope = [
                e.fma(width, h, e.fma(x, c, total))
                for total, c, h in zip(slope, count, rise, strict=True)
            ]
            not_above = [e.add(c, b.fneg(h)) for c, h in zip(below, rise, strict=True)]
            pairs = zip(not_above, whole, strict=True)
            store(k, [e.fma(minus_2, below, total) for below, total in pairs])
            return [*below, *slope]

        count = b.add(bins, ir.Constant(INT, 2))
        carried = loop(b, count, [e.zeros()] * (2 * vectors), segment)
        store(ZERO, carried[vectors:])

    def sum_bins(
        memory: Memory, run: Run, G: Pair, deltas: Pair, feature: int, knot: int, bins: int
    ):
        sums(memory, run, G, deltas, feature, knot, bins)

    sum_bins.__name__ = f"sum_bins_{vectors}"
    return kernel(sum_bins)


# Kernels by the vectors of a panel.
_WIDTHS = range(1, TILE_VECTORS + 1)
ADD_PLACES = {width: _add_knots("add_places", _add_places, width) for width in _WIDTHS}
ADD_LINKED = {width: _add_knots("add_linked", _add_linked, width) for width in _WIDTHS}
SUM_BINS = {width: _sum_bins(width) for width in _WIDTHS}
