"""An ONNX graph that is being built: named tensors, and nodes that make one of others."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..data import Array

# Read by onnxruntime from 1.12 on. Its operators of opset 17 have no string comparison, for which
# there is LabelEncoder of the second set.
IR_VERSION, OPSETS = 8, {"": 17, "ai.onnx.ml": 3}

Tensor = str  # its name
Constant = Array | np.generic
TEXT = np.dtype(object)


class Graph:
    """The nodes so far. A call adds one: ``graph("Add", x, np.float32(1))`` is the sum's name.

    Attributes
    ----------
    inputs : dict of str to (dtype, columns)
    """

    def __init__(self) -> None:
        self.inputs: dict[Tensor, tuple[np.dtype[Any], int]] = {}
        self._outputs: dict[Tensor, tuple[np.dtype[Any], tuple[int, ...]]] = {}
        self._constants: dict[Tensor, Array] = {}
        self._nodes: list[tuple[str, list[Tensor], Tensor, dict[str, Any]]] = []

    def __call__(self, kind: str, *operands: Tensor | Constant, **attributes: Any) -> Tensor:
        """Add a node; operands are tensors or constants. All inputs must have been declared."""
        result = self._new(kind)
        self._nodes.append((kind, list(map(self._named, operands)), result, attributes))
        return result

    def cast(self, tensor: Tensor, dtype: Any) -> Tensor:
        """Add a node that converts a tensor."""
        return self("Cast", tensor, to=np.dtype(dtype))

    def output(self, name: str, tensor: Tensor, dtype: np.dtype[Any], *columns: int) -> None:
        """Make a tensor an output, with a value for each row, or with ``columns``."""
        if name in self.inputs:
            raise ValueError(f"no column of X may be called {name!r}, as an output of ONNX is")
        self._nodes.append(("Identity", [tensor], name, {}))
        self._outputs[name] = dtype, columns

    def model(self) -> Any:
        """The finished graph as an ``onnx.ModelProto``.

        Raises
        ------
        ImportError
            Without the package onnx.
        """
        try:
            from onnx import helper, numpy_helper
        except ModuleNotFoundError as error:
            raise ImportError("ONNX needs the package onnx: pip install 'fastmlp[onnx]'") from error
        kind_of: Callable[[np.dtype[Any]], int] = helper.np_dtype_to_tensor_dtype

        def value(name: Tensor, dtype: np.dtype[Any], columns: tuple[int, ...]) -> Any:
            return helper.make_tensor_value_info(name, kind_of(dtype), ["rows", *columns])

        def node(kind: str, operands: list[Tensor], result: Tensor, given: dict[str, Any]) -> Any:
            domain = "ai.onnx.ml" if kind == "LabelEncoder" else ""
            given = {k: kind_of(v) if k == "to" else v for k, v in given.items()}
            results = [result, f"{result}_order"][: 1 + (kind == "TopK")]
            return helper.make_node(kind, operands, results, domain=domain, **given)

        graph = helper.make_graph(
            [node(*parts) for parts in self._nodes],
            "fastmlp",
            [value(name, dtype, (columns,)) for name, (dtype, columns) in self.inputs.items()],
            [value(name, *described) for name, described in self._outputs.items()],
            [numpy_helper.from_array(array, name) for name, array in self._constants.items()],
        )
        return helper.make_model(
            graph, ir_version=IR_VERSION, producer_name="fastmlp",
            opset_imports=[helper.make_opsetid(*item) for item in OPSETS.items()],
        )  # fmt: skip

    def _named(self, operand: Tensor | Constant) -> Tensor:
        if isinstance(operand, str):
            return operand
        name = self._new("constant")
        self._constants[name] = np.asarray(operand)
        return name

    def _new(self, kind: str) -> Tensor:
        """A name that no other tensor has, nor one that begins with it."""
        name = f"{kind}_{len(self._nodes) + len(self._constants)}"
        while any(given.startswith(name) for given in self.inputs):
            name += "_"
        return name
