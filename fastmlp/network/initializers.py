"""Initial weights, drawn from distributions by name."""

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import blocks

Matrix = npt.NDArray[np.floating]

# "auto" by the activation of the layer; "glorot_uniform" for others and for the output layer.
_SUITED = {
    "relu": "he_uniform", "leaky_relu": "he_uniform", "elu": "he_uniform", "gelu": "he_uniform",
    "silu": "he_uniform", "mish": "he_uniform", "softplus": "he_uniform", "selu": "lecun_normal",
}  # fmt: skip


def initial_weights(
    rng: np.random.Generator,
    layer_sizes: tuple[int, ...],
    activations: tuple[str, ...],
    initializer: str,
    dtype: np.dtype[Any],
) -> list[Matrix]:
    """Return [W1, b1, W2, b2, ...] in ``dtype``: weights drawn layer by layer, biases zero.

    Glorot and Bengio 2010 (equation 16), He et al. 2015 (equation 10), LeCun et al. 1998, Saxe et
    al. 2014 (orthogonal); "normal" has mean 0 and variance 1.
    """
    weights = []
    for (n_in, n_out), activation in zip(
        pairwise(layer_sizes), (*activations, "identity"), strict=True
    ):
        name = initializer
        if name == "auto":
            name = _SUITED.get(activation, "glorot_uniform")
        weights += [_matrix(rng, n_in, n_out, name, dtype), np.zeros(n_out)]
    return weights


def _matrix(
    rng: np.random.Generator, n_in: int, n_out: int, name: str, dtype: np.dtype[Any]
) -> Matrix:
    if name == "orthogonal":
        tall = rng.normal(size=(max(n_in, n_out), min(n_in, n_out)))
        q, r = np.linalg.qr(tall)
        q *= np.sign(np.diag(r))  # for a uniform distribution
        return np.ascontiguousarray(q if n_in >= n_out else q.T)
    kind, _, shape = name.partition("_")
    variance = {
        "glorot": 2.0 / (n_in + n_out), "he": 2.0 / n_in, "lecun": 1.0 / n_in, "normal": 1.0
    }[kind]  # fmt: skip
    limit, deviation = np.sqrt(3.0 * variance), np.sqrt(variance)
    W = np.empty((n_in, n_out), dtype)
    for rows in blocks(n_in, n_out):  # of a million inputs, float64 would take twice the memory
        size = rows.stop - rows.start, n_out
        if shape == "uniform":
            W[rows] = rng.uniform(-limit, limit, size)
        else:
            W[rows] = rng.normal(0.0, deviation, size)
    return W
