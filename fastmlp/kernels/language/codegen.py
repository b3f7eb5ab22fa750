"""Code generators in place of intrinsics, for what kernels do on whole vectors."""

import inspect
from collections.abc import Callable
from typing import Any

from .backend import intrinsic, types
from .builders import unpacked
from .records import fields
from .simd import Emitter


def codegen(generate: Callable[..., None]) -> Any:
    """What kernels call as a function of the parameters behind the first, an Emitter.

    Its code stands in the kernel itself. The Emitter is of the dtype of ``memory``, the second
    parameter. Of a tuple the generator gets a list, of a record a function that reads its fields;
    all integers are int64s.
    """
    names = ["typing_context", *list(inspect.signature(generate).parameters)[1:]]

    def define(typing_context: Any, *arguments: Any) -> Any:
        def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            e = Emitter(builder, sig.args[0].dtype)
            generate(e, *(_operand(e, context, *pair) for pair in zip(sig.args, args, strict=True)))
            return context.get_dummy_value()

        kinds = (types.int64 if isinstance(k, types.Integer) else k for k in arguments)
        return types.void(*kinds), emit

    define.__name__ = generate.__name__
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    define.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, kind) for name in names]
    )
    return intrinsic(define)


def _operand(e: Emitter, context: Any, kind: Any, value: Any) -> Any:
    if isinstance(kind, types.BaseTuple):
        return unpacked(e.builder, value, len(kind))
    return fields(context, e.builder, kind, value) if isinstance(kind, types.Record) else value
