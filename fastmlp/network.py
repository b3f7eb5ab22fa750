"""A multilayer perceptron's weights: as users see them, and packed as the kernels keep them."""

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from .kernels.plugins.rules import RULES
from .kernels.runs.plan import aligned_zeros, weight_layout

Floats = npt.NDArray[np.floating]


def _initial_matrix(
    rng: np.random.Generator, n_in: int, n_out: int, initializer: str
) -> npt.NDArray[np.float64]:
    if initializer == "glorot_uniform":  # Glorot and Bengio 2010, equation 16
        limit = np.sqrt(6.0 / (n_in + n_out))
        return rng.uniform(-limit, limit, (n_in, n_out))
    if initializer == "he_normal":  # He et al. 2015, equation 10
        return rng.normal(0.0, np.sqrt(2.0 / n_in), (n_in, n_out))
    return rng.normal(0.0, 1.0, (n_in, n_out))


def initial_weights(
    rng: np.random.Generator, layer_sizes: tuple[int, ...], initializer: str
) -> list[npt.NDArray[np.float64]]:
    """[W1, b1, W2, b2, ...]: weights drawn layer by layer, biases zero."""
    weights = []
    for n_in, n_out in pairwise(layer_sizes):
        weights += [_initial_matrix(rng, n_in, n_out, initializer), np.zeros(n_out)]
    return weights


class Network:
    """Packed weights and optimiser state of one network.

    Parameters
    ----------
    weights : list of array
        [W1, b1, W2, b2, ...], W of shape (n_in, n_out).
    dtype : numpy.dtype
        float32 or float64.
    """

    def __init__(self, weights: list[npt.NDArray[np.float64]], dtype: np.dtype) -> None:
        self.layer_sizes = (weights[0].shape[0], *(bias.size for bias in weights[1::2]))
        self.dtype = dtype
        self._layers, weight_count = weight_layout(self.layer_sizes, dtype.itemsize)
        self.packed = aligned_zeros(weight_count, dtype)
        for layer, W, b in zip(self._layers[1:], weights[::2], weights[1::2], strict=True):
            matrix, bias = self._arrays(layer)
            if bias is None:
                panels, rows, panel = matrix.shape
                padded = np.zeros((rows, panels * panel), dtype)
                padded[:-1, : b.size], padded[-1, : b.size] = W, b
                matrix[...] = padded.reshape(rows, panels, panel).swapaxes(0, 1)
            else:
                matrix[:, : len(W)], bias[...] = W.T, b
        # Memory that predictions left for the next ones, see ``prediction``.
        self.workspaces: dict[tuple[Any, ...], list[Any]] = {}
        self.rule = "sgd"
        self.state = aligned_zeros(0, dtype)
        self.updates = 0

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or pickle takes along: workspaces hold addresses of this process."""
        return self.__dict__ | {"workspaces": {}}

    def _arrays(self, layer: Any) -> tuple[Floats, Floats | None]:
        """Views of one layer: (panels, n_in + 1, panel) and None, or output rows and biases."""
        start, n_in, n_out = layer["weights"], layer["n_in"], layer["n_out"]
        if start == self._layers["weights"][-1]:
            rows = self.packed[start : start + n_out * layer["stride"]].reshape(n_out, -1)
            return rows, self.packed[layer["bias"] :][:n_out]
        shape = (layer["panels"], n_in + 1, layer["panel"])
        return self.packed[start : start + np.prod(shape)].reshape(shape), None

    def unpack(self) -> list[Floats]:
        """[W1, b1, W2, b2, ...], copies."""
        weights: list[Floats] = []
        for layer in self._layers[1:]:
            matrix, bias = self._arrays(layer)
            n_in, n_out = layer["n_in"], layer["n_out"]
            if bias is None:
                joined = matrix.swapaxes(0, 1).reshape(n_in + 1, -1)[:, :n_out]
                weights += [joined[:-1].copy(), joined[-1].copy()]
            else:
                weights += [matrix[:, :n_in].T.copy(), bias.copy()]
        return weights

    def reads_in_place(self, dtype: np.dtype, input_scale: float) -> bool:
        """Whether kernels can read input of ``dtype`` where the caller keeps it.

        The output layer of a linear model takes whole vectors, beyond the end of a row. And rows
        whose length is a multiple of many cache lines would compete for the same few places in
        the cache: 1024 features took 1.4 times as long.
        """
        row_bytes = self.layer_sizes[0] * self.dtype.itemsize
        suitable = len(self.layer_sizes) > 2 and row_bytes % 512 != 0
        return dtype == self.dtype and input_scale == 1 and suitable

    def forget_state(self, rule: str) -> None:
        """Start the optimiser state of ``rule`` afresh."""
        self.rule = rule
        self.state = aligned_zeros(RULES[rule].state_vectors * self.packed.size, self.dtype)
        self.updates = 0

    def store(self, packed: Floats, state: Floats) -> None:
        """Take over the weights and state of a finished epoch."""
        self.packed[...], self.state[...] = packed, state
        self.workspaces = {}
