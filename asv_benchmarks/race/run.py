"""One training run for a system: data, initial weights, orders of rows, and a clock."""

import time
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from .jobs import Array, Job

# Adam as in fastmlp and Keras.
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-7


@dataclass
class Run:
    """The training task of a system, and the end times of its epochs.

    A system calls ``start`` when it is ready to train and ``lap`` after every epoch.
    """

    job: Job
    X: Array
    Y: Array
    epochs: int
    threads: int
    seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(1)
        self._last = 0.0

    def initial_weights(self) -> list[Array]:
        """[W1, b1, ...], Glorot uniform and zeros, float32, W of shape (n_in, n_out)."""
        weights = []
        for n_in, n_out in pairwise(self.job.layer_sizes):
            limit = np.sqrt(6 / (n_in + n_out))
            weights.append(self._rng.uniform(-limit, limit, (n_in, n_out)).astype(np.float32))
            weights.append(np.zeros(n_out, np.float32))
        return weights

    def order(self) -> Array:
        """Draw a new permutation of the rows, as part of an epoch."""
        return self._rng.permutation(len(self.X))

    def batches(self) -> list[Array]:
        """Yield row indices of the mini-batches of a new epoch; the last one may be short."""
        order, size = self.order(), self.job.batch_size
        return [order[start : start + size] for start in range(0, len(order), size)]

    def start(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> None:
        """Record the end of an epoch."""
        now = time.perf_counter()
        self.seconds.append(now - self._last)
        self._last = now


def mean_loss(weights: list[Array], X: Array, Y: Array) -> float:
    """Mean cross-entropy of a network trained by any system."""
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    activation = X.astype(np.float64)
    for W, b in layers[:-1]:
        activation = np.maximum(activation @ W + b, 0)
    W, b = layers[-1]
    logits = activation @ W + b
    logits -= logits.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(logits).sum(axis=1))
    return float(np.mean(log_sums - logits[np.arange(len(Y)), Y]))
