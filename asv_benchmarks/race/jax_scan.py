"""JAX: an epoch is one compiled function, a scan that gathers and trains mini-batches."""

from typing import Any

import numpy as np

from .jobs import Array
from .run import BETA1, BETA2, EPSILON, Run

IMPORTS = ("jax",)


def make_loss(jax: Any) -> Any:
    jnp = jax.numpy

    def loss(weights: list[Any], X: Any, Y: Any) -> Any:
        activation = X
        for k in range(0, len(weights) - 2, 2):
            activation = jax.nn.relu(activation @ weights[k] + weights[k + 1])
        log_p = jax.nn.log_softmax(activation @ weights[-2] + weights[-1])
        # A product with one-hot rows: the derivative of an indexed read is a slow scatter.
        return -jnp.mean(jnp.sum(log_p * jax.nn.one_hot(Y, log_p.shape[1]), axis=1))

    return loss


def make_update(jax: Any, optimizer: str, rate: float) -> Any:
    tree_map = jax.tree.map

    def sgd(weights: Any, state: Any, gradients: Any) -> Any:
        return tree_map(lambda w, g: w - rate * g, weights, gradients), state

    def adam(weights: Any, state: Any, gradients: Any) -> Any:
        first, second, step = state
        step = step + 1
        first = tree_map(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, gradients)
        second = tree_map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, gradients)
        size = rate * jax.numpy.sqrt(1 - BETA2**step) / (1 - BETA1**step)
        weights = tree_map(
            lambda w, m, v: w - size * m / (jax.numpy.sqrt(v) + EPSILON), weights, first, second
        )
        return weights, (first, second, step)

    return {"sgd": sgd, "adam": adam}[optimizer]


def train(run: Run, jax: Any) -> list[Array]:
    jnp, job = jax.numpy, run.job
    gradient = jax.value_and_grad(make_loss(jax))
    update = make_update(jax, job.optimizer, job.learning_rate)

    def epoch(weights: Any, state: Any, X: Any, Y: Any, order: Any) -> Any:
        def step(carried: Any, rows: Any) -> Any:
            weights, state = carried
            batch = X.at[rows].get(mode="promise_in_bounds")
            loss, gradients = gradient(weights, batch, Y[rows])
            return update(weights, state, gradients), loss

        whole = len(order) // job.batch_size * job.batch_size
        batches = order[:whole].reshape(-1, job.batch_size)
        carried, losses = jax.lax.scan(step, (weights, state), batches)
        if whole < len(order):
            carried, _ = step(carried, order[whole:])
        return *carried, losses.mean()

    compiled = jax.jit(epoch, donate_argnums=(0, 1))
    X, Y = jnp.asarray(run.X), jnp.asarray(run.Y, jnp.int32)
    weights = [jnp.asarray(w) for w in run.initial_weights()]
    state: Any = ()
    if job.optimizer == "adam":
        state = (*([jnp.zeros_like(w) for w in weights] for _ in range(2)), jnp.float32(0))
    run.start()
    for _ in range(run.epochs):
        order = run.order().astype(np.int32)
        weights, state, loss = compiled(weights, state, X, Y, order)
        jax.block_until_ready((weights, loss))
        run.lap()
    return [np.asarray(w) for w in weights]
