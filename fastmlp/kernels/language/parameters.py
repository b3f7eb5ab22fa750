"""Types of the parameters of kernels, as annotations.

A parameter without annotation, or of type ``int``, is an int64; so is a result of type ``int``.
"""

import inspect
from collections.abc import Callable
from typing import Annotated, Any

from .backend import types
from .records import LAYER_TYPE, RUN_TYPE

# Python cannot use these values, only kernels; the annotation holds Numba's type.
Memory = Annotated[Any, types.CPointer]  # a pointer to numbers of the dtype of a run
Run = Annotated[Any, RUN_TYPE]
Layer = Annotated[Any, LAYER_TYPE]
# Operands of products: an offset and the steps from it to a row, see ``products.tiles``.
Pair = Annotated[Any, types.UniTuple(types.int64, 2)]
Triple = Annotated[Any, types.UniTuple(types.int64, 3)]

# By identity, as the hash of a record covers all its fields: 10 ms of the import.
_TYPES: dict[int, Any] = {
    id(inspect.Parameter.empty): types.int64, id(int): types.int64,
    **{id(kind): kind.__metadata__[0] for kind in (Memory, Run, Layer, Pair, Triple)},
}  # fmt: skip
_RESULTS: dict[int, Any] = {
    id(inspect.Signature.empty): types.none, id(None): types.none, id(int): types.int64,
}  # fmt: skip


class Prototype:
    """Names and types of the parameters of a kernel, and the type of its result."""

    def __init__(self, function: Callable[..., Any]) -> None:
        signature = inspect.signature(function)
        self.names = list(signature.parameters)
        self._types = [
            _known(_TYPES, parameter.annotation, f"{name} of {function.__name__}")
            for name, parameter in signature.parameters.items()
        ]
        self.result = _known(
            _RESULTS, signature.return_annotation, f"the result of {function.__name__}"
        )
        # Index of the parameter that determines the dtype; None if a kernel is the same for all.
        has_dtype = [kind is types.CPointer for kind in self._types]
        self.memory = has_dtype.index(True) if True in has_dtype else None

    def types(self, dtype: types.Float | None) -> tuple[Any, ...]:
        """Numba's types of the parameters."""
        return tuple(kind(dtype) if kind is types.CPointer else kind for kind in self._types)


def _known(kinds: dict[int, Any], annotation: Any, what: str) -> Any:
    if id(annotation) not in kinds:
        raise TypeError(f"{what} is annotated as {annotation!r}, which no kernel takes or returns")
    return kinds[id(annotation)]
