"""Code generators for operations on whole vectors."""

import inspect
from collections.abc import Callable
from typing import Any

from .backend import types
from .builders import intrinsic_of, unpacked
from .records import fields
from .simd import Emitter


def codegen(generate: Callable[..., None]) -> Any:
    """Make a code generator a function that kernels call, and that is inlined there.

    Its first parameter is an Emitter of the dtype of the second one, a pointer; kernels do not pass
    it. Tuples arrive as lists, records as functions that read fields, integers as int64.
    """
    _, *names = inspect.signature(generate).parameters

    def define(typing_context: Any, *arguments: Any) -> Any:
        def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            e = Emitter(builder, sig.args[0].dtype)
            generate(e, *(_operand(e, context, *pair) for pair in zip(sig.args, args, strict=True)))
            return context.get_dummy_value()

        kinds = (types.int64 if isinstance(k, types.Integer) else k for k in arguments)
        return types.void(*kinds), emit

    define.__name__ = generate.__name__
    return intrinsic_of(define, names)


def _operand(e: Emitter, context: Any, kind: Any, value: Any) -> Any:
    if isinstance(kind, types.BaseTuple):
        return unpacked(e.builder, value, len(kind))
    return fields(context, e.builder, kind, value) if isinstance(kind, types.Record) else value
