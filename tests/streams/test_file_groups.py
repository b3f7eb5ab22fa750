"""Rows of files in groups."""

import contextlib
import errno
import os
import resource
import shutil
import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
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


@pytest.mark.parametrize("row_group", [1_000, 5_000, 10])
def test_parquet_file(row_group: int, tmp_path: Path) -> None:
    """Row groups of a suitable length are read in place; others from a copy, which mixes them."""
    table = a_table()
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=row_group)
    groups = open_groups(tmp_path / "a.parquet", "y", weights="w")
    assert groups.sizes == [1_000] * 20 if row_group == 1_000 else max(groups.sizes) <= 8_192
    check(groups, table)
    mixed = np.ptp(groups.read(0)[0]["number"]) > ROWS // 2
    assert mixed == (row_group != 1_000)


def test_numbers_are_read_in_place(tmp_path: Path) -> None:
    pq.write_table(a_table().drop(["city"]), tmp_path / "a.parquet", row_group_size=10_000)
    assert open_groups(tmp_path / "a.parquet", "y").sizes == [10_000] * 2


def test_groups_of_a_copy_are_alike(tmp_path: Path) -> None:
    """Each has rows of all quarters of a sorted file, a quarter give or take two of 16 pieces."""
    pq.write_table(a_table(100_000), tmp_path / "a.parquet")
    groups = open_groups(tmp_path / "a.parquet", "number", ["gaps"])
    for number in range(len(groups.sizes)):
        assert np.bincount(groups.read(number)[1] // 25_000, minlength=4).min() >= 2 * 512


def test_without_shuffling_rows_stay_in_order(tmp_path: Path) -> None:
    pq.write_table(a_table(), tmp_path / "a.parquet")
    features, _, _ = all_rows(open_groups(tmp_path / "a.parquet", "y", shuffle=False))
    assert features["number"].to_pylist() == list(range(ROWS))


def folder(path: Path, table: Any, suffix: str = "") -> Path:
    """A folder of two files, with columns in another order, in folders that name a column."""
    for number, part in enumerate((table.slice(0, 7_000), table.slice(7_000))):
        file = path / "rows" / f"month{suffix}{number}" / f"{number}.parquet"
        file.parent.mkdir(parents=True)
        names = table.column_names[::-1] if number else table.column_names
        pq.write_table(part.select(names), file, row_group_size=1_000)
    (path / "rows" / "_SUCCESS").write_text("")
    return path / "rows"


def sources(kind: str, table: Any, path: Path) -> Any:
    """The rows in a source of some kind."""
    file = path / f"a{'.feather' if kind == 'compressed' else kind}"
    if kind == "folder":
        return folder(path, table)
    if kind == ".csv":
        pyarrow.csv.write_csv(table, file)
    elif kind in (".arrow", "compressed"):
        pyarrow.feather.write_feather(table, file, compression="lz4" if "c" in kind else None)
    elif kind == ".ipc":
        with pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
    else:
        pq.write_table(table, path / "a.parquet")
        if kind == "dataset":
            return pyarrow.dataset.dataset(path / "a.parquet")
        if kind == "filter":
            more = pa.concat_tables([table, table.set_column(0, "number", pa.array([-1] * ROWS))])
            pq.write_table(more, path / "a.parquet")
            return pyarrow.dataset.dataset(path / "a.parquet").filter(pc.field("number") >= 0)
        polars = pytest.importorskip("polars")
        frame = polars.scan_parquet(path / "a.parquet")
        return frame.with_columns(polars.col("city").cast(polars.Categorical))
    return file


KINDS = "folder", ".csv", ".arrow", "compressed", ".ipc", "dataset", "filter", "polars"


@pytest.mark.parametrize("kind", KINDS)
def test_other_sources(kind: str, tmp_path: Path) -> None:
    table = a_table()
    check(open_groups(sources(kind, table, tmp_path), "y", weights="w"), table)


def test_folders_name_a_column(tmp_path: Path) -> None:
    groups = open_groups(folder(tmp_path, a_table(), "="), "y", weights="w")
    features, _, _ = all_rows(groups)
    assert features.column_names == ["number", "gaps", "city", "month"]
    assert features["month"].to_pylist() == [0] * 7_000 + [1] * 13_000
    dataset = pyarrow.dataset.dataset(tmp_path / "rows", partitioning="hive")
    again, _, _ = all_rows(open_groups(dataset, "y", weights="w"))
    assert again.cast(features.schema).equals(features)


def test_names_of_folders_as_hive_writes_them(tmp_path: Path) -> None:
    for folder in ("k=a%20b", "k=__HIVE_DEFAULT_PARTITION__"):
        (tmp_path / folder).mkdir()
        pq.write_table(a_table(2), tmp_path / folder / "a.parquet")
    features, _, _ = all_rows(open_groups(tmp_path, "y"))
    assert features["k"].to_pylist() == [None, None, "a b", "a b"]
    (tmp_path / "k=a%20b").rename(tmp_path / "k=3")
    features, _, _ = all_rows(open_groups(tmp_path, "y"))
    assert set(features["k"].to_pylist()) == {3, None}


def test_more_files_than_a_process_may_open(tmp_path: Path) -> None:
    pq.write_table(a_table(2), tmp_path / "0.parquet")
    for number in range(1, 100):
        shutil.copy(tmp_path / "0.parquet", tmp_path / f"{number}.parquet")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + 20, hard))
    try:
        assert sum(open_groups(tmp_path, "y").sizes) == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_features_and_several_targets_in_the_order_asked_for(tmp_path: Path) -> None:
    pq.write_table(a_table(100), tmp_path / "a.parquet")
    groups = open_groups(tmp_path / "a.parquet", ["w", "y"], ["city", "number"])
    features, targets, weights = groups.read(0)
    assert features.column_names == ["city", "number"]
    assert weights is None
    np.testing.assert_array_equal(targets, np.column_stack([a_table(100)["w"], a_table(100)["y"]]))


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.bool_(), pa.decimal128(20, 1), pa.int8()], ids=str
)
def test_targets_keep_their_kind(kind: Any, tmp_path: Path) -> None:
    values = pa.array([1, 0, None]).cast(kind)
    pq.write_table(pa.table({"x": [1, 2, 3], "y": values}), tmp_path / "a.parquet")
    targets = open_groups(tmp_path / "a.parquet", "y").read(0)[1]
    wanted = [float(v) for v in values.to_pylist()[:2]] if "decimal" in str(kind) else values[:2]
    assert targets[:2].tolist() == (wanted if isinstance(wanted, list) else wanted.to_pylist())
    assert targets[2] is None


def test_categories_of_numbers_stay_categories_in_a_copy(tmp_path: Path) -> None:
    codes = pa.array([7, 9, None] * 10_000).dictionary_encode()
    table = pa.table({"zip": codes, "y": np.arange(30_000)})
    pyarrow.feather.write_feather(table, tmp_path / "a.arrow")
    features, targets, _ = open_groups(tmp_path / "a.arrow", "y").read(0)
    assert pa.types.is_dictionary(features["zip"].type)
    assert features["zip"].to_pylist() == [[7, 9, None][y % 3] for y in targets]


@pytest.mark.parametrize("rows", [1, 3])
def test_few_rows_and_empty_groups(rows: int, tmp_path: Path) -> None:
    table = pa.table({"Größe.x": np.arange(rows), "日": np.arange(rows)})
    with pq.ParquetWriter(tmp_path / "ü.parquet", table.schema) as writer:
        for part in (table.slice(0, 0), table, table.slice(0, 0)):
            writer.write_table(part)
    groups = open_groups(tmp_path / "ü.parquet", "日")
    assert groups.sizes == [rows]
    assert groups.read(0)[0].to_pydict() == {"Größe.x": list(range(rows))}


def test_numbers_of_several_types_in_a_folder_get_a_common_one(tmp_path: Path) -> None:
    for name, values in (("a", pa.array([1, 2])), ("b", pa.array([0.5, None])), ("c", pa.nulls(1))):
        pq.write_table(pa.table({"x": values, "y": values.is_null()}), tmp_path / f"{name}.parquet")
    groups = open_groups(tmp_path, "y")
    assert all_rows(groups)[0]["x"].to_pylist() == [1.0, 2.0, 0.5, None, None]


@pytest.mark.parametrize(
    ("second", "message"),
    [({"x": ["a"], "y": [1]}, "column 'x' has several types: 'int64', 'string'"),
     ({"x": [1], "z": [1], "y": [1]}, r"only one of .*a.parquet and .*b.parquet has .* 'z'")],
)  # fmt: skip
def test_files_of_a_folder_must_agree(second: Any, message: str, tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1], "y": [1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table(second), tmp_path / "b.parquet")
    with pytest.raises(ValueError, match=message):
        open_groups(tmp_path, "y")


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"target": "Y"}, ValueError, "target: no column 'Y'; got .*; did you mean 'y'"),
        ({"target": ["y", "yy"]}, ValueError, "target: no column 'yy'"),
        ({"weights": "v"}, ValueError, "sample_weight: no column 'v'"),
        ({"features": ["citi"]}, ValueError, "features: no column 'citi'.*did you mean 'city'"),
        ({"features": ["y", "w"]}, ValueError, "features hold 'y', which is a target"),
        ({"features": []}, ValueError, "a target and a feature"),
        ({"features": "city"}, TypeError, "features must be a sequence of names"),
        (
            {"target": ["y", "city"]},
            TypeError,
            "target: column 'city' must hold numbers, as there are several; got string",
        ),
        ({"target": np.zeros(3)}, TypeError, "target must name columns of the file; got ndarray"),
        ({"target": None}, TypeError, "target must name columns of the file; got NoneType"),
        ({"weights": np.ones(3)}, TypeError, "sample_weight must name a column"),
        ({"source": [1, 2]}, TypeError, "rows must come from a path, .* got list"),
    ],
)
def test_wrong_names(given: Any, error: Any, message: str, tmp_path: Path) -> None:
    pq.write_table(a_table(10), tmp_path / "a.parquet")
    with pytest.raises(error, match=message):
        open_groups(**({"source": tmp_path / "a.parquet", "target": "y"} | given))


def test_unusable_columns_are_refused_before_rows_are_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [[1, 2]], "y": [1]}), tmp_path / "a.parquet")
    with pytest.raises(TypeError, match="column 'x' must hold numbers, text or dates"):
        open_groups(tmp_path / "a.parquet", "y")
    columns = [pa.array([1])] * 3
    pq.write_table(pa.Table.from_arrays(columns, ["x", "x", "y"]), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a.parquet has several columns named 'x'"):
        open_groups(tmp_path / "a.parquet", "y")
    pq.write_table(pa.table({"x": [1], "y": [1]}).slice(0, 0), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a.parquet has no rows"):
        open_groups(tmp_path / "a.parquet", "y")


def test_a_file_that_changes(tmp_path: Path) -> None:
    """Row groups of another file are not read by the places of those of the first one."""
    file = tmp_path / "a.parquet"
    for seed in range(2):
        pq.write_table(a_table(5000, seed), tmp_path / f"{seed}.parquet", row_group_size=1000)
    os.replace(tmp_path / "0.parquet", file)
    groups = open_groups(file, "y")
    groups.read(1)
    os.replace(tmp_path / "1.parquet", file)
    with pytest.raises(ValueError, match=r"a.parquet has changed while it was used"):
        groups.read(1)


def test_large_whole_numbers_in_several_targets(tmp_path: Path) -> None:
    """Become float64, as an array of them does."""
    values = 2**60 + np.arange(3)
    pq.write_table(pa.table({"x": [1, 2, 3], "y": values, "z": [0, 1, 0]}), tmp_path / "a.parquet")
    _, targets, _ = open_groups(tmp_path / "a.parquet", ["y", "z"]).read(0)
    np.testing.assert_array_equal(targets, np.column_stack([values, [0.0, 1.0, 0.0]]))


def test_an_index_of_pandas_is_no_feature(tmp_path: Path) -> None:
    frame = a_table(10).to_pandas().set_index("number").rename(str)
    frame.to_parquet(tmp_path / "a.parquet")
    features, _, _ = open_groups(tmp_path / "a.parquet", "y").read(0)
    assert features.column_names == ["gaps", "city", "w"]
    features, _, _ = open_groups(tmp_path / "a.parquet", "y", ["number"]).read(0)
    assert features["number"].to_pylist() == list("0123456789")


def test_reads_by_several_threads(tmp_path: Path) -> None:
    pq.write_table(a_table(), tmp_path / "a.parquet")
    groups = open_groups(tmp_path / "a.parquet", "y", weights="w")
    wanted = [groups.read(number) for number in range(len(groups.sizes))]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(groups.read, list(range(len(groups.sizes))) * 20))
    for number, (features, targets, weights) in enumerate(found):
        X, y, w = wanted[number % len(wanted)]
        assert features.equals(X)
        np.testing.assert_array_equal(targets, y)
        np.testing.assert_array_equal(weights, w)


def test_copies_leave_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither while they are used, nor after an exception."""
    pq.write_table(a_table(), tmp_path / "a.parquet")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    before = open_files()
    groups = open_groups(tmp_path / "a.parquet", "y")
    groups.read(0)
    assert not list((tmp_path / "temporary").iterdir())
    assert len(open_files()) == len(before) + 1
    del groups
    deadline = time.monotonic() + 10
    while open_files() != before and time.monotonic() < deadline:
        time.sleep(0.01)  # a thread of pyarrow may be the last one to leave the file
    assert open_files() == before

    def interrupted(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("fastmlp.streams.parquet.ParquetScan.batches", interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_groups(tmp_path / "a.parquet", "y")
    assert not list((tmp_path / "temporary").iterdir())
    assert open_files() == before


def open_files() -> list[str]:
    """Files that this process has open."""
    found = []
    for descriptor in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError):
            found.append(os.readlink(f"/dev/fd/{descriptor}"))
    return sorted(name for name in found if "temporary" in name)


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(a_table(), tmp_path / "a.parquet")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            open_groups(tmp_path / "a.parquet", "y")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    monkeypatch.setattr(pa, "OSFile", full)
    with pytest.raises(OSError, match=r"no room in .*, which TMPDIR names"):
        open_groups(tmp_path / "a.parquet", "y")


def full(*arguments: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_arrays_have_no_named_features() -> None:
    with pytest.raises(TypeError, match="features must be None for an array"):
        open_groups(np.ones((3, 2)), np.ones(3), ["a"])
    with pytest.raises(TypeError, match="got DataFrame"):
        open_groups(pd.DataFrame({"x": [1], "y": [2]}), "y")
