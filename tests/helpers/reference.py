"""The standard that every kernel is judged by: a plain NumPy float64 network.

Dense layers: ReLU, or another activation, on the hidden layers; then softmax and cross-entropy, or
another loss, averaged over the samples it is given. Written to be read, not to be fast.

Shapes: n samples, m batch rows, d features, h hidden units, c classes.

==========  =====================================================================
X           (n, d) or (m, d)
labels      (n,) or (m,), integers in 0 .. c - 1
weights     [W1, b1, W2, b2, ...]; W (n_in, n_out), b (n_out,); float64
grads       like weights
A           activations of one layer, (m, h)
logits      (m, c)
==========  =====================================================================
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.integer]


def initialize(rng: np.random.Generator, sizes: list[int], initializer: str) -> list[Array]:
    """Draw the weights of layers `sizes` = [d, h, ..., c]; W1 is drawn first, biases are zero."""
    weights = []
    for layer in range(len(sizes) - 1):
        n_in, n_out = sizes[layer], sizes[layer + 1]
        if initializer == "glorot_uniform":
            limit = np.sqrt(6.0 / (n_in + n_out))
            W = rng.uniform(-limit, limit, size=(n_in, n_out))
        elif initializer == "he_normal":
            W = rng.normal(0.0, np.sqrt(2.0 / n_in), size=(n_in, n_out))
        elif initializer == "normal":
            W = rng.normal(0.0, 1.0, size=(n_in, n_out))
        else:
            raise ValueError(f"unknown initializer {initializer!r}")
        weights += [W, np.zeros(n_out)]
    return weights


# ------------------------------------------------------------------------------------ activations
#
# Functions of arrays of float64, or of more bits.

SELU_ALPHA = np.longdouble("1.6732632423543772848170429916717")
SELU_SCALE = np.longdouble("1.0507009873554804934193349852946")


def logistic(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)), without overflow."""
    small = np.exp(-np.abs(z))
    result: Array = np.where(z > 0, 1, small) / (1 + small)
    return result


def softplus(z: Array) -> Array:
    """Return log(1 + exp(z)), without overflow."""
    result: Array = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    return result


def normal_distribution(z: Array) -> Array:
    """Return Phi(z); only the scaled tail, which changes slowly, is taken in float64."""
    from scipy.special import erfcx  # all else here needs NumPy alone

    scaled = erfcx(np.abs(z / np.sqrt(z.dtype.type(2))).astype(np.float64))
    small = scaled * np.exp(-z * z / 2) / 2
    result: Array = np.where(z > 0, 1 - small, small)
    return result


def normal_density(z: Array) -> Array:
    """Return the derivative of Phi."""
    density: Array = np.exp(-z * z / 2) / np.sqrt(8 * np.arctan(z.dtype.type(1)))
    return density


def activation(name: str, z: Array) -> Array:
    """Return the activation of this name, element by element."""
    below = np.expm1(np.minimum(z, 0))
    alpha, scale = SELU_ALPHA.astype(z.dtype), SELU_SCALE.astype(z.dtype)
    functions: dict[str, Callable[[], Array]] = {
        "identity": lambda: z,
        "relu": lambda: np.maximum(z, 0),
        "leaky_relu": lambda: np.where(z > 0, z, z / 100),
        "tanh": lambda: np.tanh(z),
        "logistic": lambda: logistic(z),
        "elu": lambda: np.where(z > 0, z, below),
        "selu": lambda: scale * np.where(z > 0, z, alpha * below),
        "gelu": lambda: z * normal_distribution(z),
        "silu": lambda: z * logistic(z),
        "mish": lambda: z * np.tanh(softplus(z)),
        "softplus": lambda: softplus(z),
    }
    return functions[name]()


def activation_slope(name: str, z: Array) -> Array:
    """Return the derivative of the activation; at a kink, that from below."""
    below = np.exp(np.minimum(z, 0))
    alpha, scale = SELU_ALPHA.astype(z.dtype), SELU_SCALE.astype(z.dtype)
    slopes: dict[str, Callable[[], Array]] = {
        "identity": lambda: np.ones_like(z),
        "relu": lambda: (z > 0).astype(z.dtype),
        "leaky_relu": lambda: np.where(z > 0, 1, z.dtype.type(1) / 100),
        "tanh": lambda: 1 - np.tanh(z) ** 2,
        "logistic": lambda: logistic(z) * logistic(-z),
        "elu": lambda: np.where(z > 0, 1, below),
        "selu": lambda: scale * np.where(z > 0, 1, alpha * below),
        "gelu": lambda: normal_distribution(z) + z * normal_density(z),
        "silu": lambda: logistic(z) * (1 + z * logistic(-z)),
        "mish": lambda: np.tanh(softplus(z)) + z * (1 - np.tanh(softplus(z)) ** 2) * logistic(z),
        "softplus": lambda: logistic(z),
    }
    return slopes[name]()


# ---------------------------------------------------------------------------------------- network


def names_of(weights: list[Array], activations: list[str] | None) -> list[str]:
    """Return the activation of each hidden layer, ReLU if nothing is said."""
    return ["relu"] * (len(weights) // 2 - 1) if activations is None else activations


def pre_activations(
    weights: list[Array], X: ArrayLike, activations: list[str] | None = None
) -> list[Array]:
    """Return [Z1, Z2, ..., logits]: what every layer makes of its inputs, before its activation."""
    inputs = forward(weights, X, activations)[:-1]
    return [A @ W + b for A, W, b in zip(inputs, weights[::2], weights[1::2], strict=True)]


def forward(
    weights: list[Array], X: ArrayLike, activations: list[str] | None = None
) -> list[Array]:
    """Return [X, A1, A2, ..., logits]: the input of every layer, then the last output."""
    names = names_of(weights, activations)
    values = [np.asarray(X, dtype=np.float64)]
    n_layers = len(weights) // 2
    for layer in range(n_layers):
        W, b = weights[2 * layer], weights[2 * layer + 1]
        Z = values[-1] @ W + b
        is_hidden = layer < n_layers - 1
        values.append(activation(names[layer], Z) if is_hidden else Z)
    return values


def softmax(logits: Array) -> Array:
    """Return the class probabilities of each row, (m, c)."""
    # The row maximum becomes 0, so that exp cannot overflow.
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Array = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def cross_entropy(logits: Array, labels: Indices) -> float:
    """Return the mean over the rows of -log p[label]."""
    # From the logits, not the probabilities: those may underflow to 0.
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_sum - shifted[np.arange(len(labels)), labels]))


def accuracy(logits: Array, labels: Indices) -> float:
    """Return the share of rows whose largest logit (the first of equals) is at the label."""
    return float(np.mean(logits.argmax(axis=1) == labels))


# ------------------------------------------------------------------------------------------ losses
#
# By the names of the kernels, of which several may be one loss. Z (m, c) are the outputs; targets
# are labels (m,) for a softmax, or rows (m, c), or a number for each row of one output.


def is_softmax(name: str) -> bool:
    """Whether this is a loss of the softmax."""
    return name.startswith("softmax_cross_entropy")


def target_rows(name: str, Z: Array, targets: ArrayLike, smoothing: float = 0.0) -> Array:
    """Return targets as rows (m, c), labels spread over the classes by ``smoothing``.

    A label that is 0 or 1 has two classes.
    """
    rows = np.asarray(targets)
    if is_softmax(name) and rows.ndim == 1:
        rows = np.eye(Z.shape[1])[rows]
    if rows.ndim == 1:
        rows = rows[:, np.newaxis]
    if is_softmax(name):
        return rows.astype(Z.dtype) * (1 - smoothing) + Z.dtype.type(smoothing) / Z.shape[1]
    if name == "binary_cross_entropy":
        return rows.astype(Z.dtype) * (1 - smoothing) + Z.dtype.type(smoothing) / 2
    return rows.astype(Z.dtype)


def loss_terms(
    name: str, Z: Array, targets: ArrayLike, *,
    smoothing: float = 0.0, delta: ArrayLike = 1.0, q: ArrayLike = 0.5,
) -> Array:  # fmt: skip
    """Return the loss of each sample and output, (m, c); that of a softmax as one, (m, 1).

    ``delta`` of Huber and the quantile ``q`` may be one for each output.
    """
    Y, delta, q = target_rows(name, Z, targets, smoothing), np.asarray(delta), np.asarray(q)
    if is_softmax(name):
        shifted = Z - Z.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        softmax_loss: Array = log_sum - (Y * shifted).sum(axis=1, keepdims=True)
        return softmax_loss
    E = Z - Y
    size = np.abs(E)
    terms: dict[str, Callable[[], Array]] = {
        "binary_cross_entropy": lambda: softplus(Z) - Y * Z,
        "squared_error": lambda: E**2 / 2,
        "absolute_error": lambda: size,
        "huber": lambda: np.where(size <= delta, E**2 / 2, delta * (size - delta / 2)),
        "quantile": lambda: np.where(E > 0, (1 - q) * E, -q * E),
        "poisson": lambda: np.exp(Z) - Y * Z,
    }
    return terms[name]()


def loss_slopes(
    name: str, Z: Array, targets: ArrayLike, *,
    smoothing: float = 0.0, delta: ArrayLike = 1.0, q: ArrayLike = 0.5,
) -> Array:  # fmt: skip
    """Return the derivatives of the terms by Z, (m, c); at a kink, 0."""
    Y, q = target_rows(name, Z, targets, smoothing), np.asarray(q)
    if is_softmax(name):
        return softmax(Z) - Y
    E = Z - Y
    slopes: dict[str, Callable[[], Array]] = {
        "binary_cross_entropy": lambda: logistic(Z) - Y,
        "squared_error": lambda: E,
        "absolute_error": lambda: np.sign(E),
        "huber": lambda: np.clip(E, -np.asarray(delta), delta),
        "quantile": lambda: np.where(E > 0, 1 - q, np.where(E < 0, -q, 0 * E)),
        "poisson": lambda: np.exp(Z) - Y,
    }
    return slopes[name]()


def outputs_averaged(name: str, Z: Array) -> int:
    """Return of how many outputs the loss of a sample is the mean: of classes it is the sum."""
    return 1 if is_softmax(name) or name == "binary_cross_entropy" else Z.shape[1]


def loss(
    name: str, Z: Array, targets: ArrayLike, weights: ArrayLike | None = None, **parameters: Any
) -> float:
    """Return the weighted mean over the samples, as the library reports it."""
    of_samples = loss_terms(name, Z, targets, **parameters).sum(axis=1)
    return float(np.average(of_samples, weights=weights)) / outputs_averaged(name, Z)


def loss_delta(
    name: str, Z: Array, targets: ArrayLike, weights: ArrayLike | None = None, **parameters: Any
) -> Array:
    """Return the derivative by Z of the sum of the weighted losses, divided by the rows.

    That of :func:`loss` if the mean of the weights is 1.
    """
    w = np.ones(len(Z)) if weights is None else np.asarray(weights, np.float64)
    slopes = loss_slopes(name, Z, targets, **parameters)
    delta: Array = w[:, np.newaxis] * slopes / len(Z) / outputs_averaged(name, Z)
    return delta


def outputs(name: str, Z: Array) -> Array:
    """Return what predictions make of Z."""
    if is_softmax(name):
        return softmax(Z)
    if name == "binary_cross_entropy":
        return logistic(Z)
    return np.exp(Z) if name == "poisson" else Z


def metric(name: str) -> str:
    """Return what is recorded beside the loss."""
    return "accuracy" if is_softmax(name) or name == "binary_cross_entropy" else "r2"


def score(name: str, Z: Array, targets: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return the share of samples that are right in all outputs, or the mean R² of the outputs."""
    Y = target_rows(name, Z, targets)
    if is_softmax(name):
        return float(np.average(Z.argmax(axis=1) == Y.argmax(axis=1), weights=weights))
    if name == "binary_cross_entropy":
        return float(np.average(((Z > 0) == (Y > 0.5)).all(axis=1), weights=weights))
    errors = np.average((outputs(name, Z) - Y) ** 2, axis=0, weights=weights)
    about_mean = (Y - np.average(Y, axis=0, weights=weights)) ** 2
    return float(np.mean(1 - errors / np.average(about_mean, axis=0, weights=weights)))


# --------------------------------------------------------------------------------------- training


def gradients(
    weights: list[Array],
    X: ArrayLike,
    targets: ArrayLike,
    activations: list[str] | None = None,
    *,
    loss: str = "softmax_cross_entropy",
    sample_weight: ArrayLike | None = None,
    **parameters: Any,
) -> list[Array]:
    """Return [dW1, db1, ...], the gradient of the loss of the rows of X, see `loss_delta`."""
    names = names_of(weights, activations)
    inputs, Z = forward(weights, X, activations), pre_activations(weights, X, activations)
    delta = loss_delta(loss, inputs[-1], targets, sample_weight, **parameters)

    grads: list[Array] = []
    for layer in reversed(range(len(weights) // 2)):
        A, W = inputs[layer], weights[2 * layer]
        grads = [A.T @ delta, delta.sum(axis=0), *grads]
        if layer > 0:
            delta = (delta @ W.T) * activation_slope(names[layer - 1], Z[layer - 1])
    return grads


def new_state(weights: list[Array]) -> dict:
    """Return what an optimizer remembers between steps, all zero but for Adagrad's sum."""
    return {
        "velocity": [np.zeros_like(w) for w in weights],
        "first_moment": [np.zeros_like(w) for w in weights],
        "second_moment": [np.zeros_like(w) for w in weights],
        "largest_moment": [np.zeros_like(w) for w in weights],
        "accumulator": [np.full_like(w, 0.1) for w in weights],
        "steps": 0,
    }


def sgd_step(
    weights: list[Array],
    grads: list[Array],
    state: dict,
    *,
    learning_rate: float,
    momentum: float = 0.0,
    nesterov: bool = False,
) -> None:
    """Change `weights` and `state` in place by one step of gradient descent."""
    for w, g, v in zip(weights, grads, state["velocity"], strict=True):
        v[...] = momentum * v - learning_rate * g
        if nesterov:
            w += momentum * v - learning_rate * g
        else:
            w += v


def adam_step(
    weights: list[Array],
    grads: list[Array],
    state: dict,
    *,
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> None:
    """Change `weights` and `state` in place by one step of Adam.

    As in scikit-learn, epsilon is added to the uncorrected sqrt(v); the bias correction of both
    moments is in the step size.
    """
    state["steps"] += 1
    t = state["steps"]
    alpha = learning_rate * np.sqrt(1.0 - beta2**t) / (1.0 - beta1**t)
    moments = zip(state["first_moment"], state["second_moment"], strict=True)
    for w, g, (m, v) in zip(weights, grads, moments, strict=True):
        m[...] = beta1 * m + (1.0 - beta1) * g
        v[...] = beta2 * v + (1.0 - beta2) * g**2
        w -= alpha * m / (np.sqrt(v) + epsilon)


# ------------------------------------------------------------------------- further update rules


def amsgrad_step(
    weights: list[Array],
    grads: list[Array],
    state: dict,
    *,
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> None:
    """Change `weights` and `state` in place by one step of AMSGrad.

    As in Keras, the largest v is that of those without bias correction.
    """
    state["steps"] += 1
    t = state["steps"]
    alpha = learning_rate * np.sqrt(1.0 - beta2**t) / (1.0 - beta1**t)
    moments = (state["first_moment"], state["second_moment"], state["largest_moment"])
    for w, g, m, v, largest in zip(weights, grads, *moments, strict=True):
        m[...] = beta1 * m + (1.0 - beta1) * g
        v[...] = beta2 * v + (1.0 - beta2) * g**2
        largest[...] = np.maximum(largest, v)
        w -= alpha * m / (np.sqrt(largest) + epsilon)


def rmsprop_step(
    weights: list[Array],
    grads: list[Array],
    state: dict,
    *,
    learning_rate: float,
    beta2: float = 0.999,
    epsilon: float = 1e-7,
) -> None:
    """Change `weights` and `state` in place by one step of RMSprop, epsilon inside the root."""
    for w, g, v in zip(weights, grads, state["second_moment"], strict=True):
        v[...] = beta2 * v + (1.0 - beta2) * g**2
        w -= learning_rate * g / np.sqrt(v + epsilon)


def adagrad_step(
    weights: list[Array],
    grads: list[Array],
    state: dict,
    *,
    learning_rate: float,
    epsilon: float = 1e-7,
) -> None:
    """Change `weights` and `state` in place by one step of Adagrad, epsilon inside the root."""
    for w, g, total in zip(weights, grads, state["accumulator"], strict=True):
        total += g**2
        w -= learning_rate * g / np.sqrt(total + epsilon)


def lion_step(
    weights: list[Array],
    grads: list[Array],
    state: dict,
    *,
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
) -> None:
    """Change `weights` and `state` in place by one step of Lion."""
    for w, g, m in zip(weights, grads, state["first_moment"], strict=True):
        w -= learning_rate * np.sign(beta1 * m + (1.0 - beta1) * g)
        m[...] = beta2 * m + (1.0 - beta2) * g


def before_step(
    weights: list[Array],
    grads: list[Array],
    *,
    l2: float = 0.0,
    l1: float = 0.0,
    decay: float = 0.0,
    clip_norm: float | None = None,
) -> None:
    """Change `grads` and `weights` in place by penalties, clipping and decay, in this order.

    Penalties are for weights, not for biases; decay is for both. The norm is that of the whole
    gradient, penalties included.
    """
    for W, dW in zip(weights[::2], grads[::2], strict=True):
        dW += l2 * W + l1 * np.sign(W)
    if clip_norm is not None:
        norm = np.sqrt(sum(np.sum(g**2) for g in grads))
        for g in grads:
            g *= clip_norm / max(norm, clip_norm)
    for w in weights:
        w *= 1.0 - decay


def train(
    weights: list[Array],
    X: ArrayLike,
    targets: ArrayLike,
    *,
    epochs: int,
    batch_size: int,
    orders: list[Indices] | None = None,
    activations: list[str] | None = None,
    loss: str = "softmax_cross_entropy",
    sample_weight: ArrayLike | None = None,
    parameters: dict[str, Any] | None = None,
    step=sgd_step,
    l2: float = 0.0,
    l1: float = 0.0,
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
    **step_options: float,
) -> tuple[list[Array], dict[str, list[float]]]:
    """Train a copy of `weights` and return it with the history.

    Parameters
    ----------
    targets : array
        Labels, or what else the loss takes.
    epochs, batch_size : int
        Each epoch takes consecutive slices of `batch_size` from its order; the last may be short,
        and its mean is over its own rows.
    orders : sequence of permutations of 0 .. n - 1, one an epoch, optional
        None takes the rows as they come.
    step : sgd_step, adam_step, ...
    l2, l1, weight_decay, clip_norm : float
        See `before_step`.
    activations : list of str, optional
        A name for each hidden layer, "relu" each by default.
    loss : str
    sample_weight : array of shape (n,), optional
        All > 0. A batch is divided by its rows and by the mean weight of all n.
    parameters : dict, optional
        Of the loss: smoothing, delta, q.
    **step_options
        For `step`, the learning rate at least.

    Returns
    -------
    weights : list of arrays
    history : {"loss": [...], "accuracy" or "r2": [...]}
        Per epoch, over its samples, each as it was before its batch's update.
    """
    X, targets = np.asarray(X, dtype=np.float64), np.asarray(targets)
    weights = [np.array(w, dtype=np.float64) for w in weights]
    state, parameters = new_state(weights), parameters or {}
    n = len(X)
    w = np.ones(n) if sample_weight is None else np.asarray(sample_weight, np.float64)
    w = w / w.mean()
    history: dict[str, list[float]] = {"loss": [], metric(loss): []}
    for epoch in range(epochs):
        order = np.arange(n) if orders is None else orders[epoch]
        Z = np.empty((n, len(weights[-1])))
        for start in range(0, n, batch_size):
            rows = order[start : start + batch_size]
            Z[rows] = forward(weights, X[rows], activations)[-1]
            grads = gradients(
                weights, X[rows], targets[rows], activations,
                loss=loss, sample_weight=w[rows], **parameters,
            )  # fmt: skip
            decay = weight_decay * step_options.get("learning_rate", 0.0)
            before_step(weights, grads, l2=l2, l1=l1, decay=decay, clip_norm=clip_norm)
            step(weights, grads, state, **step_options)
        of_samples = loss_terms(loss, Z, targets, **parameters).sum(axis=1)
        mean = float(np.average(of_samples, weights=w)) / outputs_averaged(loss, Z)
        history["loss"].append(mean)
        history[metric(loss)].append(score(loss, Z, targets, w))
    return weights, history


# ------------------------------------------------------------------------------------------ dropout


def _mix64(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def dropout_factors(key: int, rows: ArrayLike, layer: int, units: int, p: float) -> Array:
    """Return the factor of each unit in each of the rows, 0 or 1 / (1 - p).

    Parameters
    ----------
    key : int
        Of the epoch.
    rows : array of int
        Places in the epoch.
    layer : int
        0 for the input.
    units : int
    p : float
        Share that is dropped.
    """
    golden = np.uint64(0x9E3779B97F4A7C15)
    # Arrays, as of those NumPy lets products wrap around.
    start, number = np.array([key], np.int64).view(np.uint64), np.array([layer + 1], np.uint64)
    layer_seed = _mix64(start + number * golden)
    seeds = _mix64(layer_seed + (np.asarray(rows).astype(np.uint64) + np.uint64(1)) * golden)
    low, high = (
        seeds.astype(np.uint32)[:, None],
        (seeds >> np.uint64(32)).astype(np.uint32)[:, None],
    )
    x = np.arange(units, dtype=np.uint32) + low
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D) ^ high
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    threshold = min(round((1 - p) * 2**32), 2**32 - 1)
    return np.where(x < threshold, 1 / (1 - p), 0.0)


def dropout_forward(weights: list[Array], X: ArrayLike, factors: list[Array]) -> list[Array]:
    """Return [X, A1, ..., logits] with the factors of the input and each hidden layer applied."""
    A = np.asarray(X, np.float64) * factors[0]
    activations = [A]
    for layer in range(len(weights) // 2):
        Z = activations[-1] @ weights[2 * layer] + weights[2 * layer + 1]
        is_hidden = layer < len(weights) // 2 - 1
        activations.append(np.maximum(Z, 0.0) * factors[layer + 1] if is_hidden else Z)
    return activations


def dropout_gradients(
    weights: list[Array], X: ArrayLike, labels: Indices, factors: list[Array]
) -> list[Array]:
    """Return the gradient of the mean cross-entropy under these factors."""
    activations = dropout_forward(weights, X, factors)
    delta = softmax(activations[-1])
    delta[np.arange(len(labels)), labels] -= 1.0
    delta /= len(labels)
    grads: list[Array] = []
    for layer in reversed(range(len(weights) // 2)):
        A, W = activations[layer], weights[2 * layer]
        grads = [A.T @ delta, delta.sum(axis=0), *grads]
        if layer > 0:
            delta = (delta @ W.T) * (A > 0.0) * factors[layer]
    return grads
