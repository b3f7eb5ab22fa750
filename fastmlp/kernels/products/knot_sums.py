"""Sums of values at knots, and sums of deltas by bin, see ``products.bins``."""

from typing import Any

from ..language.backend import ir
from ..language.codegen import codegen
from ..language.jit import kernel, plugin
from ..language.parameters import Memory, Pair, Run
from ..language.places import load_place
from ..language.simd import INT, TILE_VECTORS, ZERO, each, loop, multiple, while_loop
from .knot_values import numbers_at, reach_of
from .tiles import store_sums

_WORD = ir.IntType(32)


@plugin
def add_knots(
    memory: Memory, run: Run, C: Pair, base: Pair, V: Pair, features: Pair, rectified: int
):
    """C (m) = base (m) + sum of (1 - t) V[k] + t V[k + 1], of some features, whose values are the
    fraction t of the way from knot k to the next one; at least 0 if ``rectified``.

    C, base and V are pairs (offset, elements between rows), of as many vectors as the kernel is
    made for; ``features`` the first one and their number. V begins with the first knot of all.
    """


def _add_knots(vectors: int) -> Any:
    @codegen
    def add(e, memory, run, C, base, V, features, rectified):
        b, one = e.builder, e.constant(1.0)
        target, start, knots = (e.at(memory, operand[0]) for operand in (C, base, V))
        places, step = e.at(memory, run("places")), multiple(b, run("n_binned"), 2)
        places = e.at(places, multiple(b, features[0], 2))

        def row(s: Any) -> None:
            own = e.at(places, b.mul(s, step))

            def feature(i: Any, sums: list[Any]) -> list[Any]:
                fraction, knot = load_place(e, e.at(own, multiple(b, i, 2)))
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
            totals = [e.add(x, y) for x, y in zip(sums[:vectors], sums[vectors:], strict=True)]
            totals = [e.add(e.load(e.at(of_base, v * e.lanes)), x) for v, x in enumerate(totals)]
            store_sums(e, totals, [e.at(of_target, v * e.lanes) for v in range(vectors)], rectified)

        each(b, run("m"), row)

    def add_knots(
        memory: Memory, run: Run, C: Pair, base: Pair, V: Pair, features: Pair, rectified: int
    ):
        add(memory, run, C, base, V, features, rectified)

    add_knots.__name__ = f"add_knots_{vectors}"
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
        first, half = e.at(first, b.neg(deltas[1])), b.ashr(deltas[1], ir.Constant(INT, 1))
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
            fraction, following = load_place(e, e.at(links, s))
            row, t = e.at(first, b.mul(s, half)), e.splat(fraction)
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
ADD_KNOTS = {width: _add_knots(width) for width in _WIDTHS}
SUM_BINS = {width: _sum_bins(width) for width in _WIDTHS}
