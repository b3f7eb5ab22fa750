"""Plain NumPy: a loop over mini-batches that writes into preallocated arrays."""

from itertools import pairwise

import numpy as np

from .jobs import Array, Job
from .run import BETA1, BETA2, EPSILON, Run

IMPORTS = ()


class Network:
    """Weights, and the arrays for mini-batches of one size."""

    def __init__(self, job: Job, weights: list[Array]) -> None:
        self.job, self.weights = job, weights
        self.gradients = [np.empty_like(w) for w in weights]
        self.scratch = [np.empty_like(w) for w in weights]
        self.moments = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
        self.steps = 0
        self._arrays: dict[int, tuple[list[Array], list[Array]]] = {}

    def arrays(self, n_rows: int) -> tuple[list[Array], list[Array]]:
        """Activations of all layers, the input first, and deltas of all but the input."""
        if n_rows not in self._arrays:
            activations, deltas = (
                [np.empty((n_rows, size), np.float32) for size in self.job.layer_sizes]
                for _ in range(2)
            )
            self._arrays[n_rows] = activations, deltas[1:]
        return self._arrays[n_rows]

    def step(self, X: Array, one_hot: Array, rows: Array) -> None:
        activations, deltas = self.arrays(len(rows))
        # mode="clip" gathers directly into the array; "raise" would use a buffer.
        np.take(X, rows, axis=0, out=activations[0], mode="clip")
        self.forward(activations)
        probabilities = activations[-1]
        np.take(one_hot, rows, axis=0, out=deltas[-1], mode="clip")
        np.subtract(probabilities, deltas[-1], out=deltas[-1])
        deltas[-1] *= 1 / len(rows)
        for k in reversed(range(len(deltas))):
            np.matmul(activations[k].T, deltas[k], out=self.gradients[2 * k])
            deltas[k].sum(axis=0, out=self.gradients[2 * k + 1])
            if k > 0:
                np.matmul(deltas[k], self.weights[2 * k].T, out=deltas[k - 1])
                deltas[k - 1] *= activations[k] > 0
        self.update()

    def forward(self, activations: list[Array]) -> None:
        pairs = list(pairwise(activations))
        for k, (below, above) in enumerate(pairs):
            np.matmul(below, self.weights[2 * k], out=above)
            above += self.weights[2 * k + 1]
            if k < len(pairs) - 1:
                np.maximum(above, 0, out=above)
        logits = activations[-1]
        logits -= logits.max(axis=1, keepdims=True)
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=1, keepdims=True)

    def update(self) -> None:
        rate = self.job.learning_rate
        if self.job.optimizer == "sgd":
            for w, gradient in zip(self.weights, self.gradients, strict=True):
                gradient *= rate
                w -= gradient
            return
        self.steps += 1
        rate *= (1 - BETA2**self.steps) ** 0.5 / (1 - BETA1**self.steps)
        for w, gradient, scratch, (first, second) in zip(
            self.weights, self.gradients, self.scratch, self.moments, strict=True
        ):
            np.square(gradient, out=scratch)
            scratch *= 1 - BETA2
            second *= BETA2
            second += scratch
            gradient *= 1 - BETA1
            first *= BETA1
            first += gradient
            np.sqrt(second, out=scratch)
            scratch += EPSILON
            np.divide(first, scratch, out=scratch)
            scratch *= rate
            w -= scratch


def train(run: Run) -> list[Array]:
    network = Network(run.job, run.initial_weights())
    one_hot = np.eye(run.job.layer_sizes[-1], dtype=np.float32)[run.Y]
    run.start()
    for _ in range(run.epochs):
        for rows in run.batches():
            network.step(run.X, one_hot, rows)
        run.lap()
    return network.weights
