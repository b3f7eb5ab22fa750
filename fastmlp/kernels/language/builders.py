"""Shorthand for intrinsics and for LLVM's builder: functions, the stack, tuples."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from .backend import intrinsic, ir


def intrinsic_of(define: Callable[..., Any], names: Iterable[str]) -> Any:
    """The intrinsic of a function (typing context, *arguments) with arguments of these names."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, kind) for name in ("typing_context", *names)]
    define.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return intrinsic(define)


def declared(builder: Any, kind: Any, name: str) -> Any:
    """The function of this LLVM type and name."""
    found = builder.module.globals.get(name)
    return ir.Function(builder.module, kind, name) if found is None else found


def stack_slot(builder: Any, kind: Any) -> Any:
    """Pointer to a place on the stack, taken once at the function's entry."""
    with builder.goto_entry_block():
        return builder.alloca(kind)


def unpacked(builder: Any, value: Any, n_values: int) -> list[Any]:
    """The values of a tuple."""
    return [builder.extract_value(value, index) for index in range(n_values)]
