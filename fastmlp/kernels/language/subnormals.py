"""Treating subnormal numbers as zero while a kernel runs."""

from typing import Any

from .backend import intrinsic, ir, types
from .builders import declared, stack_slot
from .simd import INT, ZERO
from .target import ARM, X86

# Bits of the x86 control register: flush results, take operands, below the normal range as zero.
_X86_FLUSH = 1 << 15 | 1 << 6
_ARM_FLUSH = 1 << 24


@intrinsic
def flush_subnormals(typing_context):
    """Let this thread treat subnormal numbers as zero; returns what :func:`restore_mode` wants.

    Arithmetic on them takes an assist of over 100 cycles, and vanishing probabilities and decaying
    moments make many: one epoch on the full batch from standard normal weights took 12 times as
    long.
    """

    def emit(context, builder, sig, args):
        if X86:
            mode = _x86_mode(builder)
            flushing = builder.or_(mode, ir.Constant(mode.type, _X86_FLUSH))
            _set_x86_mode(builder, flushing)
            return builder.zext(mode, INT)
        if ARM:
            mode = builder.call(_arm_mode_function(builder, "get", INT, []), [])
            flushing = builder.or_(mode, ir.Constant(INT, _ARM_FLUSH))
            builder.call(_arm_mode_function(builder, "set", ir.VoidType(), [INT]), [flushing])
            return mode
        return ZERO

    return types.int64(), emit


@intrinsic
def restore_mode(typing_context, mode):
    """Undo :func:`flush_subnormals`."""

    def emit(context, builder, sig, args):
        if X86:
            _set_x86_mode(builder, builder.trunc(args[0], ir.IntType(32)))
        elif ARM:
            builder.call(_arm_mode_function(builder, "set", ir.VoidType(), [INT]), args)
        return context.get_dummy_value()

    return types.void(types.int64), emit


def _x86_mode_function(builder: ir.IRBuilder, name: str) -> Any:
    signature = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer()])
    return declared(builder, signature, f"llvm.x86.sse.{name}")


def _x86_mode(builder: ir.IRBuilder) -> Any:
    slot = stack_slot(builder, ir.IntType(32))
    pointer = builder.bitcast(slot, ir.IntType(8).as_pointer())
    builder.call(_x86_mode_function(builder, "stmxcsr"), [pointer])
    return builder.load(slot)


def _set_x86_mode(builder: ir.IRBuilder, mode: Any) -> None:
    slot = stack_slot(builder, mode.type)
    builder.store(mode, slot)
    pointer = builder.bitcast(slot, ir.IntType(8).as_pointer())
    builder.call(_x86_mode_function(builder, "ldmxcsr"), [pointer])


def _arm_mode_function(builder: ir.IRBuilder, verb: str, result: Any, arguments: list[Any]) -> Any:
    signature = ir.FunctionType(result, arguments)
    return declared(builder, signature, f"llvm.aarch64.{verb}.fpcr")
