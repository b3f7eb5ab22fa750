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

    return types.int64(), lambda context, builder, sig, args: _switch(builder, flushing=True)


@intrinsic
def keep_subnormals(typing_context):
    """Let this thread compute with subnormal numbers, as NumPy does, in a kernel that flushes them;
    returns what :func:`restore_mode` wants."""
    return types.int64(), lambda context, builder, sig, args: _switch(builder, flushing=False)


def _switch(builder: ir.IRBuilder, *, flushing: bool) -> Any:
    """The mode so far."""
    if not (X86 or ARM):
        return ZERO
    mode = _mode(builder)
    bits = _X86_FLUSH if X86 else _ARM_FLUSH
    changed = builder.or_(mode, ir.Constant(INT, bits))
    if not flushing:
        changed = builder.xor(changed, ir.Constant(INT, bits))
    _set_mode(builder, changed)
    return mode


@intrinsic
def restore_mode(typing_context, mode):
    """Undo :func:`flush_subnormals` or :func:`keep_subnormals`."""

    def emit(context, builder, sig, args):
        if X86 or ARM:
            _set_mode(builder, args[0])
        return context.get_dummy_value()

    return types.void(types.int64), emit


def _mode(builder: ir.IRBuilder) -> Any:
    if ARM:
        return builder.call(_arm_mode_function(builder, "get", INT, []), [])
    slot = stack_slot(builder, ir.IntType(32))
    builder.call(_x86_mode_function(builder, "stmxcsr"), [_bytes_of(builder, slot)])
    return builder.zext(builder.load(slot), INT)


def _set_mode(builder: ir.IRBuilder, mode: Any) -> None:
    if ARM:
        builder.call(_arm_mode_function(builder, "set", ir.VoidType(), [INT]), [mode])
        return
    slot = stack_slot(builder, ir.IntType(32))
    builder.store(builder.trunc(mode, ir.IntType(32)), slot)
    builder.call(_x86_mode_function(builder, "ldmxcsr"), [_bytes_of(builder, slot)])


def _bytes_of(builder: ir.IRBuilder, slot: Any) -> Any:
    return builder.bitcast(slot, ir.IntType(8).as_pointer())


def _x86_mode_function(builder: ir.IRBuilder, name: str) -> Any:
    signature = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer()])
    return declared(builder, signature, f"llvm.x86.sse.{name}")


def _arm_mode_function(builder: ir.IRBuilder, verb: str, result: Any, arguments: list[Any]) -> Any:
    signature = ir.FunctionType(result, arguments)
    return declared(builder, signature, f"llvm.aarch64.{verb}.fpcr")
