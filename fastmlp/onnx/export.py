"""A file of ONNX, made of one network or of several, whose predictions are averaged."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..network.model import Model
from . import inputs, outputs
from .graph import Graph
from .network import activated, logits


def write_onnx(models: Sequence[Model], path: Any) -> None:
    """Write the models as one graph, with raw rows as inputs and predictions as outputs.

    Raises
    ------
    ImportError
        Without the package onnx.
    ValueError
        For names, categories or labels that no tensor can hold.
    """
    file = Path(path)
    data = _graph(models).model().SerializeToString()
    new = file.with_name(f"{file.name}.{os.getpid()}.new")
    new.write_bytes(data)
    os.replace(new, file)


def _graph(models: Sequence[Model]) -> Graph:
    graph, dtype = Graph(), models[0].network.dtype
    given = inputs.declare(graph, [model.encoding.inputs for model in models])
    results = []
    for model in models:
        encoding, network = model.encoding, model.network
        rows = inputs.encoded(graph, encoding.inputs, given, dtype)
        z = activated(graph, encoding.outputs.loss.name, logits(graph, network, rows))
        results.append(outputs.decoded(graph, encoding.outputs, z, dtype))
    learned, result = models[0].encoding.outputs, results[0]
    if len(results) > 1:
        kind = np.float64 if learned.loss.is_numeric else dtype.type
        result = graph("Div", graph("Sum", *results), kind(len(results)))
    outputs.declare(graph, learned, result, dtype)
    return graph
