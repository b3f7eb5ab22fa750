"""A multilayer perceptron's weights: as users see them, and packed as the kernels keep them."""

from collections.abc import Sequence
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
    weights : sequence of array
        [W1, b1, W2, b2, ...], W of shape (n_in, n_out).
    dtype : numpy.dtype
        float32 or float64.
    """

    def __init__(self, weights: Sequence[npt.NDArray[Any]], dtype: np.dtype[Any]) -> None:
        self.layer_sizes = (weights[0].shape[0], *(bias.size for bias in weights[1::2]))
        self.dtype = dtype
        self._layers, self._weight_count = weight_layout(self.layer_sizes, dtype.itemsize)
        self.set_weights(weights)
        self.forget_state("sgd")

    def get_weights(self) -> list[Floats]:
        """[W1, b1, W2, b2, ...], copies."""
        return self._unpacked(self.packed)

    def set_weights(self, weights: Sequence[npt.NDArray[Any]]) -> None:
        """Replace all weights; the optimiser's state stays."""
        self.packed = self._pack(weights)
        # Memory that predictions left for the next ones, see ``prediction``.
        self.workspaces: dict[tuple[Any, ...], list[Any]] = {}

    def forget_state(self, rule: str) -> None:
        """Start the optimiser state of ``rule`` afresh."""
        self.rule, self.updates = rule, 0
        self.state = aligned_zeros(RULES[rule].state_vectors * self._weight_count, self.dtype)

    def store(self, packed: Floats, state: Floats, updates: int) -> None:
        """Take over the weights and state after ``updates`` more updates."""
        self.packed, self.state = packed, state
        self.updates += updates
        self.workspaces = {}

    def __getstate__(self) -> dict[str, Any]:
        """Plain arrays: how weights are packed depends on the machine, and on the plan."""
        vectors = self.state.reshape(-1, self._weight_count)
        return {
            "weights": self.get_weights(), "rule": self.rule, "updates": self.updates,
            "state": [self._unpacked(vector) for vector in vectors],
        }  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        weights = state["weights"]
        self.__init__(weights, weights[0].dtype)  # type: ignore[misc]
        self.forget_state(state["rule"])
        self.updates = state["updates"]
        for vector, arrays in zip(
            self.state.reshape(-1, self._weight_count), state["state"], strict=True
        ):
            vector[...] = self._pack(arrays)

    def _pack(self, weights: Sequence[npt.NDArray[Any]]) -> Floats:
        packed = aligned_zeros(self._weight_count, self.dtype)
        for layer, W, b in zip(self._layers[1:], weights[::2], weights[1::2], strict=True):
            matrix, bias = self._arrays(packed, layer)
            if bias is None:
                panels, rows, panel = matrix.shape
                padded = np.zeros((rows, panels * panel), self.dtype)
                padded[:-1, : b.size], padded[-1, : b.size] = W, b
                matrix[...] = padded.reshape(rows, panels, panel).swapaxes(0, 1)
            else:
                matrix[:, : len(W)], bias[...] = W.T, b
        return packed

    def _unpacked(self, packed: Floats) -> list[Floats]:
        weights: list[Floats] = []
        for layer in self._layers[1:]:
            matrix, bias = self._arrays(packed, layer)
            n_in, n_out = int(layer["n_in"]), int(layer["n_out"])
            if bias is None:
                joined = matrix.swapaxes(0, 1).reshape(n_in + 1, -1)[:, :n_out]
                weights += [joined[:-1].copy(), joined[-1].copy()]
            else:
                weights += [matrix[:, :n_in].T.copy(), bias.copy()]
        return weights

    def _arrays(self, packed: Floats, layer: Any) -> tuple[Floats, Floats | None]:
        """Views of one layer: (panels, n_in + 1, panel) and None, or output rows and biases."""
        start, n_in, n_out = (int(layer[name]) for name in ("weights", "n_in", "n_out"))
        if start == self._layers["weights"][-1]:
            rows = packed[start : start + n_out * layer["stride"]].reshape(n_out, -1)
            return rows, packed[layer["bias"] :][:n_out]
        shape = (layer["panels"], n_in + 1, layer["panel"])
        return packed[start : start + np.prod(shape)].reshape(shape), None

    def reads_in_place(self, dtype: np.dtype[Any], input_scale: float) -> bool:
        """Whether kernels can read input of ``dtype`` where the caller keeps it.

        The output layer of a linear model takes whole vectors, beyond the end of a row. And rows
        whose length is a multiple of many cache lines would compete for the same few places in
        the cache: 1024 features took 1.4 times as long.
        """
        row_bytes = self.layer_sizes[0] * self.dtype.itemsize
        suitable = len(self.layer_sizes) > 2 and row_bytes % 512 != 0
        return dtype == self.dtype and input_scale == 1 and suitable
