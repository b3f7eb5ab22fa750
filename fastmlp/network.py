"""A multilayer perceptron's weights: as users see them, and packed as the kernels keep them."""

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from .kernels import optimizers
from .kernels.plan import (
    BIAS,
    N_IN,
    N_OUT,
    PANEL,
    PANELS,
    STRIDE,
    WEIGHT_COUNT,
    WEIGHTS,
    aligned_zeros,
    make_plan,
)

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
        layout = make_plan(self.layer_sizes, dtype, chunk=1)
        self._layers = layout.layers
        self.packed = aligned_zeros(int(layout.sizes[WEIGHT_COUNT]), dtype)
        for row, W, b in zip(self._layers[1:], weights[::2], weights[1::2], strict=True):
            matrix, bias = self._arrays(row)
            if bias is None:
                padded = np.zeros((row[N_IN] + 1, row[PANELS] * row[PANEL]), dtype)
                padded[:-1, : b.size], padded[-1, : b.size] = W, b
                matrix[...] = padded.reshape(row[N_IN] + 1, row[PANELS], -1).swapaxes(0, 1)
            else:
                matrix[:, : row[N_IN]], bias[...] = W.T, b
        # Memory that predictions left for the next ones, see ``prediction``.
        self.workspaces: dict[tuple[Any, ...], list[Any]] = {}
        self.rule = optimizers.SGD
        self.state = aligned_zeros(0, dtype)
        self.updates = 0

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or pickle takes along: workspaces hold addresses of this process."""
        return self.__dict__ | {"workspaces": {}}

    def _arrays(self, row: npt.NDArray[np.int64]) -> tuple[Floats, Floats | None]:
        """Views of one layer: (panels, n_in + 1, panel) and None, or output rows and biases."""
        start, n_in, n_out = row[WEIGHTS], row[N_IN], row[N_OUT]
        if start == self._layers[-1, WEIGHTS]:
            rows = self.packed[start : start + n_out * row[STRIDE]].reshape(n_out, row[STRIDE])
            return rows, self.packed[row[BIAS] : row[BIAS] + n_out]
        shape = (row[PANELS], n_in + 1, row[PANEL])
        return self.packed[start : start + np.prod(shape)].reshape(shape), None

    def unpack(self) -> list[Floats]:
        """[W1, b1, W2, b2, ...], copies."""
        weights: list[Floats] = []
        for row in self._layers[1:]:
            matrix, bias = self._arrays(row)
            if bias is None:
                joined = matrix.swapaxes(0, 1).reshape(row[N_IN] + 1, -1)[:, : row[N_OUT]]
                weights += [joined[:-1].copy(), joined[-1].copy()]
            else:
                weights += [matrix[:, : row[N_IN]].T.copy(), bias.copy()]
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

    def forget_state(self, rule: int) -> None:
        """Start the optimiser state of ``rule`` afresh."""
        self.rule = rule
        self.state = aligned_zeros(optimizers.STATE_VECTORS[rule] * self.packed.size, self.dtype)
        self.updates = 0

    def store(self, packed: Floats, state: Floats) -> None:
        """Take over the weights and state of a finished epoch."""
        self.packed[...], self.state[...] = packed, state
        self.workspaces = {}
