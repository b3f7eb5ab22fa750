"""Layers and activations as nodes.

onnxruntime has Elu, Selu, Softplus and Erf in float32 only, and attributes such as the slope of
LeakyRelu are float32: activations are made of operators that it has in both dtypes.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..data import Array
from ..kernels.language.normal import CENTER, TAIL, TAIL_END
from ..kernels.plugins.formulas import LEAK, SELU_ALPHA, SELU_SCALE
from ..network.packed_network import Network
from .graph import Graph, Tensor

Number = Callable[[float], np.generic]  # the dtype of the network


def logits(
    graph: Graph, network: Network, rows: Tensor | None, places: Tensor | None, one_hot: slice
) -> Tensor:
    """The outputs of a network before the output function of its loss.

    Parameters
    ----------
    graph : Graph
    network : Network
    rows : str, optional
        The inputs, if there are others than those at ``places``.
    places : str, optional
        Which of the inputs ``one_hot`` are 1, several in each row; -1 for none.
    one_hot : slice
    """
    weights, number = network.get_weights(), network.dtype.type
    W, b = weights[:2]
    for k, name in enumerate((*network.activations, "identity")):
        if k == 0 and places is not None:
            z = _picked(graph, W[one_hot], places)
            rest = b if rows is None else graph("Gemm", rows, np.delete(W, one_hot, axis=0), b)
            rows = graph("Add", z, rest)
        else:
            assert rows is not None
            rows = graph("Gemm", rows, weights[2 * k], weights[2 * k + 1])
        rows = ACTIVATIONS[name](graph, rows, number)
    assert rows is not None
    return rows


def _picked(graph: Graph, W: Array, places: Tensor) -> Tensor:
    """The sum of the rows of W at the places of each row; -1 is a row of zeros, the last one."""
    table = np.vstack([W, np.zeros_like(W[:1])])
    return graph("ReduceSum", graph("Gather", table, places), np.array([1]), keepdims=0)


def activated(graph: Graph, loss: str, z: Tensor) -> Tensor:
    """What a loss makes of the logits in a prediction."""
    if loss == "softmax_cross_entropy":
        return graph("Softmax", z, axis=1)
    kind = {"binary_cross_entropy": "Sigmoid", "poisson": "Exp"}.get(loss)
    return graph(kind, z) if kind else z


def _below(graph: Graph, x: Tensor, number: Number) -> Tensor:
    """e^x - 1 below 0, and 0 above."""
    return graph("Sub", graph("Exp", graph("Min", x, number(0))), number(1))


def _elu(graph: Graph, x: Tensor, number: Number) -> Tensor:
    return graph("Add", graph("Relu", x), _below(graph, x, number))


def _selu(graph: Graph, x: Tensor, number: Number) -> Tensor:
    above = graph("Mul", graph("Relu", x), number(SELU_SCALE))
    below = graph("Mul", _below(graph, x, number), number(SELU_SCALE * SELU_ALPHA))
    return graph("Add", above, below)


def _softplus(graph: Graph, x: Tensor, number: Number) -> Tensor:
    """max(x, 0) + log(1 + e^-|x|), which does not overflow."""
    falling = graph("Exp", graph("Neg", graph("Abs", x)))
    rest = graph("Log", graph("Add", falling, number(1)))
    return graph("Add", graph("Relu", x), rest)


def _gelu(graph: Graph, x: Tensor, number: Number) -> Tensor:
    if number is np.float32:
        erf = graph("Erf", graph("Mul", x, number(0.5**0.5)))
        return graph("Mul", graph("Mul", x, number(0.5)), graph("Add", erf, number(1)))
    # max(x, 0) - |x| Phi(-|x|), by the kernels' polynomial of the tail.
    size = graph("Min", graph("Abs", x), number(TAIL_END[8]))
    inverse = graph("Div", number(1), graph("Add", size, number(CENTER)))
    t = graph("Mul", graph("Sub", size, number(CENTER)), inverse)
    *rest, last = map(number, TAIL[8])
    ratio = graph("Identity", last)
    for coefficient in reversed(rest):
        ratio = graph("Add", graph("Mul", t, ratio), coefficient)
    density = graph("Exp", graph("Mul", graph("Mul", size, size), number(-0.5)))
    tail = graph("Mul", density, graph("Mul", ratio, inverse))
    return graph("Sub", graph("Relu", x), graph("Mul", size, tail))


def _silu(graph: Graph, x: Tensor, number: Number) -> Tensor:
    """x / (1 + e^-x): onnxruntime 1.18 fuses x and Sigmoid to an operator that lacks float64."""
    return graph("Div", x, graph("Add", graph("Exp", graph("Neg", x)), number(1)))


def _mish(graph: Graph, x: Tensor, number: Number) -> Tensor:
    """x n / (n + 2) with n = e^x (e^x + 2), where n + 2 is n from x = 20 on, even in float64."""
    power = graph("Exp", graph("Min", x, number(20)))
    n = graph("Mul", power, graph("Add", power, number(2)))
    return graph("Mul", x, graph("Div", n, graph("Add", n, number(2))))


ACTIVATIONS: dict[str, Callable[[Graph, Tensor, Any], Tensor]] = {
    "identity": lambda graph, x, number: x,
    "relu": lambda graph, x, number: graph("Relu", x),
    "leaky_relu": lambda graph, x, number: graph("Max", x, graph("Mul", x, number(LEAK))),
    "tanh": lambda graph, x, number: graph("Tanh", x),
    "logistic": lambda graph, x, number: graph("Sigmoid", x),
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": _silu,
    "mish": _mish,
    "softplus": _softplus,
}
