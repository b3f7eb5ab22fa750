"""Sums over sparse entries against float64."""

from typing import Any

import numpy as np
import pytest

from fastmlp.kernels.products.gather import AHEAD, GATHER
from tests.helpers.basics import NAN, needs_compiler
from tests.helpers.kernels import (
    COUNTS,
    Flat,
    assert_untouched,
    block_of,
    call,
    lanes_of,
    spread,
    with_gaps,
)  # fmt: skip
from tests.helpers.rows import sparse_rows

pytestmark = needs_compiler


@pytest.mark.parametrize("rectified", [0, 1])
@pytest.mark.parametrize("depth", COUNTS[1:])
@pytest.mark.parametrize("rows", COUNTS)
@pytest.mark.parametrize("vectors", GATHER)
def test_gather(vectors: int, rows: int, depth: int, rectified: int, dtype: Any) -> None:
    rng = np.random.default_rng(rows)
    width, room = vectors * lanes_of(dtype), 2 * rows + 1
    A = sparse_rows(rng, rows, depth, 0.3)
    A = A.with_values(spread(rng, A.values.shape, dtype))
    B, base = spread(rng, (depth, width), dtype), spread(rng, (room, width), dtype)
    places = rng.permutation(room)[:rows]
    flat = Flat(dtype, NAN)
    offsets = [flat.put(part) for part in (with_gaps(base), with_gaps(B), A.values)]
    before = flat.array()
    after, step = before.copy(), with_gaps(B).shape[1]
    tables = [np.append(table, np.zeros(AHEAD, np.int64)) for table in (places, A.columns)]
    entries = A.ends, tables[1].astype(np.int64), offsets[2]
    C = offsets[0], step
    call(GATHER[vectors], after, C, C, tables[0], entries, (offsets[1], step), rows, rectified)

    exact = base.astype(np.float64)
    exact[places] += A.dense().astype(np.float64) @ B
    size = np.abs(base).astype(np.float64)
    size[places] += np.abs(A.dense()).astype(np.float64) @ np.abs(B)
    if rectified:
        exact[places] = np.maximum(exact[places], 0)
    found = block_of(after, offsets[0], base.shape, step)
    assert (np.abs(found - exact) <= depth * np.finfo(dtype).eps * size).all()
    assert_untouched(after, before, (offsets[0], base.shape, step))
    others = np.setdiff1d(np.arange(room), places)
    assert np.array_equal(found[others], base[others])
