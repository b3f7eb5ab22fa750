"""Blocks of memory on the stack of a kernel, and on the heap."""

from .backend import intrinsic, ir, types
from .builders import declared
from .simd import INT, LINE_BYTES

_BYTES = ir.IntType(8).as_pointer()


@intrinsic
def on_stack(typing_context, size):
    """Address of ``size`` bytes, from a cache line on, which are the kernel's until it returns."""

    def emit(context, builder, sig, args):
        block = builder.alloca(ir.IntType(8), size=args[0])
        block.align = LINE_BYTES
        return builder.ptrtoint(block, INT)

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
