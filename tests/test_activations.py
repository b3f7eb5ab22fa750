"""Derivatives of activations, on the deltas of some panels."""

from typing import Any

import numpy as np
import pytest

from fastmlp.kernels.plugins.activations import ACTIVATIONS
from tests.kernels import (
    COUNTS,
    NAN,
    Array,
    Flat,
    a_layer,
    a_run,
    assert_untouched,
    block_of,
    call,
    lanes_of,
    needs_compiler,
    spread,
    with_gaps,
)

pytestmark = needs_compiler

# The derivative by the value of the activation.
DERIVATIVES: dict[str, Any] = {"relu": lambda value: value > 0}

# Vectors in a panel, panels, vectors in the last panel, the member's panels.
PANELS = [(1, 1, 1, (0, 1)), (3, 1, 2, (0, 1)), (4, 3, 1, (0, 3)), (4, 3, 1, (1, 3)),
          (2, 4, 2, (1, 2)), (2, 4, 2, (2, 2))]  # fmt: skip


def values_of(activation: str, z: Array) -> Array:
    return np.maximum(z, 0) if ACTIVATIONS[activation].rectified else z


@pytest.mark.parametrize(("vectors", "panels", "last", "own"), PANELS)
@pytest.mark.parametrize("m", COUNTS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_derivative(
    activation: str, m: int, vectors: int, panels: int, last: int, own: tuple[int, int], dtype: Any
) -> None:
    rng, lanes = np.random.default_rng(m), lanes_of(dtype)
    panel, width = vectors * lanes, ((panels - 1) * vectors + last) * lanes
    A = values_of(activation, spread(rng, (m, width), dtype))
    A[:, ::7] = 0
    D = spread(rng, (m, width), dtype)
    memory = Flat(dtype, NAN)
    stored = with_gaps(A)
    outputs = memory.put(stored)
    padded = np.pad(D, ((0, 0), (0, panels * panel - width)), constant_values=NAN)
    delta_panel = m * panel + 3
    by_panel = padded.reshape(m, panels, panel).swapaxes(0, 1).reshape(panels, m * panel)
    deltas = memory.put(np.pad(by_panel, ((0, 0), (0, 3)), constant_values=NAN))
    before = memory.array()
    after = before.copy()
    layer = a_layer(
        panel=panel, panels=panels, last_vectors=last, first=own[0], last=own[1],
        outputs=outputs, stride=stored.shape[1], deltas=deltas, delta_panel=delta_panel,
    )  # fmt: skip
    call(ACTIVATIONS[activation].derivative, after, a_run(m=m, lanes=lanes), layer)
    blocks = []
    for p in range(*own):
        columns = slice(p * panel, min((p + 1) * panel, width))
        wanted = D[:, columns] * DERIVATIVES[activation](A[:, columns])
        blocks.append((deltas + p * delta_panel, wanted.shape, panel))
        ours = block_of(after, *blocks[-1])
        assert (np.abs(ours - wanted) <= 8 * np.finfo(dtype).eps * np.abs(wanted)).all()
    assert_untouched(after, before, *blocks)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_padding_hides_what_its_deltas_hold(activation: str, dtype: Any) -> None:
    """Where there is no unit the activation is zero, and so becomes the delta."""
    lanes = lanes_of(dtype)
    memory = np.concatenate([np.zeros(lanes), np.full(lanes, NAN)]).astype(dtype)
    layer = a_layer(
        panel=lanes, panels=1, last_vectors=1, last=1, stride=lanes, deltas=lanes, delta_panel=lanes
    )
    call(ACTIVATIONS[activation].derivative, memory, a_run(m=1, lanes=lanes), layer)
    assert not memory.any()
