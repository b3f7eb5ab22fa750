"""Blocks of memory on the stack of a kernel, and on the heap."""

from typing import Any

from .backend import intrinsic, ir, types
from .builders import declared
from .simd import INT, LINE_BYTES, ZERO, each

_PAGE = 4096  # the smallest there is
_BYTES = ir.IntType(8).as_pointer()


@intrinsic
def on_stack(typing_context, size):
    """Address of ``size`` bytes, from a cache line on, which are the kernel's until it returns.

    Each page is touched, the nearest one first, so that a block which does not fit meets the page
    at the end of the stack, and does not reach beyond it.
    """

    def emit(context, builder, sig, args):
        block = builder.alloca(ir.IntType(8), size=args[0])
        block.align = LINE_BYTES
        address, page = builder.ptrtoint(block, INT), ir.Constant(INT, _PAGE)

        def touch(distance: Any) -> None:
            place = builder.sub(builder.add(address, builder.sub(args[0], page)), distance)
            pointer = builder.inttoptr(place, INT.as_pointer())
            builder.store_atomic(ZERO, pointer, "monotonic", 8)

        each(builder, builder.sub(args[0], page), touch, step=_PAGE)
        return address

    return types.int64(types.int64), emit


@intrinsic
def from_heap(typing_context, size):
    """Address of ``size`` bytes; 0 if there are none."""

    def emit(context, builder, sig, args):
        function = declared(builder, ir.FunctionType(_BYTES, [INT]), "malloc")
        return builder.ptrtoint(builder.call(function, args), INT)

    return types.int64(types.int64), emit


@intrinsic
def to_heap(typing_context, address):
    """Give back what :func:`from_heap` took."""

    def emit(context, builder, sig, args):
        function = declared(builder, ir.FunctionType(ir.VoidType(), [_BYTES]), "free")
        builder.call(function, [builder.inttoptr(args[0], _BYTES)])
        return context.get_dummy_value()

    return types.void(types.int64), emit
