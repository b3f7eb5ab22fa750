"""A file of ONNX, made of one network or of several, whose predictions are averaged."""

import os
from collections.abc import Sequence

import numpy as np

from ..checks import PATH
from ..files import replace_file
from ..network.model import Model
from . import inputs, outputs
from .graph import Graph
from .network import activated, logits


def write_onnx(models: Sequence[Model], path: str | os.PathLike[str]) -> None:
    """Write the models as one graph, with raw rows as inputs and predictions as outputs.

    Raises
    ------
    ImportError
        Without the package onnx.
    TypeError, ValueError
        For something else than a path; for names, categories or labels that no tensor can hold.
    """
    PATH["check"]("path", path)
    try:
        model = _graph(models).model()
    except UnicodeEncodeError as error:
        wanted = "classes_, categories and names must be valid Unicode for ONNX"
        raise ValueError(f"{wanted}; got {error.object!r}") from error
    replace_file(path, model.SerializeToString())


def _graph(models: Sequence[Model]) -> Graph:
    graph, dtype = Graph(), models[0].network.dtype
    given = inputs.declare(graph, [model.encoding.inputs for model in models])
    results = []
    for model in models:
        encoding, network = model.encoding, model.network
        columns = encoding.inputs.columns
        rows, places = inputs.encoded(graph, encoding.inputs, given, dtype)
        one_hot = slice(columns.n_numbers, columns.n_numbers + columns.n_one_hot)
        z = logits(graph, network, rows, places, one_hot)
        z = activated(graph, encoding.outputs.loss.name, z)
        results.append(outputs.decoded(graph, encoding.outputs, z, dtype))
    learned, result = models[0].encoding.outputs, results[0]
    if len(results) > 1:
        kind = np.float64 if learned.loss.is_numeric else dtype.type
        result = graph("Div", graph("Sum", *results), kind(len(results)))
    outputs.declare(graph, learned, result, dtype)
    return graph
