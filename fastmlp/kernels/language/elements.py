"""Single elements, cache lines and squares of flat arrays."""

from typing import Any

from .backend import intrinsic, types
from .builders import prefetched
from .codegen import codegen
from .simd import Emitter, multiple


def _transpose(e: Emitter, sources: list[Any], target: Any, target_row: Any) -> None:
    """Swap the off-diagonal blocks of the square that ``sources`` point to, at half the size each
    time, and store it."""
    x = [e.load(row) for row in sources]
    half = e.lanes // 2
    while half:
        low = [k + (e.lanes - half if k & half else 0) for k in range(e.lanes)]
        high = [k + (e.lanes if k & half else half) for k in range(e.lanes)]
        for j in range(e.lanes):
            if not j & half:
                pair = x[j], x[j + half]
                x[j], x[j + half] = e.shuffle(*pair, low), e.shuffle(*pair, high)
        half //= 2
    for j in range(e.lanes):
        e.store(x[j], e.at(target, multiple(e.builder, target_row, j)))


@codegen
def transpose(e, memory, target, target_row, source, source_row):
    """Transpose a square of as many rows and columns as a vector has lanes.

    Row j of the source starts at ``source + j * source_row``, likewise the target.
    """
    first = e.at(memory, source)
    sources = [e.at(first, multiple(e.builder, source_row, j)) for j in range(e.lanes)]
    _transpose(e, sources, e.at(memory, target), target_row)


@codegen
def transpose_rows(e, memory, target, target_row, source, rows, first):
    """The same for source rows that start at ``source + rows[first + j]``."""
    table, start = e.at(rows, first), e.at(memory, source)
    sources = [e.at(start, e.builder.load(e.at(table, j))) for j in range(e.lanes)]
    _transpose(e, sources, e.at(memory, target), target_row)


def _elements(dtype: types.Type) -> Any:
    @intrinsic
    def elements(typing_context, address):
        def emit(context, builder, sig, args):
            return builder.inttoptr(args[0], context.get_value_type(sig.return_type))

        return types.CPointer(dtype)(types.int64), emit

    return elements


# The elements from an address on.
uint8s, int32s, int64s, float64s = map(
    _elements, (types.uint8, types.int32, types.int64, types.float64)
)


@intrinsic
def elements_like(typing_context, address, memory):
    """The elements from ``address`` on, of the same type as those of ``memory``."""

    def emit(context, builder, sig, args):
        return builder.inttoptr(args[0], args[1].type)

    return memory(types.int64, memory), emit


@intrinsic
def as_element(typing_context, value, memory):
    """``value`` in the type of the elements of ``memory``."""

    def emit(context, builder, sig, args):
        return context.cast(builder, args[0], sig.args[0], sig.return_type)

    return memory.dtype(value, memory), emit


@intrinsic
def prefetch(typing_context, memory, index):
    """Ask for the cache line of ``memory[index]``, to be read soon."""
    signature = types.void(memory, types.int64)

    def emit(context, builder, sig, args):
        prefetched(builder, builder.gep(args[0], [args[1]]))
        return context.get_dummy_value()

    return signature, emit
