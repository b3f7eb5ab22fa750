"""Weights of a multilayer perceptron, as users see them and packed for the kernels."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..frozen import changed
from ..kernels.plugins.update_rules import RULES
from ..kernels.runs.layout import aligned_zeros, weight_layout
from ..settings import check_setting
from .given_weights import check_weights

Floats = npt.NDArray[np.floating]


class Network:
    """Packed weights and optimizer state of a network.

    Immutable: changes return a new network, so that a thread that predicts always has consistent
    weights.

    Parameters
    ----------
    weights : sequence of array
        [W1, b1, W2, b2, ...], W of shape (n_in, n_out).
    dtype : numpy.dtype
        float32 or float64.
    activations : tuple of str
        Name of the activation of each hidden layer.
    """

    def __init__(
        self,
        weights: Sequence[npt.NDArray[Any]],
        dtype: np.dtype[Any],
        activations: tuple[str, ...],
    ) -> None:
        self.activations = activations
        self.layer_sizes = (weights[0].shape[0], *(bias.size for bias in weights[1::2]))
        self.dtype = dtype
        self._layers, self._weight_count = weight_layout(self.layer_sizes, dtype.itemsize)
        self.packed = self._pack(weights)
        self.rule, self.updates, self.state = "sgd", 0, self._first_state("sgd")
        # Of ``inference.workspaces``, shared with networks derived from this one.
        self.workspaces: dict[tuple[Any, ...], list[Any]] = {}

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of a forward pass of one row: the number of weights, without biases."""
        return sum(a * b for a, b in pairwise(self.layer_sizes))

    def get_weights(self) -> list[Floats]:
        """Return copies of [W1, b1, W2, b2, ...]."""
        return self._unpacked(self.packed)

    def with_weights(self, weights: Sequence[npt.NDArray[Any]]) -> "Network":
        """A copy with other weights and the same optimizer state."""
        return changed(self, packed=self._pack(weights))

    def restarted(self, rule: str) -> "Network":
        """A copy with the initial optimizer state of ``rule``."""
        return changed(self, rule=rule, updates=0, state=self._first_state(rule))

    def under(self, rule: str) -> "Network":
        """This network if its optimizer state is that of ``rule``, else restarted with ``rule``."""
        return self if self.rule == rule else self.restarted(rule)

    def trained(self, packed: Floats, state: Floats, updates: int) -> "Network":
        """A copy with the weights and state after ``updates`` more updates."""
        return changed(self, packed=packed, state=state, updates=self.updates + updates)

    def averaged_with(self, other: "Network", fraction: float) -> "Network":
        """A copy with averaged weights: ``fraction`` times those of ``other``, the rest its own."""
        dtype = self.dtype.type
        packed = dtype(fraction) * other.packed
        packed += dtype(1 - fraction) * self.packed
        return changed(self, packed=packed)

    def plain(self) -> dict[str, Any]:
        """The network as plain arrays; packed weights depend on the machine and the plan."""
        vectors = self.state.reshape(-1, self._weight_count)
        return {
            "dtype": self.dtype.name, "activations": self.activations,
            "weights": self.get_weights(), "rule": self.rule, "updates": self.updates,
             "state": [self._unpacked(vector) for vector in vectors],
        }  # fmt: skip

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Network":
        """The network restored from :meth:`plain`, of this or another machine."""
        dtype = check_setting("dtype", plain["dtype"])
        weights = check_weights(plain["weights"], dtype=dtype)
        activations = tuple(check_setting("activation", plain["activations"]))
        network, rule = cls(weights, dtype, activations), plain["rule"]
        if len(activations) != len(network.layer_sizes) - 2:
            raise ValueError(f"activations {activations} of the layers {network.layer_sizes}")
        state = aligned_zeros(RULES[rule].state_vectors * network._weight_count, dtype)
        n_features, *hidden, n_outputs = network.layer_sizes
        vectors = state.reshape(-1, network._weight_count)
        for vector, arrays in zip(vectors, plain["state"], strict=True):
            checked = check_weights(
                arrays,
                n_features=n_features,
                n_outputs=n_outputs,
                hidden=tuple(hidden),
                dtype=dtype,
            )
            network._pack(checked, vector)
        return changed(network, rule=rule, state=state, updates=int(plain["updates"]))

    def flat(self) -> Floats:
        """Weights and optimizer state in one array, the same on every machine."""
        vectors = (self.packed, *self.state.reshape(-1, self._weight_count))
        arrays = [array.ravel() for vector in vectors for array in self._unpacked(vector)]
        return np.concatenate(arrays)

    @classmethod
    def from_flat(
        cls, flat: Floats, layer_sizes: tuple[int, ...], activations: tuple[str, ...], rule: str,
        updates: int,
    ) -> "Network":  # fmt: skip
        """The network restored from :meth:`flat`, of this or another machine."""
        pairs = pairwise(layer_sizes)
        shapes = [shape for n_in, n_out in pairs for shape in ((n_in, n_out), (n_out,))]
        ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
        first, *others = (
            [part.reshape(shape) for part, shape in zip(np.split(v, ends), shapes, strict=True)]
            for v in flat.reshape(1 + RULES[rule].state_vectors, -1)
        )
        network = cls(first, flat.dtype, activations)
        state = aligned_zeros(RULES[rule].state_vectors * network._weight_count, flat.dtype)
        for vector, arrays in zip(state.reshape(-1, network._weight_count), others, strict=True):
            network._pack(arrays, vector)
        return changed(network, rule=rule, state=state, updates=updates)

    def _first_state(self, rule: str) -> Floats:
        state = aligned_zeros(RULES[rule].state_vectors * self._weight_count, self.dtype)
        if RULES[rule].first_state:
            state += RULES[rule].first_state
        return state

    def _pack(self, weights: Sequence[npt.NDArray[Any]], packed: Floats | None = None) -> Floats:
        """Pack weights into new memory, or into zeros that are given."""
        if packed is None:
            packed = aligned_zeros(self._weight_count, self.dtype)
        for layer, W, b in zip(self._layers[1:], weights[::2], weights[1::2], strict=True):
            matrix, bias = self._arrays(packed, layer)
            if bias is None:
                # Without a padded copy of W, as models of any size are read from files.
                panel = matrix.shape[2]
                whole, rest = divmod(b.size, panel)
                end = b.size - rest
                matrix[:whole, :-1] = W[:, :end].reshape(len(W), whole, panel).swapaxes(0, 1)
                matrix[:whole, -1] = b[:end].reshape(whole, panel)
                if rest:
                    matrix[whole, :-1, :rest], matrix[whole, -1, :rest] = W[:, end:], b[end:]
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
        """Views of one layer: (panels, n_in + 1, panel) and None; for the output layer, rows of
        weights and biases."""
        start, n_in, n_out = (int(layer[name]) for name in ("weights", "n_in", "n_out"))
        if start == self._layers["weights"][-1]:
            rows = packed[start : start + n_out * layer["stride"]].reshape(n_out, -1)
            return rows, packed[layer["bias"] :][:n_out]
        shape = (layer["panels"], n_in + 1, layer["panel"])
        return packed[start : start + math.prod(shape)].reshape(shape), None
