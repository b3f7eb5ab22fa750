"""Updates that a unit of weights missed because no row of a batch touched it, see ``strips``.

Without a gradient the rule's own formula is repeated in registers, with the step sizes, penalties
and decay of each of the updates, so the weights are those of a pass over all of them. Where neither
penalties nor decay act, weights come to rest: by ``run.settled`` updates what is left of their
moves is less than rounding, and from then on the state alone fades, by a power of its factor; so do
weights whose state is zero, at once.
"""

import inspect
from collections.abc import Callable
from typing import Any

from ..language.backend import ir
from ..language.builders import prefetched, stack_slot
from ..language.codegen import codegen
from ..language.jit import kernel
from ..language.parameters import Memory, Pair, Run
from ..language.simd import INT, LINE_BYTES, ZERO, Emitter, each, loop, multiple
from .elementwise import numbers_of, sum_of_lanes
from .regularisation import add_penalties, let_decay
from .update_rules import RULES, Rule

# Vectors whose chains of updates run side by side, to hide the latency of each.
_SIDE_BY_SIDE = 4
# Units by which the next ones are asked for.
_AHEAD = 4
_ONE = ir.Constant(INT, 1)

Vectors = dict[str, list[Any]]


def _replay(name: str, rule: Rule) -> Any:
    """The kernel :func:`~fastmlp.kernels.products.strips.replay` of a rule."""

    @codegen
    def missed(e, memory, run, W, count, units, present, until, opens):
        o = _Operands(e, memory, run, rule, W, units, present, until, opens)
        changes = e.builder.or_(run("penalise"), run("shrink"))
        with e.builder.if_else(e.builder.icmp_signed("!=", changes, ZERO)) as (penalised, free):
            with penalised:
                o.each_unit(count, o.regularised)
            with free:
                o.each_unit(count, o.plain)
        e.builder.store(sum_of_lanes(e, e.builder.load(o.squares)), e.at(memory, run("tile")))

    def replay(
        memory: Memory, run: Run, W: Pair, count: int, units: Pair, present: int,
        until: int, opens: int,
    ):  # fmt: skip
        missed(memory, run, W, count, units, present, until, opens)
        run.squares = memory[run.tile]

    replay.__name__ = f"replay_{name}"
    return kernel(replay)


class _Operands:
    """The operands of a replay, offsets and tables as pointers."""

    def __init__(
        self, e: Emitter, memory: Any, run: Callable[[str], Any], rule: Rule, W: list[Any],
        units: list[Any], present: Any, until: Any, opens: Any,
    ) -> None:  # fmt: skip
        b, self.e, self.rule = e.builder, e, rule
        self.numbers, self.until, self.opens = numbers_of(e, run), until, opens
        self.units, self.n_units = b.inttoptr(units[0], INT.as_pointer()), units[1]
        self.present = b.inttoptr(present, INT.as_pointer())
        wide = ir.DoubleType().as_pointer()
        self.lists = {
            field: b.inttoptr(run(field), wide)
            for field in ("rates", "l2s", "l1s", "decays", "powers", "penalty_factors")
        }
        self.settled, self.power_count = run("settled"), run("power_count")
        names = [name for name in inspect.signature(rule.formula).parameters][2:]
        names.remove("g")
        start, self.step = e.at(memory, W[0]), W[1]
        distance = run("weight_count")
        self.starts = {
            name: e.at(start, multiple(b, distance, number)) for number, name in enumerate(names)
        }
        self.squares = stack_slot(b, e.vector)
        b.store(e.zeros(), self.squares)

    def each_unit(self, count: Any, body: Callable[..., None]) -> None:
        """``body(addresses, first)`` for the vectors of each unit, several at a time: ``first`` is
        the number of the first update that it missed."""
        e, b = self.e, self.e.builder
        vectors = b.sdiv(count, ir.Constant(INT, e.lanes))
        last = b.sub(self.n_units, _ONE)

        def unit(t: Any) -> None:
            column = b.load(e.at(self.units, t))
            following = b.add(t, ir.Constant(INT, _AHEAD))
            following = b.select(b.icmp_signed("<", following, last), following, last)
            self._ask(b.load(e.at(self.units, following)), count)
            first = b.load(e.at(self.present, column))
            start = b.mul(column, self.step)
            width, done = _SIDE_BY_SIDE, ZERO
            while width:
                groups = b.sdiv(b.sub(vectors, done), ir.Constant(INT, width))
                self._groups(start, done, groups, width, first, body)
                done = b.and_(vectors, ir.Constant(INT, -width))
                width //= 2

        each(b, self.n_units, unit)

    def _groups(
        self, start: Any, done: Any, groups: Any, width: int, first: Any, body: Callable[..., None]
    ) -> None:
        e, b = self.e, self.e.builder

        def group(index: Any) -> None:
            vector = b.add(done, multiple(b, index, width))
            begin = b.add(start, multiple(b, vector, e.lanes))
            addresses = {
                name: [e.at(e.at(origin, begin), v * e.lanes) for v in range(width)]
                for name, origin in self.starts.items()
            }
            body(addresses, first)

        each(b, groups, group)

    def _ask(self, column: Any, count: Any) -> None:
        """Prefetch a unit."""
        e, b = self.e, self.e.builder
        offset = b.mul(column, self.step)

        def line(i: Any) -> None:
            for start in self.starts.values():
                prefetched(b, e.at(start, b.add(offset, i)))

        each(b, count, line, step=LINE_BYTES // e.itemsize)

    def plain(self, addresses: Vectors, first: Any) -> None:
        """Updates without penalties and decay."""
        e, b, rule = self.e, self.e.builder, self.rule
        missed = b.sub(self.until, first)
        with b.if_then(b.icmp_signed(">", missed, ZERO)):
            values = {name: [e.load(at) for at in places] for name, places in addresses.items()}
            steps = ZERO
            if rule.missed.mover:
                fewer = b.select(b.icmp_signed("<", missed, self.settled), missed, self.settled)
                steps = b.select(self._any(values[rule.missed.mover]), fewer, ZERO)
                values = self._loop(values, first, steps, self._formula)
            rest = b.sub(missed, steps)
            for number, name in enumerate(rule.missed.fades):
                place = b.add(multiple(b, self.power_count, number), rest)
                power = self._number("powers", place)
                values[name] = [e.multiply(power, x) for x in values[name]]
            self._store(values, addresses)

    def regularised(self, addresses: Vectors, first: Any) -> None:
        """Updates with penalties and decay, as in ``regularisation.regularised``."""
        e, b = self.e, self.e.builder
        values = {name: [e.load(at) for at in places] for name, places in addresses.items()}

        def update(values: Vectors, number: Any) -> Vectors:
            self._weigh(values["w"], self._number("penalty_factors", number))
            numbers = self.numbers._replace(
                l2=self._number("l2s", number), l1=self._number("l1s", number),
                decay=self._number("decays", number, negative=True),
            )  # fmt: skip
            g = [add_penalties(e, numbers, w, e.zeros())["g"] for w in values["w"]]
            w = [let_decay(e, numbers, w)["w"] for w in values["w"]]
            return self._formula({**values, "w": w}, number, g)

        values = self._loop(values, first, b.sub(self.until, first), update)
        with b.if_then(b.icmp_signed("!=", self.opens, ZERO)):
            self._weigh(values["w"], self._number("penalty_factors", self.until))
        self._store(values, addresses)

    def _formula(self, values: Vectors, number: Any, g: list[Any] | None = None) -> Vectors:
        e, names = self.e, list(values)
        numbers = self.numbers._replace(step=self._number("rates", number, negative=True))
        gradients = g or [e.zeros()] * len(values["w"])
        new: Vectors = {name: [] for name in names}
        for index, gradient in enumerate(gradients):
            old = {name: values[name][index] for name in names}
            changed = {**old, **self.rule.formula(e, numbers, g=gradient, **old)}
            for name in names:
                new[name].append(changed[name])
        return new

    def _loop(
        self, values: Vectors, first: Any, count: Any, update: Callable[..., Vectors]
    ) -> Vectors:
        """``values = update(values, number)`` for ``count`` updates from number ``first`` on."""
        b, names, width = self.e.builder, list(values), len(values["w"])

        def turn(index: Any, flat: list[Any]) -> list[Any]:
            return _flat(update(_by_name(names, width, flat), b.add(first, index)))

        return _by_name(names, width, loop(b, count, _flat(values), turn))

    def _weigh(self, weights: list[Any], factor: Any) -> None:
        e, b = self.e, self.e.builder
        total = b.load(self.squares)
        for w in weights:
            total = e.fma(e.multiply(factor, w), w, total)
        b.store(total, self.squares)

    def _number(self, field: str, index: Any, *, negative: bool = False) -> Any:
        """A number of a list, in every lane."""
        e, b = self.e, self.e.builder
        number = b.load(e.at(self.lists[field], index))
        number = b.fneg(number) if negative else number
        return e.splat(b.fptrunc(number, e.scalar) if e.itemsize == 4 else number)

    def _any(self, vectors: list[Any]) -> Any:
        """Whether any element is not zero."""
        e, b = self.e, self.e.builder
        lanes = ir.IntType(e.lanes)
        found = ir.Constant(lanes, 0)
        for x in vectors:
            found = b.or_(found, b.bitcast(b.fcmp_unordered("!=", x, e.zeros()), lanes))
        return b.icmp_unsigned("!=", found, ir.Constant(lanes, 0))

    def _store(self, values: Vectors, addresses: Vectors) -> None:
        for name, vectors in values.items():
            for value, address in zip(vectors, addresses[name], strict=True):
                self.e.store(value, address)


def _flat(values: Vectors) -> list[Any]:
    return [x for vectors in values.values() for x in vectors]


def _by_name(names: list[str], width: int, flat: list[Any]) -> Vectors:
    return {name: flat[i * width : (i + 1) * width] for i, name in enumerate(names)}


REPLAYS = {name: _replay(name, rule) for name, rule in RULES.items()}
