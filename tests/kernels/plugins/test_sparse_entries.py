"""Entries of sparse rows: those of a chunk, by row and by unit."""

from typing import Any

import numpy as np
import pytest

from fastmlp.kernels.plugins.dropout import drop_entries, thresholds
from fastmlp.kernels.plugins.sparse_entries import read_sparse, sort_entries
from tests.helpers import reference
from tests.helpers.basics import NAN, Array, needs_compiler
from tests.helpers.kernels import COUNTS, Flat, a_layer, a_run, assert_untouched, call, spread
from tests.helpers.rows import sparse_rows

pytestmark = needs_compiler

BEHIND = 16  # elements of a table that whole vectors may reach beyond its entries
FIRST = 3  # rows before those of the chunk


def chunk_of(m: int, d: int, dtype: Any, density: float = 0.2) -> tuple[Any, Array]:
    """Some sparse rows, and an order that puts their ``m`` of the chunk behind others."""
    rng = np.random.default_rng(d)
    rows = sparse_rows(rng, m + FIRST + 2, d, density)
    return rows.with_values(spread(rng, rows.values.shape, dtype)), rng.permutation(len(rows))


def read(X: Any, order: Array, m: int, **fields: Any) -> tuple[Array, Array, Array, Array]:
    """The memory before and after the entries are read, and the run with its tables."""
    room = int(np.diff(X.ends)[order[FIRST : FIRST + m]].sum())
    flat = Flat(X.dtype, NAN)
    copy, ordered = flat.put(np.full(room, NAN)), flat.put(np.full(room, NAN))
    tables = {
        "row_starts": np.full(m + 1, -1), "columns": np.full(room + BEHIND, -1),
        "touched": np.full(X.n_columns, -1), "unit_starts": np.full(X.n_columns + 1, -1),
        "entry_rows": np.full(room, -1), "entry_places": np.full(room, -1),
        "counts": np.zeros(X.n_columns, np.int64),
    }  # fmt: skip
    run = a_run(
        row=FIRST, m=m, input=X.values, row_ends=X.ends, entry_columns=X.columns, order=order,
        copy=copy, sorted=ordered, **{"input_factor": 1.0} | fields, **tables,
    )  # fmt: skip
    before = flat.array()
    after = before.copy()
    call(read_sparse, after, run, a_layer(n_out=X.n_columns))
    blocks = (copy, (1, room), room), (ordered, (1, room), room)
    assert_untouched(after, before, blocks[0])
    return after, run, tables, blocks


@pytest.mark.parametrize("factor", [1.0, 1 / 255])
@pytest.mark.parametrize("d", COUNTS[1:])
@pytest.mark.parametrize("m", COUNTS)
def test_rows_are_read(m: int, d: int, factor: float, dtype: Any) -> None:
    X, order = chunk_of(m, d, dtype)
    memory, run, tables, _ = read(X, order, m, input_factor=factor)
    wanted = X[order[FIRST : FIRST + m]]
    start, count = int(run["copy"][0]), len(wanted.values)
    assert np.array_equal(tables["row_starts"], wanted.ends)
    assert np.array_equal(tables["columns"][:count], wanted.columns)
    assert np.array_equal(memory[start : start + count], dtype.type(factor) * wanted.values)
    assert (tables["columns"][count:] == -1).all()


@pytest.mark.parametrize("shift", [0, 2])
@pytest.mark.parametrize("d", COUNTS[1:])
@pytest.mark.parametrize("m", COUNTS)
def test_entries_by_unit(m: int, d: int, shift: int, dtype: Any) -> None:
    X, order = chunk_of(m, d, dtype)
    memory, run, tables, blocks = read(X, order, m, unit_shift=shift)
    before = memory.copy()
    call(sort_entries, memory, run, a_layer(n_out=d))
    assert_untouched(memory, before, blocks[1])
    assert not tables["counts"].any()
    rows = X[order[FIRST : FIRST + m]]
    units = rows.columns >> shift
    _, firsts = np.unique(units, return_index=True)
    touched = units[np.sort(firsts)]  # in the order in which they appear
    count = int(run["touched_count"][0])
    assert np.array_equal(tables["touched"][:count], touched)
    of_rows = np.repeat(np.arange(m), np.diff(rows.ends))
    for t, unit in enumerate(touched):
        mine = slice(*tables["unit_starts"][t : t + 2])
        assert np.array_equal(tables["entry_rows"][mine], of_rows[units == unit])
        places = rows.columns[units == unit] - (unit << shift)
        assert np.array_equal(tables["entry_places"][mine], places)
        start = int(run["sorted"][0])
        assert np.array_equal(memory[start:][mine], rows.values[units == unit])


@pytest.mark.parametrize("d", COUNTS[1:])
@pytest.mark.parametrize("m", COUNTS)
def test_features_are_dropped_as_in_dense_rows(m: int, d: int, dtype: Any) -> None:
    X, order = chunk_of(m, d, dtype)
    key, p = 123456789, 0.3
    memory, run, _, blocks = read(X, order, m, dropout_key=key)
    before = memory.copy()
    layer = a_layer(n_out=d, number=0, kept=1 - p, threshold=thresholds([p])[0])
    call(drop_entries, memory, run, layer)
    assert_untouched(memory, before, blocks[0])
    factors = reference.dropout_factors(key, np.arange(FIRST, FIRST + m), 0, d, p).astype(dtype)
    rows = X[order[FIRST : FIRST + m]]
    of_rows = np.repeat(np.arange(m), np.diff(rows.ends))
    start = int(run["copy"][0])
    found = memory[start : start + len(rows.values)]
    assert np.array_equal(found, rows.values * factors[of_rows, rows.columns])
