"""Training in JAX and Optax, float64: gradients come from automatic differentiation.

Only processes of their own import this, see ``test_jax``: JAX brings threads, beside which a
process must not fork, and its precision is set for good.
"""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

jax.config.update("jax_enable_x64", True)

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda z: z,
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "tanh": jnp.tanh,
    "logistic": jax.nn.sigmoid,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "gelu": lambda z: jax.nn.gelu(z, approximate=False),
    "silu": jax.nn.silu,
    "mish": jax.nn.mish,
    "softplus": jax.nn.softplus,
}


def _probabilities(y: Any, outputs: int, smoothing: float) -> Any:
    probabilities = y if y.ndim == 2 else jax.nn.one_hot(y, outputs, dtype=jnp.float64)
    return optax.smooth_labels(probabilities, smoothing)


def _pinball(z: Any, y: Any, q: Any) -> Any:
    error = y - z
    return jnp.maximum(jnp.asarray(q) * error, (jnp.asarray(q) - 1) * error)


# Losses of samples, by outputs z, targets y, and settings.
LOSSES: dict[str, Callable[..., Any]] = {
    "softmax_cross_entropy": lambda z, y, smoothing=0.0: optax.softmax_cross_entropy(
        z, _probabilities(y, z.shape[1], smoothing)
    ),
    "binary_cross_entropy": lambda z, y, smoothing=0.0: optax.sigmoid_binary_cross_entropy(
        z, y * (1 - smoothing) + smoothing / 2
    ).sum(axis=1),
    "squared_error": lambda z, y: optax.l2_loss(z, y).mean(axis=1),
    "absolute_error": lambda z, y: jnp.abs(z - y).mean(axis=1),
    "huber": lambda z, y, delta: optax.huber_loss(z, y, delta=delta).mean(axis=1),
    "quantile": lambda z, y, q: _pinball(z, y, q).mean(axis=1),
    "poisson": lambda z, y: (jnp.exp(z) - y * z).mean(axis=1),
}


def adam(
    learning_rate: float, b1: float, b2: float, eps: float, largest: bool = False
) -> optax.GradientTransformation:
    """Adam in scikit-learn's order of operations, which Optax does not know: epsilon is added to
    the root before its correction; AMSGrad as in Keras."""

    def init(weights: Any) -> Any:
        zeros = jax.tree.map(jnp.zeros_like, weights)
        return jnp.zeros((), jnp.int64), zeros, zeros, zeros

    def update(grads: Any, state: Any, _: Any = None) -> Any:
        t, m, v, most = state
        t = t + 1
        m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, m, grads)
        v = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, v, grads)
        most = jax.tree.map(jnp.maximum, most, v) if largest else v
        step = learning_rate * jnp.sqrt(1 - b2**t) / (1 - b1**t)
        moves = jax.tree.map(lambda m, v: -step * m / (jnp.sqrt(v) + eps), m, most)
        return moves, (t, m, v, most)

    return optax.GradientTransformation(init, update)


OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {
    name: getattr(optax, name) for name in ("sgd", "adam", "adamw", "rmsprop", "adagrad", "lion")
} | {"keras_adam": adam}

SCHEDULES: dict[str, Callable[..., Any]] = {
    "cosine": optax.cosine_decay_schedule,
    "exponential": optax.exponential_decay,
}


def _in_float64(schedule: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The schedule of a count in int32, whose quotients JAX would take in float32."""
    return lambda count: schedule(count.astype(jnp.float64))


def forward(weights: Any, X: Any, activation: str) -> Any:
    """The outputs of the network."""
    *hidden, last = zip(weights[::2], weights[1::2], strict=True)
    for W, b in hidden:
        X = ACTIVATIONS[activation](X @ W + b)
    return X @ last[0] + last[1]


def batches(array: Any, size: int) -> Any:
    """Consecutive batches; zeros fill the last one, which are no samples as their weights are 0."""
    short = -len(array) % size
    padded = np.pad(array, ((0, short), *((0, 0),) * (array.ndim - 1)))
    return padded.reshape(-1, size, *array.shape[1:])


def train(run: dict[str, Any]) -> tuple[list[Any], list[float]]:
    """Weights after the epochs of ``run``, and the mean loss of each epoch."""
    name, settings = run["loss"]
    rule, options = run["optimizer"]
    if isinstance(options["learning_rate"], tuple):
        schedule, numbers = options["learning_rate"]
        options = options | {"learning_rate": _in_float64(SCHEDULES[schedule](**numbers))}
    optimizer = OPTIMIZERS[rule](**options)
    if run["clip_norm"] is not None:
        optimizer = optax.chain(optax.clip_by_global_norm(run["clip_norm"]), optimizer)

    def objective(weights: Any, X: Any, y: Any, sample_weight: Any) -> Any:
        loss = LOSSES[name](forward(weights, X, run["activation"]), y, **settings)
        mean = (loss * sample_weight).sum() / (sample_weight > 0).sum()
        matrices = weights[::2]
        squares, sizes = (sum(f(W).sum() for W in matrices) for f in (jnp.square, jnp.abs))
        return mean + run["l2"] / 2 * squares + run["l1"] * sizes, (loss * sample_weight).sum()

    def step(carried: Any, batch: Any) -> Any:
        weights, state = carried
        grads, loss = jax.grad(objective, has_aux=True)(weights, *batch)
        moves, state = optimizer.update(grads, state, weights)
        return (optax.apply_updates(weights, moves), state), loss

    @jax.jit
    def epochs(weights: Any, data: Any) -> Any:
        def epoch(carried: Any, _: Any) -> Any:
            return jax.lax.scan(step, carried, data)

        start = weights, optimizer.init(weights)
        return jax.lax.scan(epoch, start, None, length=run["epochs"])

    sample_weight = run["sample_weight"] / run["sample_weight"].mean()
    data = [batches(a, run["batch_size"]) for a in (run["X"], run["targets"], sample_weight)]
    (weights, _), losses = epochs([jnp.asarray(w) for w in run["weights"]], data)
    means = np.asarray(losses).sum(axis=1) / sample_weight.sum()
    return [np.asarray(w) for w in weights], means.tolist()


def train_all(given: str, result: str) -> None:
    """Train the runs, by name, that lie pickled in the file ``given``."""
    runs = pickle.loads(Path(given).read_bytes())
    Path(result).write_bytes(pickle.dumps({name: train(run) for name, run in runs.items()}))
