"""Masks of what is not zero: of the rows of X, and joined for the tiles of a chunk."""

from typing import Any

import numpy as np
import pytest

from fastmlp.kernels.language.simd import TILE_ROWS
from fastmlp.kernels.plugins.zeros import mask_chunk, mask_words, scan
from tests.helpers.basics import INF, NAN, Array, needs_compiler
from tests.helpers.kernels import COUNTS, a_layer, a_run, bit_masks, call

pytestmark = needs_compiler

# Where a word ends or a group lies across two of them, too.
FEATURES = (1, 2, 5, 6, 7, 9, 31, 33, 63, 64, 65, 127, 128, 400)


def sparse_rows(n: int, d: int, kind: Any) -> Array:
    """Rows of any density, some of them zero throughout."""
    rng = np.random.default_rng(n * d)
    kept = rng.random((n, d)) < rng.choice([0.0, 0.02, 0.3, 1.0], (n, 1))
    return np.where(kept, rng.integers(1, 256, (n, d)), 0).astype(kind)


def any_of_each(size: int, taken: Array) -> Array:
    """Whether any of each ``size`` columns is."""
    padded = np.pad(taken, ((0, 0), (0, -taken.shape[1] % size)))
    return padded.reshape(len(taken), padded.shape[1] // size, size).any(axis=2)


def masks_of(X: Array) -> Array:
    """A row's mask of features, then that of their groups."""
    return np.hstack([bit_masks(X != 0), bit_masks(any_of_each(TILE_ROWS, X != 0))])


def scanned(X: Array, first: int, last: int, dtype: Any) -> Array:
    """Masks of the rows of X, of which a member takes some."""
    feature_words, group_words = mask_words(X.shape[1])
    masks = np.zeros((len(X), feature_words + group_words), np.int64)
    inputs = a_layer(n_out=X.shape[1])
    run = a_run(
        input=X, is_uint8=X.dtype == np.uint8, row_masks=masks, first=first, last=last,
        layers=inputs, feature_words=feature_words, mask_words=masks.shape[1],
    )  # fmt: skip
    call(scan, np.empty(0, dtype), run, 0)
    return masks


@pytest.mark.parametrize("kind", ["uint8", "of the network"])
@pytest.mark.parametrize("d", FEATURES)
def test_scan(d: int, kind: str, dtype: Any) -> None:
    X = sparse_rows(33, d, "uint8" if kind == "uint8" else dtype)
    wanted = masks_of(X)
    wanted[:3] = wanted[31:] = 0  # of others
    assert np.array_equal(scanned(X, 3, 31, dtype), wanted)


def test_what_is_zero(dtype: Any) -> None:
    X = np.array([[0.0, -0.0, NAN, -INF, np.finfo(dtype).tiny, -1]], dtype)
    assert scanned(X, 0, 1, dtype)[0, 0] == 0b111100


@pytest.mark.parametrize("m", [*COUNTS[1:], 64, 128])
@pytest.mark.parametrize("d", FEATURES)
def test_masks_of_a_chunk(d: int, m: int, dtype: Any) -> None:
    first, n = 3, m + 8
    X = sparse_rows(n, d, dtype)
    order, masks = np.random.default_rng(m).permutation(n), masks_of(X)
    feature_words, group_words = mask_words(d)
    sample_words = -(-m // 64)
    joined = np.full((-(-m // TILE_ROWS), feature_words), -1)
    samples = np.full((64 * group_words, sample_words), -1)
    block = np.empty(64, np.int64)
    run = a_run(
        row=first, m=m, n_rows=n, order=order, row_masks=masks, feature_words=feature_words,
        mask_words=masks.shape[1], feature_masks=joined, sample_masks=samples, bit_block=block,
    )  # fmt: skip
    before = masks.copy()
    call(mask_chunk, np.empty(0, dtype), run, a_layer(n_out=d))
    taken = X[order[first : first + m]] != 0
    assert np.array_equal(joined, bit_masks(any_of_each(TILE_ROWS, taken.T).T))
    groups = bit_masks(any_of_each(TILE_ROWS, taken).T)
    assert np.array_equal(samples[: len(groups)], groups)
    assert not samples[len(groups) :].any()
    assert np.array_equal(masks, before)
