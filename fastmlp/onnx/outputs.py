"""Outputs of a network to labels, probabilities and numbers, as nodes."""

from typing import Any

import numpy as np

from ..data import Array
from ..outputs import Outputs
from .graph import TEXT, Graph, Tensor

_DOUBLE, _INDEX = np.dtype(np.float64), np.dtype(np.int64)


def decoded(graph: Graph, outputs: Outputs, activated: Tensor, dtype: np.dtype[Any]) -> Tensor:
    """Probabilities of the classes or labels, or numbers in the unit of the targets."""
    if outputs.kind == "pair":
        rest = graph("Sub", dtype.type(1), activated)
        return graph("Concat", rest, activated, axis=1)
    if not outputs.loss.is_numeric:
        return activated
    numbers = graph("Mul", graph.cast(activated, _DOUBLE), outputs.spread)
    numbers = graph("Add", numbers, outputs.centre)
    if (count := outputs.loss.count) > 1:
        numbers = graph("TopK", numbers, np.array([count]), axis=1, largest=0)
    return numbers


def declare(graph: Graph, outputs: Outputs, result: Tensor, dtype: np.dtype[Any]) -> None:
    """Make outputs of probabilities and their labels, or of numbers."""
    count = outputs.count
    if outputs.loss.is_numeric:
        graph.output("predictions", result, _DOUBLE, count)
        return
    if outputs.kind == "labels":
        flags = graph("Greater", result, dtype.type(0.5))
        graph.output("label", graph.cast(flags, _INDEX), _INDEX, count)
    else:
        labels = _constant(outputs.labels)
        index = _index(graph, outputs, result, dtype)
        graph.output("label", graph("Gather", labels, index), labels.dtype)
        count = len(labels)
    graph.output("probabilities", result, dtype, count)


def _index(graph: Graph, outputs: Outputs, result: Tensor, dtype: np.dtype[Any]) -> Tensor:
    if outputs.kind == "classes":
        return graph("ArgMax", result, axis=1, keepdims=0)
    second = graph("Gather", result, np.int64(1), axis=1)
    return graph.cast(graph("Greater", second, dtype.type(0.5)), _INDEX)


def _constant(labels: Array) -> Array:
    """Labels as a tensor of ONNX: bools, int64, float64 or strings."""
    kind = labels.dtype.kind
    if kind == "u" and labels[-1] > np.iinfo(np.int64).max:
        raise ValueError(f"classes_ must fit into int64 for ONNX; got {labels[-1]}")
    dtype = {"b": np.dtype(bool), "i": _INDEX, "u": _INDEX, "f": _DOUBLE}.get(kind, TEXT)
    return labels.astype(dtype)
