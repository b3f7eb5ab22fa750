"""One training run, as every system gets it: data, first weights, orders of rows, and a clock."""

import time
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from .jobs import Array, Job

# Adam as in fastmlp and Keras.
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-7


@dataclass
class Run:
    """What a system is to train, and when its epochs ended.

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
        """A fresh permutation of the rows; drawing it is part of an epoch."""
        return self._rng.permutation(len(self.X))

    def batches(self) -> list[Array]:
        """Row indices of the mini-batches of a fresh epoch, the last one ragged."""
        order, size = self.order(), self.job.batch_size
        return [order[start : start + size] for start in range(0, len(order), size)]

    def start(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> None:
        """End an epoch."""
        now = time.perf_counter()
        self.seconds.append(now - self._last)
        self._last = now


def mean_loss(weights: list[Array], X: Array, Y: Array) -> float:
    """Mean cross-entropy of a trained network, whichever system it comes from."""
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    activation = X.astype(np.float64)
    for W, b in layers[:-1]:
        activation = np.maximum(activation @ W + b, 0)
    W, b = layers[-1]
    logits = activation @ W + b
    logits -= logits.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(logits).sum(axis=1))
    return float(np.mean(log_sums - logits[np.arange(len(Y)), Y]))
