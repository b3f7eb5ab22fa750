"""Values at knots from the weights of a feature and of its bins, see ``products.bins``."""

from typing import Any

from ..language.backend import ir
from ..language.codegen import codegen
from ..language.elements import int64s
from ..language.jit import kernel
from ..language.parameters import Layer, Memory, Run
from ..language.records import layer_at, run_at, vectors_of
from ..language.simd import INT, Emitter, each, loop, multiple


@kernel
def set_all_values(memory: Memory, runs: int, member: int):
    """The values (knots, panel) of all panels, for predictions."""
    run = run_at(runs, member)
    layer = layer_at(run.layers, 1)
    for p in range(layer.panels):
        set_values(
            memory, run, layer, layer.knots + p * layer.knot_panel, p, 0, run.n_binned
        )  # fmt: skip


@kernel
def set_values(memory: Memory, run: Run, layer: Layer, target: int, p: int, first: int, last: int):
    """V (knots, panel) from W (n_in, panel), of the features from ``first`` to ``last``."""
    binned, panel = int64s(run.binned), layer.panel
    weights, vectors = layer.weights + p * layer.weight_panel, vectors_of(run, layer, p)
    start = binned[3 * first + 2]
    for i in range(first, last):
        knot = binned[3 * i + 2]
        _set_values(
            memory, run, (target + (knot - start) * panel, panel), weights + binned[3 * i] * panel,
            weights + binned[3 * i + 1] * panel, knot, binned[3 * i + 5] - knot - 3, vectors,
        )  # fmt: skip


@codegen
def _set_values(e, memory, run, V, feature, bins, knot, count, vectors):
    """V (count + 3, vectors) of a feature, from its weights and those (count) of its bins."""
    b, step = e.builder, V[1]
    positions, widths = numbers_at(e, run, knot)
    reach, one, two = reach_of(e, run), ir.Constant(INT, 1), ir.Constant(INT, 2)
    double = e.add(reach, reach)
    lowest = e.splat(b.load(e.at(positions, one)))

    def vector(v: Any) -> None:
        column = multiple(b, v, e.lanes)
        starts = V[0], feature, bins
        target, slope, first = (e.at(e.at(memory, start), column) for start in starts)
        slope = e.load(slope)

        def weight(k: Any) -> Any:
            return e.load(e.at(first, b.mul(k, step)))

        def add(k: Any, sums: list[Any]) -> list[Any]:
            return [e.add(sums[0], weight(k))]

        def knot_value(k: Any, carried: list[Any]) -> list[Any]:
            width = e.splat(b.load(e.at(widths, b.add(k, one))))
            rise = e.fma(double, weight(k), e.multiply(width, slope))
            value = e.add(carried[0], rise)
            e.store(value, e.at(target, b.mul(b.add(k, two), step)))
            return [value]

        (total,) = loop(b, count, [e.zeros()], add)
        value = e.fma(lowest, slope, b.fneg(e.multiply(reach, total)))
        e.store(e.add(value, b.fneg(slope)), target)
        e.store(value, e.at(target, step))
        (value,) = loop(b, count, [value], knot_value)
        e.store(e.add(value, slope), e.at(target, b.mul(b.add(count, two), step)))

    each(b, vectors, vector)


def numbers_at(e: Emitter, run: Any, knot: Any) -> tuple[Any, Any]:
    """Pointers to the positions of the knots from number ``knot`` on, and to their distances."""
    kind = e.scalar.as_pointer()
    knots, widths = (e.builder.inttoptr(run(name), kind) for name in ("knots", "widths"))
    return e.at(knots, knot), e.at(widths, knot)


def reach_of(e: Emitter, run: Any) -> Any:
    """The largest value of a bin."""
    reach = run("bin_reach")
    return e.splat(e.builder.fptrunc(reach, e.scalar) if e.itemsize == 4 else reach)
