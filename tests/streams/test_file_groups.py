"""Rows of files in groups."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastmlp.streams import RowGroups, open_groups

ROWS = 20_000


def a_table(rows: int = ROWS, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    return pa.table({
        "number": np.arange(rows), "gaps": pa.array([None, 0.5] * (rows // 2) + [1.0] * (rows % 2)),
        "city": np.array(["Kiel", "Köln"])[rng.integers(0, 2, rows)], "y": rng.integers(0, 3, rows),
        "w": rng.uniform(size=rows),
    })  # fmt: skip


def all_rows(groups: RowGroups) -> tuple[Any, Any, Any]:
    """All groups as one table, targets and weights."""
    read = [groups.read(number) for number in range(len(groups.sizes))]
    assert [len(targets) for _, targets, _ in read] == groups.sizes
    tables, targets, weights = zip(*read, strict=True)
    joined = None if weights[0] is None else np.concatenate(weights)
    return pa.concat_tables(tables), np.concatenate(targets), joined


def check(groups: RowGroups, table: Any) -> None:
    """All rows are read, features beside their targets and weights."""
    features, targets, weights = all_rows(groups)
    order = np.argsort(features["number"])
    assert features.column_names == ["number", "gaps", "city"]
    assert pa.types.is_dictionary(features["city"].type)
    for name in features.column_names:
        assert features[name].take(order).to_pylist() == table[name].to_pylist()
    np.testing.assert_array_equal(targets[order], table["y"])
    np.testing.assert_array_equal(weights[order], table["w"])


@pytest.mark.parametrize("row_group", [5_000, ROWS, 10])
def test_parquet_file(row_group: int, tmp_path: Path) -> None:
    """Row groups of a suitable length are read in place; others from a copy, which mixes them."""
    table = a_table()
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=row_group)
    groups = open_groups(tmp_path / "a.parquet", "y", weights="w")
    assert groups.sizes == [5_000] * 4 if row_group == 5_000 else max(groups.sizes) <= 8_192
    check(groups, table)
    mixed = np.ptp(groups.read(0)[0]["number"]) > ROWS // 2
    assert mixed == (row_group != 5_000)


def test_without_shuffling_rows_stay_in_order(tmp_path: Path) -> None:
    pq.write_table(a_table(), tmp_path / "a.parquet")
    features, _, _ = all_rows(open_groups(tmp_path / "a.parquet", "y", shuffle=False))
    assert features["number"].to_pylist() == list(range(ROWS))
