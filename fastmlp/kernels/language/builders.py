"""Helpers for intrinsics and for LLVM's builder: functions, the stack, tuples."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from .backend import intrinsic, ir


def intrinsic_of(define: Callable[..., Any], names: Iterable[str]) -> Any:
    """Make an intrinsic of ``define(typing_context, *arguments)``, with these argument names."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, kind) for name in ("typing_context", *names)]
    define.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return intrinsic(define)


def declared(builder: Any, kind: Any, name: str) -> Any:
    """The external function of this LLVM type and name, declared at first use."""
    found = builder.module.globals.get(name)
    return ir.Function(builder.module, kind, name) if found is None else found


def prefetched(builder: Any, address: Any) -> None:
    """Ask for the cache line at ``address``, to be read soon."""
    flag, address = ir.IntType(32), builder.bitcast(address, ir.IntType(8).as_pointer())
    kind = ir.FunctionType(ir.VoidType(), [address.type, flag, flag, flag])
    read, second_level, data = (ir.Constant(flag, value) for value in (0, 2, 1))
    builder.call(declared(builder, kind, "llvm.prefetch.p0"), [address, read, second_level, data])


def stack_slot(builder: Any, kind: Any) -> Any:
    """Pointer to a slot on the stack, allocated once, at the function's entry."""
    with builder.goto_entry_block():
        return builder.alloca(kind)


def unpacked(builder: Any, value: Any, n_values: int) -> list[Any]:
    """The values of a tuple."""
    return [builder.extract_value(value, index) for index in range(n_values)]
