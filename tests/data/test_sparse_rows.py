"""Sparse rows select, join and convert as arrays do."""

from typing import Any

import numpy as np
import pytest

from fastmlp.data import SparseRows, take_rows
from fastmlp.data import sparse_rows as module

DENSE = np.random.default_rng(0).normal(size=(40, 9)).round()
DENSE[5] = DENSE[39] = 0
ROWS = SparseRows.of(DENSE)
CHOSEN: list[Any] = [
    slice(None), slice(0, 0), slice(3, 17), slice(17, 3), slice(-2, None), slice(30, 99),
    slice(None, None, 3), slice(None, None, -1), np.array([5, 0, 39, 39, 7]), np.array([], int),
    np.array([-1, -40]), np.arange(40) % 3 == 0, np.zeros(40, bool), np.arange(40),
]  # fmt: skip


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
@pytest.mark.parametrize("rows", CHOSEN, ids=str)
def test_some_rows(rows: Any, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK_ENTRIES", block)
    for chosen in (ROWS[rows], take_rows(ROWS, rows)):
        np.testing.assert_array_equal(chosen.dense(), DENSE[rows])
        assert chosen.shape == DENSE[rows].shape
        assert len(chosen) == len(DENSE[rows])
        assert chosen.ends[0] == 0
        assert [array.dtype for array in chosen.arrays] == [np.int64, np.int32, np.float64]


def test_neighbouring_rows_are_views() -> None:
    assert np.shares_memory(ROWS[3:9].values, ROWS.values)
    copy = ROWS[3:9].copy()
    assert not any(np.shares_memory(*arrays) for arrays in zip(copy.arrays, ROWS.arrays))  # noqa: B905
    np.testing.assert_array_equal(copy.dense(), DENSE[3:9])


def test_a_row_beyond_the_last() -> None:
    with pytest.raises(IndexError):
        ROWS[np.array([40])]


def test_joined() -> None:
    parts = [ROWS[:7], ROWS[7:7], SparseRows.of(DENSE[7:30]), ROWS[np.arange(30, 40)]]
    joined = SparseRows.joined(parts)
    np.testing.assert_array_equal(joined.dense(), DENSE)
    for one, other in zip(joined.arrays, ROWS.arrays, strict=True):
        np.testing.assert_array_equal(one, other)


def test_compact() -> None:
    some = ROWS[np.array([2, 8])]
    values, used = some.compact()
    assert used.tolist() == np.flatnonzero(DENSE[[2, 8]].any(axis=0)).tolist()
    np.testing.assert_array_equal(values, DENSE[[2, 8]][:, used])
    assert ROWS[:0].compact()[0].shape == (0, 0)
