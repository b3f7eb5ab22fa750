"""Whole tables and arrays of files; CSV files in particular."""

import gzip
import os
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from fastmlp.streams import open_groups
from fastmlp.streams.array_files import read_arrays
from fastmlp.streams.columns import select
from fastmlp.streams.csv_files import Expected
from fastmlp.streams.opened import read_table
from tests.helpers.processes import run

ROWS = 100_000  # more than are read at once


def written(path: Path, text: str, name: str = "a.csv") -> Path:
    (path / name).write_bytes(text.encode())
    return path / name


@pytest.mark.parametrize("ending", ["parquet", "arrow", "csv"])
def test_whole_tables(ending: str, tmp_path: Path) -> None:
    """As pandas has written them; an index is no column."""
    frame = pd.DataFrame({"x": [1.5, None], "z": ["a", None]}, index=pd.Index(["i", "j"]))
    file = tmp_path / f"a.{ending}"
    if ending == "parquet":
        frame.to_parquet(file)
    elif ending == "arrow":
        pyarrow.feather.write_feather(pa.Table.from_pandas(frame), file)
    else:
        frame.to_csv(file, index=False)
    assert read_table(file).to_pydict() == {"x": [1.5, None], "z": ["a", None]}
    assert read_table(file, ["z"]).to_pydict() == {"z": ["a", None]}
    with pytest.raises(ValueError, match=r"columns: no column 'Z'; .* did you mean 'z'"):
        read_table(file, ["Z"])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a,b\n1,x\n2,\n", {"a": [1, 2], "b": ["x", None]}),
        ("\ufeffa,b\r\n1,NA\r\n,null\r\nnan,None", {"a": [1, None, None], "b": [None] * 3}),
        ('"a","b,c"\n"x\ny",2\n"""",3', {"a": ["x\ny", '"'], "b,c": [2, 3]}),
        ("a;b\n1,5;x,y\n;2,5\n", {"a": [1.5, None], "b": ["x,y", "2,5"]}),
        ("a\tb\n1\t2020-02-29\n", {"a": [1], "b": [date(2020, 2, 29)]}),
        ("a|b\ntrue|2020-02-29 18:00\n", {"a": [True], "b": [datetime(2020, 2, 29, 18)]}),
        ("a\n1\n\n2\n", {"a": [1, 2]}),
        ("0,1\n5,6\n", {"0": [5], "1": [6]}),
        ("日,x\n1,é\n", {"日": [1], "x": ["é"]}),
    ],
)
def test_dialects_of_csv(text: str, wanted: Any, tmp_path: Path) -> None:
    assert read_table(written(tmp_path, text)).to_pydict() == wanted


def test_compressed_csv(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n1,x\n"))
    assert read_table(tmp_path / "a.csv.gz").to_pydict() == {"a": [1], "b": ["x"]}


LATER = {
    "whole": ("5", "7", pa.int64()),
    "fraction": ("5", "0.5", pa.float64()),
    "gap_first": ("", "7", pa.int64()),
    "text": ("5", "x", pa.string()),
    "true": ("1", "true", pa.bool_()),
    "time": ("2020-01-01", "2020-01-01 10:00", pa.timestamp("s")),
    "word": ("2020-01-01", "soon", pa.string()),
    "zone": ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00.5Z", pa.timestamp("ns", "UTC")),
    "clock": ("10:00", "11:00:01", pa.time32("s")),
    "late": ("", "11:00", pa.time32("s")),
    "moment": ("10:00:00", "11:00:01.5", pa.string()),
    "gaps": ("", "", pa.null()),
}


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose last row has values of other types."""
    columns = {name: [first] * (ROWS - 1) + [last] for name, (first, last, _) in LATER.items()}
    file = tmp_path_factory.mktemp("late") / "a.csv"
    pd.DataFrame({**columns, "y": range(ROWS)}).to_csv(file, index=False)
    return file


def test_types_of_csv_suit_all_rows(late: Path) -> None:
    table = read_table(late)
    assert {name: table.schema.field(name).type for name in LATER} == {
        name: kind for name, (_, _, kind) in LATER.items()
    }
    assert table.num_rows == ROWS
    assert table["text"][0].as_py() == "5"


def test_decimal_commas_in_later_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastmlp.streams.csv_files._BLOCK_BYTES", 64)
    table = read_table(written(tmp_path, "a;b;c\n" + "0;1,5;1,5\n" * 40 + "0,25;2,5;1.5\n"))
    assert table.schema.types == [pa.float64(), pa.float64(), pa.string()]
    assert table.slice(40).to_pydict() == {"a": [0.25], "b": [2.5], "c": ["1.5"]}


def test_types_of_csv_suit_all_rows_in_groups(late: Path) -> None:
    groups = open_groups(late, "y", ["text", "fraction"])
    assert sum(groups.sizes) == ROWS
    features, _, _ = groups.read(0)
    assert [str(kind) for kind in features.schema.types][1] == "double"
    assert pa.types.is_dictionary(features["text"].type)


def test_a_model_determines_types(tmp_path: Path) -> None:
    """Digits that were text in training stay text, whole numbers are doubles, dates dates."""
    file = written(tmp_path, "more,zip,x,ok,day,t\nq,01234,1,true,2020-02-29,\nq,,,,,\n")
    names = ["x", "ok", "zip", "t year", "day hour"]
    table = read_table(file, expected=Expected(names, {"zip"}))
    rows = select(table, names)
    assert rows.to_pydict() == {
        "x": [1.0, None], "ok": [True, None], "zip": ["01234", None], "t year": [None, None],
        "day hour": [0, None],
    }  # fmt: skip
    assert str(rows.schema.field("x").type) == "double"
    again = read_table(file, ["zip", "x"], Expected(names, {"zip"}))
    assert again.to_pydict() == {"zip": ["01234", None], "x": [1.0, None]}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["x"], "column 'x' must hold numbers; got 'abc'"),
        (["x year"], "column 'x' must hold dates; got 'abc'"),
    ],
)
def test_values_that_a_model_cannot_take_are_named(
    names: Any, message: str, tmp_path: Path
) -> None:
    file = written(tmp_path, "z,x\n1,\n2,abc\n")
    with pytest.raises(ValueError, match=f"a.csv: {message}"):
        read_table(file, ["x"], Expected(names))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"a,b\n", "has no rows"),
        ("a.csv", b"\n\n", "is empty"),
        ("a.csv", b"1,2\n3,4\n", "must name its columns in the first line; got '1', '2'"),
        ("a.csv", b"a,a\n3,4\n", "has several columns named 'a'"),
        ("a.csv", b"a,b\n1,2,3\n", "Row #2: Expected 2 columns, got 3"),
        ("a.csv", "a\né\n".encode("latin-1"), "must be text in UTF-8"),
        ("a.parquet", b"PAR1 and more", "cannot be read: "),
        ("a.arrow", b"ARROW1 and more", "cannot be read: "),
        ("a.xlsx", b"PK", "must end in one of .csv, .tsv, .parquet"),
        ("a.npy", b"PK", "holds arrays"),
        ("folder/a.txt", b"PK", "folder without Parquet files"),
    ],
)
def test_unusable_files(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    path = tmp_path / name.partition("/")[0]
    for read in (read_table, lambda path: open_groups(path, "b")):
        with pytest.raises(ValueError, match=f"{path}.*{message}"):
            read(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no such file or folder: .*none.csv"):
        read_table(tmp_path / "none.csv")


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_truncated_files(kind: str, tmp_path: Path) -> None:
    table = pa.table({"x": np.random.default_rng(0).normal(size=10_000)})
    file = tmp_path / f"a.{kind}"
    (pq.write_table if kind == "parquet" else pyarrow.feather.write_feather)(table, file)
    data = file.read_bytes()
    for size in range(1, len(data), len(data) // 7):
        file.write_bytes(data[:size])
        with pytest.raises(ValueError, match="cannot be read"):
            read_table(file)


def test_damaged_rows_are_one_error(tmp_path: Path) -> None:
    """Also where pyarrow raises an OSError without the name of the file."""
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": np.random.default_rng(0).normal(size=1000)}), file)
    data = file.read_bytes()
    file.write_bytes(data[:4] + bytes(100) + data[104:])
    with pytest.raises(ValueError, match=r"a.parquet cannot be read"):
        read_table(file)


def test_arrays(tmp_path: Path) -> None:
    X = np.arange(6.0).reshape(3, 2)
    np.save(tmp_path / "a.npy", X)
    np.savez(tmp_path / "a.npz", X=X, labels=[0, 1, 0])
    mapped = read_arrays(tmp_path / "a.npy")["X"]
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, X)
    assert {name: len(array) for name, array in read_arrays(tmp_path / "a.npz").items()} == {
        "X": 3, "labels": 3
    }  # fmt: skip
    data = (tmp_path / "a.npz").read_bytes()
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    objects = (tmp_path / "objects.npy").read_bytes()
    for name, content in (
        ("b.npz", data[:-50]), ("b.npz", data[:60] + b"?" + data[61:]), ("b.npy", b""),
        ("b.npy", b"text"), ("b.npy", objects),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name} is damaged, or holds anything but arrays"):
            read_arrays(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "none.npy")


MEMORY = """
import resource
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
from fastmlp.streams import open_groups
import fastmlp.streams.file_groups, pyarrow.dataset
source = {source}
before = peak()
groups = open_groups(source, "y")
for number in range(len(groups.sizes)):
    groups.read(number)
print(peak() - before)
"""


@pytest.mark.costly
@pytest.mark.parametrize("kind", ["parquet", "csv", "dataset"])
def test_memory_of_copies_is_bounded(kind: str, tmp_path: Path) -> None:
    """A file of 80 MB with one row group takes 60 MB at most; 25 were measured."""
    X = np.random.default_rng(0).normal(size=(10 if kind == "csv" else 20, 500_000))
    table = pa.table({f"x{j}": column for j, column in enumerate(X)} | {"y": np.zeros(500_000)})
    path = tmp_path / f"a.{kind}"
    source = repr(str(path))
    if kind != "csv":
        pq.write_table(table, path, use_dictionary=False)
    else:
        pyarrow.csv.write_csv(table, path)
    if kind == "dataset":
        source = f"pyarrow.dataset.dataset({source}).filter(pyarrow.dataset.field('x0') > -9)"
    assert int(run(MEMORY.format(source=source))) < 60_000_000
    assert os.path.getsize(path) > 80_000_000


WITHOUT = """
import sys
import fastmlp
assert "pyarrow" not in sys.modules
sys.modules["pyarrow"] = None
try:
    fastmlp.Trainer().fit_stream({path!r}, target="y")
except ImportError as error:
    print(error)
"""


def test_without_pyarrow_the_error_names_the_extra(tmp_path: Path) -> None:
    file = written(tmp_path, "x,y\n1,2\n")
    assert "pip install 'fastmlp[files]'" in run(WITHOUT.format(path=str(file)))
