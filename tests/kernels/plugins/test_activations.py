"""Activations and their derivatives: against exact values, and on the panels of a member."""

from typing import Any

import numpy as np
import pytest

from fastmlp.kernels.plugins.activations import ACTIVATIONS
from tests.helpers import reference
from tests.helpers.basics import INF, NAN, Array, needs_compiler
from tests.helpers.functions import numbers, subnormals, ulps
from tests.helpers.kernels import (
    COUNTS,
    Flat,
    a_layer,
    a_run,
    assert_untouched,
    block_of,
    call,
    lanes_of,
    spread,
)

pytestmark = needs_compiler

# Bounds of the values, in units in the last place of each, and of the derivatives, in units in the
# last place of 1; both hold for float32 and float64.
BOUNDS: dict[str, tuple[float, float]] = {
    "identity": (0, 0),
    "relu": (0, 0),
    "leaky_relu": (1, 0.5),
    "tanh": (2, 3),
    "logistic": (2, 1),
    "elu": (1.5, 1),
    "selu": (2.5, 3),
    "gelu": (7, 3),
    "silu": (2.5, 2),
    "mish": (4.5, 4),
    "softplus": (1.5, 1.5),
}

# Those that go to zero at -inf as a product of which one factor is infinite.
PRODUCTS = ("gelu", "silu", "mish")
# Further out no derivative changes any more.
FAR = 1e4

# Vectors in a panel, panels, vectors in the last panel, the member's panels.
PANELS = [(1, 1, 1, (0, 1)), (3, 1, 2, (0, 1)), (4, 3, 1, (0, 3)), (4, 3, 1, (1, 3)),
          (2, 4, 2, (1, 2)), (2, 4, 2, (2, 2))]  # fmt: skip


def rectified(activation: str, z: Array) -> Array:
    """What the products leave."""
    return np.maximum(z, 0) if ACTIVATIONS[activation].rectified else z


def forward(activation: str, memory: Array, layer: Array, m: int, training: bool) -> None:
    """The kernel that a run takes, if it takes any."""
    chosen = ACTIVATIONS[activation]
    values = chosen.values_and_slopes if training and chosen.keeps_slopes else chosen.values
    if values is not None:
        call(values, memory, a_run(m=m, lanes=lanes_of(memory.dtype)), layer)


def backward(activation: str, memory: Array, layer: Array, m: int) -> None:
    run = a_run(m=m, lanes=lanes_of(memory.dtype))
    call(ACTIVATIONS[activation].derivative, memory, run, layer)


def values_and_slopes(
    activation: str, x: Array, *, training: bool, kept: float = 1.0
) -> tuple[Array, Array]:
    """Of one row: values, and what deltas of 1 become."""
    lanes, n = lanes_of(x.dtype), len(x)
    width = -(-n // lanes) * lanes
    memory = np.zeros(3 * width, x.dtype)
    memory[:n] = rectified(activation, x)
    memory[width : width + n] = 1
    layer = a_layer(
        panel=width, panels=1, last_vectors=width // lanes, last=1, n_out=n, stride=width,
        deltas=width, delta_panel=width, slopes=2 * width, kept=kept,
    )  # fmt: skip
    forward(activation, memory, layer, 1, training)
    memory[:n] /= x.dtype.type(kept)  # as dropout leaves them
    if training:
        backward(activation, memory, layer, 1)
    return memory[:n] * x.dtype.type(kept), memory[width : width + n]


def exact_values(activation: str, x: Array) -> Array:
    z = x.astype(np.longdouble)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        values = reference.activation(activation, z)
    return np.where((x == -INF) & (activation in PRODUCTS), 0, values)


def exact_slopes(activation: str, x: Array) -> Array:
    z = np.clip(x.astype(np.longdouble), -FAR, FAR)
    with np.errstate(over="ignore", under="ignore"):
        return reference.activation_slope(activation, z)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_values(activation: str, training: bool, kept: bool, dtype: Any) -> None:
    x = numbers(dtype, -INF, INF)
    with subnormals(kept):
        ours, _ = values_and_slopes(activation, x, training=training)
    distances = ulps(ours, exact_values(activation, x))
    worst = np.argmax(distances)
    assert distances[worst] <= BOUNDS[activation][0], (x[worst], distances[worst])


@pytest.mark.parametrize("kept", [1.0, 0.5])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_slopes(activation: str, kept: float, dtype: Any) -> None:
    x = numbers(dtype, -INF, INF)
    x = x[np.abs(x) < np.finfo(dtype).max / 4]
    if kept == 1:  # beyond, what dropout divides is infinite
        x = np.append(x, np.array([INF, -INF], dtype))
    _, ours = values_and_slopes(activation, x, training=True, kept=kept)
    distances = np.abs(ours - exact_slopes(activation, x)) / np.finfo(dtype).eps
    worst = np.argmax(distances)
    assert distances[worst] <= BOUNDS[activation][1], (x[worst], distances[worst])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_exact_slopes_equal_central_differences(activation: str) -> None:
    z, step = np.linspace(-20, 20, 1000, dtype=np.longdouble), np.longdouble(1e-4)
    rise = reference.activation(activation, z + step) - reference.activation(activation, z - step)
    # Squares of the step are left, and of gelu what float64 does not see of its tail.
    assert np.abs(rise / (2 * step) - exact_slopes(activation, z)).max() <= 1e-8


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nan_stays_nan(activation: str, dtype: Any) -> None:
    x = np.array([0.5, NAN, -0.5], dtype)
    for training in (False, True):
        values, slopes = values_and_slopes(activation, x, training=training)
        assert np.isnan(values).tolist() == [False, True, False]
        assert np.isfinite(slopes[[0, 2]]).all()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_delta_of_nan_stays_nan(activation: str, dtype: Any) -> None:
    lanes = lanes_of(dtype)
    memory = np.zeros(3 * lanes, dtype)
    memory[:lanes] = rectified(activation, np.ones(lanes, dtype))
    memory[lanes : 2 * lanes] = NAN
    layer = a_layer(
        panel=lanes, panels=1, last_vectors=1, last=1, n_out=lanes - 1, stride=lanes, deltas=lanes,
        delta_panel=lanes, slopes=2 * lanes, kept=1,
    )  # fmt: skip
    forward(activation, memory, layer, 1, True)
    backward(activation, memory, layer, 1)
    assert np.isnan(memory[lanes : 2 * lanes - 1]).all()


@pytest.mark.parametrize("missing", [0, 1])
@pytest.mark.parametrize(("vectors", "panels", "last", "own"), PANELS)
@pytest.mark.parametrize("m", COUNTS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_panels(
    activation: str, m: int, vectors: int, panels: int, last: int, own: tuple[int, int],
    missing: int, dtype: Any,
) -> None:  # fmt: skip
    """Values, then derivatives, of the member's panels, with ``missing`` units in the last."""
    rng, lanes = np.random.default_rng(m), lanes_of(dtype)
    panel, width = vectors * lanes, ((panels - 1) * vectors + last) * lanes
    n = width - missing
    x, D = (spread(rng, (m, n), dtype) for _ in range(2))
    x[:, ::7] = 0
    memory, stride, padding = Flat(dtype, NAN), width + 3, ((0, 0), (0, missing))
    rows = np.pad(np.pad(rectified(activation, x), padding), ((0, 0), (0, 3)), constant_values=NAN)
    outputs, slopes = memory.put(rows), memory.put(np.full_like(rows, NAN))
    deltas = np.pad(D, ((0, 0), (0, panels * panel - n)), constant_values=NAN)
    by_panel = deltas.reshape(m, panels, panel).swapaxes(0, 1).reshape(panels, m * panel)
    start = memory.put(np.pad(by_panel, ((0, 0), (0, 3)), constant_values=NAN))
    before = memory.array()
    after = before.copy()
    layer = a_layer(
        panel=panel, panels=panels, last_vectors=last, first=own[0], last=own[1], n_out=n,
        outputs=outputs, stride=stride, deltas=start, delta_panel=m * panel + 3, slopes=slopes,
        kept=1,
    )  # fmt: skip
    forward(activation, after, layer, m, True)
    backward(activation, after, layer, m)
    values, slope = values_and_slopes(activation, x.ravel(), training=True)
    wanted = np.pad(values.reshape(m, n), padding), np.pad(D * slope.reshape(m, n), padding)
    blocks = []
    for p in range(*own):
        columns = slice(p * panel, min((p + 1) * panel, width))
        shape = m, columns.stop - columns.start
        kept = [(offset + p * panel, shape, stride) for offset in (outputs, slopes)]
        blocks += [*kept, (start + p * (m * panel + 3), shape, panel)]
        assert np.array_equal(block_of(after, *kept[0]), wanted[0][:, columns])
        assert np.array_equal(block_of(after, *blocks[-1]), wanted[1][:, columns])
    assert_untouched(after, before, *blocks)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_padding_hides_what_its_deltas_hold(activation: str, dtype: Any) -> None:
    """Where there is no unit the delta becomes zero, whatever it, and a slope, held."""
    lanes = lanes_of(dtype)
    memory = np.concatenate([np.zeros(lanes), np.full(2 * lanes, NAN)]).astype(dtype)
    layer = a_layer(
        panel=lanes, panels=1, last_vectors=1, last=1, stride=lanes, deltas=lanes,
        delta_panel=lanes, slopes=2 * lanes, kept=1,
    )  # fmt: skip
    backward(activation, memory, layer, 1)
    assert not memory[: 2 * lanes].any()


def test_every_activation_is_in_the_tables() -> None:
    assert list(BOUNDS) == list(ACTIVATIONS)
