"""Annotations of the parameters of kernels."""

from typing import Any

import pytest
from numba import types

from fastmlp.kernels.language.jit import kernel, plugin
from fastmlp.kernels.language.parameters import Layer, Memory, Pair, Prototype, Run, Triple
from fastmlp.kernels.language.records import LAYER, RUN


def test_annotations_give_the_types() -> None:
    def function(memory: Memory, run: Run, a: Layer, b: Pair, c: Triple, d: int, e) -> int:  # type: ignore[no-untyped-def]
        return 0

    prototype = Prototype(function)
    assert prototype.names == ["memory", "run", "a", "b", "c", "d", "e"]
    assert prototype.memory == 0
    assert prototype.result == types.int64
    pointer, run, layer, pair, triple, *rest = prototype.types(types.float32)
    assert pointer == types.CPointer(types.float32)
    assert (run.dtype, layer.dtype) == (RUN, LAYER)
    assert (pair, triple) == (types.UniTuple(types.int64, 2), types.UniTuple(types.int64, 3))
    assert rest == [types.int64] * 2


def test_names_do_not() -> None:
    def function(run: int, memory: int, elements: Memory, W: Triple) -> None: ...

    prototype = Prototype(function)
    assert prototype.memory == 2
    assert prototype.types(types.float64) == (
        types.int64, types.int64, types.CPointer(types.float64), types.UniTuple(types.int64, 3),
    )  # fmt: skip
    assert prototype.result == types.none


@pytest.mark.parametrize("decorator", [kernel, plugin])
@pytest.mark.parametrize("annotation", [float, "Memory", Any, None])
def test_an_unknown_annotation_is_an_error(decorator: Any, annotation: Any) -> None:
    def function(x: annotation, y: int): ...  # type: ignore[no-untyped-def]

    with pytest.raises(TypeError, match=r"x of function is annotated as .*, which no kernel takes"):
        decorator(function)

    def result(x: int) -> annotation: ...

    if annotation is not None:
        with pytest.raises(TypeError, match="the result of result is annotated as "):
            decorator(result)
