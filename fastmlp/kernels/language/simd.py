"""Vectors for the code generators of intrinsics: lanes by target and dtype, instructions, loops."""

from typing import Any

from .backend import ir, types
from .builders import declared
from .target import HAS_FMA, REGISTERS, VECTOR_BYTES

INT = ir.IntType(64)
ZERO = ir.Constant(INT, 0)

# Of a line of the cache, and of a vector at most.
LINE_BYTES = 64

# Columns of a tile, in vectors. With 4, a row of a weight panel is 4 vectors: 6 x 4 reached
# 0.86-0.92 of the FMA limit on AVX-512 against 0.81-0.87 for 12 x 2 and 8 x 2, and 3 x 4
# equalled 6 x 2 (0.95-0.99) on AVX2.
TILE_VECTORS = 4
TILE_ROWS = 6 if REGISTERS == 32 else 3

# Flags of an operation that must not be reordered, whatever Numba gives to those without flags: a
# sum then has the same terms in the same order in every tile, and so the same rounding.
AS_WRITTEN = ("contract",)
# The same for one that must not become part of a multiply-add either: of two products in a sum
# LLVM may fuse either one.
_ROUNDED = ("nsz",)


def lanes(itemsize: int) -> int:
    """Elements of ``itemsize`` bytes in one vector."""
    return VECTOR_BYTES // itemsize


class Emitter:
    """Shorthand for the vector instructions of one dtype."""

    def __init__(self, builder: ir.IRBuilder, dtype: types.Float) -> None:
        self.builder = builder
        self.scalar = ir.FloatType() if dtype.bitwidth == 32 else ir.DoubleType()
        self.suffix = f"f{dtype.bitwidth}"
        self.itemsize = dtype.bitwidth // 8
        self.lanes = lanes(self.itemsize)
        self.vector = ir.VectorType(self.scalar, self.lanes)
        # AVX-512 has estimates of 14 bits, which one Newton step makes exact enough for float32.
        self._estimates = VECTOR_BYTES == 64 and self.itemsize == 4

    def at(self, pointer: Any, offset: Any) -> Any:
        if isinstance(offset, int):
            offset = ir.Constant(INT, offset)
        return self.builder.gep(pointer, [offset])

    def load(self, pointer: Any, mask: Any = None) -> Any:
        """Load a vector, or the lanes of a mask and touch no others; they are 0."""
        if mask is not None:
            name = f"llvm.masked.load.v{self.lanes}{self.suffix}.p0"
            return self._masked(name, self.vector, pointer, mask, self.zeros())
        pointer = self.builder.bitcast(pointer, self.vector.as_pointer())
        return self.builder.load(pointer, align=self.itemsize)

    def store(self, value: Any, pointer: Any, mask: Any = None) -> None:
        """Store a vector, or the lanes of a mask and touch no others."""
        if mask is not None:
            name = f"llvm.masked.store.v{self.lanes}{self.suffix}.p0"
            self._masked(name, ir.VoidType(), pointer, mask, value)
            return
        pointer = self.builder.bitcast(pointer, value.type.as_pointer())
        self.builder.store(value, pointer, align=self.itemsize)

    def first_lanes(self, count: Any) -> Any:
        """Mask of the first ``count`` lanes."""
        numbers = ir.Constant(ir.VectorType(INT, self.lanes), list(range(self.lanes)))
        return self.builder.icmp_signed("<", numbers, self.splat(count))

    def _masked(self, name: str, result: Any, pointer: Any, mask: Any, value: Any) -> Any:
        pointer = self.builder.bitcast(pointer, self.vector.as_pointer())
        align = ir.Constant(ir.IntType(32), self.itemsize)
        stores = isinstance(result, ir.VoidType)
        operands = [value, pointer, align, mask] if stores else [pointer, align, mask, value]
        kind = ir.FunctionType(result, [operand.type for operand in operands])
        function = declared(self.builder, kind, name)
        return self.builder.call(function, operands)

    def splat(self, scalar: Any) -> Any:
        undefined = ir.Constant(ir.VectorType(scalar.type, self.lanes), ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
        return self.shuffle(first, undefined, [0] * self.lanes)

    def shuffle(self, x: Any, y: Any, order: list[int]) -> Any:
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)
        return self.builder.shuffle_vector(x, y, mask)

    def fma(self, x: Any, y: Any, z: Any) -> Any:
        """x * y + z, rounded once where the target can."""
        if HAS_FMA:
            return self._call(f"llvm.fma.v{self.lanes}{self.suffix}", x, y, z)
        return self.add(self.builder.fmul(x, y, flags=AS_WRITTEN), z)

    def add(self, x: Any, y: Any) -> Any:
        """x + y, in the order in which it is written."""
        return self.builder.fadd(x, y, flags=AS_WRITTEN)

    def multiply(self, x: Any, y: Any) -> Any:
        """x * y, rounded."""
        return self.builder.fmul(x, y, flags=_ROUNDED)

    def add_quotient(self, z: Any, x: Any, y: Any) -> Any:
        """z + x / y."""
        if self._estimates:
            return self.fma(x, self.inverse(y), z)
        return self.builder.fadd(z, self.builder.fdiv(x, y, flags=_ROUNDED), flags=_ROUNDED)

    def sign(self, x: Any) -> Any:
        """1, -1, or x itself if it is neither more nor less than 0."""
        b, zero = self.builder, self.zeros()
        below = b.select(b.fcmp_ordered("<", x, zero), self.constant(-1.0), x)
        return b.select(b.fcmp_ordered(">", x, zero), self.constant(1.0), below)

    def larger(self, x: Any, y: Any) -> Any:
        """The larger of two; y if either is NaN."""
        return self.builder.select(self.builder.fcmp_ordered(">", x, y), x, y)

    def square_root(self, x: Any) -> Any:
        """The root of x >= 0, to about one unit in the last place; of less than 1e-36, about 0."""
        if not self._estimates:
            return self._call(f"llvm.sqrt.v{self.lanes}{self.suffix}", x)
        b, half, least = self.builder, self.constant(0.5), self.constant(1e-36)
        x = b.select(b.fcmp_ordered("<", x, least), least, x)  # the estimate for 0 is infinite
        inverse = self._estimate("rsqrt14", x)
        root = b.fmul(x, inverse)
        error = self.fma(b.fneg(root), b.fmul(inverse, half), half)
        return self.fma(root, error, root)

    def inverse(self, x: Any) -> Any:
        """1 / x, to about one unit in the last place."""
        one = self.constant(1.0)
        if not self._estimates:
            return self.builder.fdiv(one, x)
        inverse = self._estimate("rcp14", x)
        error = self.fma(self.builder.fneg(x), inverse, one)
        return self.fma(inverse, error, inverse)

    def _estimate(self, name: str, x: Any) -> Any:
        every_lane = ir.Constant(ir.IntType(self.lanes), -1)
        return self._call(f"llvm.x86.avx512.{name}.ps.512", x, self.zeros(), every_lane)

    def _call(self, name: str, *operands: Any) -> Any:
        signature = ir.FunctionType(self.vector, [operand.type for operand in operands])
        function = declared(self.builder, signature, name)
        return self.builder.call(function, operands)

    def constant(self, value: float) -> Any:
        return ir.Constant(self.vector, [value] * self.lanes)

    def zeros(self) -> Any:
        return ir.Constant(self.vector, None)


def multiple(builder: ir.IRBuilder, value: Any, factor: int) -> Any:
    return builder.mul(value, ir.Constant(INT, factor))


def each(builder: ir.IRBuilder, count: Any, body: Any, step: int = 1) -> None:
    """``for i in range(0, count, step): body(i)``."""

    def turn(index: Any, _: list[Any]) -> list[Any]:
        body(index)
        return []

    loop(builder, count, [], turn, step)


def loop(
    builder: ir.IRBuilder, count: Any, carried: list[Any], body: Any, step: int = 1
) -> list[Any]:
    """``for i in range(0, count, step): carried = body(i, carried)``; returns ``carried``."""

    def going(values: list[Any]) -> Any:
        return builder.icmp_signed("<", values[0], count)

    def turn(values: list[Any]) -> list[Any]:
        index, *carried = values
        carried = body(index, carried)
        return [builder.add(index, ir.Constant(INT, step)), *carried]

    return while_loop(builder, [ZERO, *carried], going, turn)[1:]


def while_loop(builder: ir.IRBuilder, carried: list[Any], going: Any, body: Any) -> list[Any]:
    """``while going(carried): carried = body(carried)``; returns ``carried``."""
    before = builder.block
    head = builder.append_basic_block("while.head")
    inside = builder.append_basic_block("while.body")
    after = builder.append_basic_block("while.end")
    builder.branch(head)
    builder.position_at_end(head)
    values = [builder.phi(value.type) for value in carried]
    for phi, value in zip(values, carried, strict=True):
        phi.add_incoming(value, before)
    builder.cbranch(going(values), inside, after)
    builder.position_at_end(inside)
    new_values = body(values)
    for phi, value in zip(values, new_values, strict=True):
        phi.add_incoming(value, builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    return values
