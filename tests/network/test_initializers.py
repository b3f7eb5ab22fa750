"""First weights: mean, variance and bounds of each distribution, and what "auto" stands for."""

import numpy as np
import pytest

from fastmlp import Trainer
from fastmlp.kernels.plugins.activations import ACTIVATIONS
from fastmlp.network.initializers import initial_weights
from fastmlp.settings.checks import INITIALIZERS
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, Y

DOUBLE = np.dtype(np.float64)
SIZES = (300, 200)
VARIANCES = {
    "glorot_uniform": 2 / 500, "glorot_normal": 2 / 500, "he_uniform": 2 / 300,
    "he_normal": 2 / 300, "lecun_normal": 1 / 300, "normal": 1.0,
}  # fmt: skip
HE = {"relu", "leaky_relu", "elu", "gelu", "silu", "mish", "softplus"}


def drawn(name: str, sizes: tuple[int, ...] = SIZES, *activations: str) -> list[np.ndarray]:
    return initial_weights(np.random.default_rng(0), sizes, activations, name, DOUBLE)


def test_every_name_is_tried() -> None:
    assert {*VARIANCES, "auto", "orthogonal"} == set(INITIALIZERS)


@pytest.mark.parametrize("name", VARIANCES)
def test_moments_and_bounds(name: str) -> None:
    W, b = drawn(name)
    variance, count = VARIANCES[name], W.size
    assert not b.any()
    # Five standard errors; the fourth moment is 3 (normal) or 1.8 times the squared variance.
    assert abs(W.mean()) <= 5 * np.sqrt(variance / count)
    kurtosis = 1.8 if name.endswith("uniform") else 3.0
    assert abs(W.var() / variance - 1) <= 5 * np.sqrt((kurtosis - 1) / count)
    assert abs(((W / np.sqrt(variance)) ** 4).mean() - kurtosis) <= 0.2
    limit = np.sqrt(3 * variance)
    if name.endswith("uniform"):
        assert 0.999 * limit < np.abs(W).max() <= limit
    else:
        assert np.abs(W).max() > 1.5 * limit


def test_many_rows_are_drawn_in_blocks() -> None:
    W, b = initial_weights(np.random.default_rng(3), (9000, 2), (), "he_normal", np.dtype("f4"))
    assert (W.dtype, b.dtype) == (np.float32, np.float64)
    wanted = np.random.default_rng(3).normal(0, np.sqrt(2 / 9000), (9000, 2))
    np.testing.assert_array_equal(W, wanted.astype(np.float32))


@pytest.mark.parametrize("sizes", [(300, 200), (200, 300), (50, 50), (1, 7), (7, 1)])
def test_orthogonal(sizes: tuple[int, int]) -> None:
    W, _ = drawn("orthogonal", sizes)
    small = W.T @ W if sizes[0] >= sizes[1] else W @ W.T
    np.testing.assert_allclose(small, np.eye(min(sizes)), atol=1e-13)
    assert W.shape == sizes


def test_orthogonal_matrices_have_no_preferred_sign() -> None:
    rng = np.random.default_rng(0)
    corners = [initial_weights(rng, (3, 3), (), "orthogonal", DOUBLE)[0][0, 0] for _ in range(400)]
    assert abs(np.mean(corners)) <= 5 * np.sqrt(1 / 3 / 400)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_auto_suits_the_activation(activation: str) -> None:
    got = drawn("auto", (40, 30, 20), activation)
    name = "he_uniform" if activation in HE else "glorot_uniform"
    name = "lecun_normal" if activation == "selu" else name
    rng = np.random.default_rng(0)
    wanted = initial_weights(rng, (40, 30), (), name, DOUBLE)
    wanted += initial_weights(rng, (30, 20), (), "glorot_uniform", DOUBLE)
    assert all(map(np.array_equal, got, wanted))


@needs_compiler
@pytest.mark.parametrize("name", INITIALIZERS)
def test_a_fit_starts_there(name: str) -> None:
    model = Trainer(5, initializer=name, seed=3, epochs=1, learning_rate=1e-9, dtype="float64")
    again = Trainer(5, initializer=name, seed=3, epochs=1, learning_rate=2e-9, dtype="float64")
    first, second = model.fit(X, Y).get_weights(), again.fit(X, Y).get_weights()
    assert all(np.allclose(one, two, atol=1e-6) for one, two in zip(first, second, strict=True))
    if name == "orthogonal":
        np.testing.assert_allclose(first[0] @ first[0].T, np.eye(4), atol=1e-6)
