"""What is learned of rows in groups: totals, samples and held-out rows."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from fastmlp.data import open_features, read_targets
from fastmlp.streams import ArrayGroups, Survey, joined, part_survey
from fastmlp.streams.hashes import row_hashes
from fastmlp.streams.survey import survey, training_rows

N = 3000
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 4)).round(3)
Y = RNG.integers(0, 3, N)
WEIGHTS = RNG.integers(0, 4, N).astype(float)


def of_parts(X: Any, Y: Any, weights: Any, stops: list[int], fraction: float = 0.0) -> Survey:
    parts = [slice(a, b) for a, b in zip([0, *stops], [*stops, N], strict=True)]
    return joined(
        part_survey((X[p], Y[p], None if weights is None else weights[p]), number, fraction)
        for number, p in enumerate(parts)
    )


def hashes(X: Any, Y: Any) -> Any:
    features = open_features(X)
    return row_hashes(features, read_targets(Y, len(features)))


def rows_of(samples: Any) -> Any:
    """Rows with their targets, sorted."""
    rows = np.column_stack([np.asarray(samples[0]), np.asarray(samples[1])])
    return rows[np.lexsort(rows.T)]


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_totals_are_those_of_all_rows(weights: Any) -> None:
    found = of_parts(X, Y, weights, [100, 1700, 1701])
    ones = np.ones(N) if weights is None else weights
    kept = ones > 0
    assert found.training == (kept.sum(), ones.sum())
    assert found.n_held_out == 0
    assert found.validation is None
    assert found.labels == {
        k: ((kept & own).sum(), ones[own].sum())
        for k, own in enumerate(np.equal.outer(range(3), Y))
    }
    # Few rows are all in the sample, in their order.
    for got, wanted in zip(found.sample, (X, Y, weights), strict=True):
        assert (got is None) == (wanted is None)
        assert wanted is None or np.array_equal(got, wanted[kept])


def test_held_out_rows_go_by_their_content() -> None:
    """They stay the same in any order, in any parts, beside further rows, in other dtypes."""
    fraction = 0.2
    found = of_parts(X, Y, None, [1000], fraction)
    assert found.validation is not None
    held_out = rows_of(found.validation)
    spread = np.sqrt(N * fraction * (1 - fraction))
    assert abs(found.n_held_out - N * fraction) < 4 * spread
    assert found.training.rows == N - found.n_held_out
    order = np.random.default_rng(1).permutation(N)
    permuted = of_parts(X[order], Y[order], None, [10, 700], fraction)
    assert np.array_equal(rows_of(permuted.validation), held_out)
    half = part_survey((X[:1500], Y[:1500], None), 0, fraction)
    assert {tuple(row) for row in rows_of(half.validation)} <= {tuple(row) for row in held_out}
    # Of a larger fraction these are a part.
    more = rows_of(of_parts(X, Y, None, [1000], 0.4).validation)
    assert {tuple(row) for row in held_out} < {tuple(row) for row in more}
    flags = np.ones(N, bool)
    flags[:1000][training_rows(found.flags[0], 1000)] = False
    flags[1000:][training_rows(found.flags[1], 2000)] = False
    assert np.array_equal(rows_of((X[flags], Y[flags])), held_out)
    assert np.array_equal(rows_of(found.sample), rows_of((X[~flags], Y[~flags])))


def test_hashes_of_equal_values_are_equal() -> None:
    whole = RNG.integers(-3, 4, (50, 3))
    wanted = hashes(whole.astype(float), Y[:50])
    assert len(np.unique(wanted)) > 40
    for dtype in (np.int8, np.int64, np.float32):
        assert np.array_equal(hashes(whole.astype(dtype), Y[:50].astype(float)), wanted)
    assert np.array_equal(hashes(np.where(whole == 0, -0.0, whole), Y[:50]), wanted)
    frame = pd.DataFrame(whole)
    for table in (frame, pl.from_pandas(frame), pa.Table.from_pandas(frame)):
        assert np.array_equal(hashes(table, Y[:50]), wanted)
    other = np.full((2, 1), np.nan)
    other.view(np.int64)[1] += 1
    assert len(set(hashes(other, [0, 0]).tolist())) == 1


def test_hashes_of_rows_spread_out() -> None:
    """Rows of 0 and 1 alone, which have few bits that differ."""
    rows = np.unpackbits(np.arange(1 << 14, dtype=">u2").view(np.uint8)).reshape(-1, 16)
    found = hashes(rows, np.zeros(len(rows)))
    assert len(np.unique(found)) == len(rows)
    counts = np.histogram(found.astype(float) / 2.0**64, 16, (0, 1))[0]
    assert abs(counts - 1024).max() < 5 * 32
    # Columns are told apart.
    assert len(set(hashes([[0, 1], [1, 0], [1, 1]], [0, 0, 0]).tolist())) == 3


def test_hashes_are_those_of_any_process_and_machine() -> None:
    table = pd.DataFrame({"c": pd.Categorical(["ä", "b", None], categories=["z", "b", "ä"])})
    found = hashes(table, ["x", "y", "x"])
    wanted = [17217255676925549078, 10397876051559022114, 17024113005297826031]
    assert found.tolist() == wanted
    arrow = pa.table({"c": pa.array(["ä", "b", None]).dictionary_encode()})
    assert np.array_equal(hashes(arrow, ["x", "y", "x"]), found)


def test_the_sample_is_random_and_lacks_nothing(monkeypatch: Any) -> None:
    """It is the same for any seed and any order of joining; rare classes and categories join it."""
    monkeypatch.setattr("fastmlp.streams.some_rows._ROWS", 200)
    labels = np.where(np.arange(N) == 2999, "rare", "common")
    kinds = np.array(["a", "b"])[Y % 2].astype(object)
    kinds[1234] = "once"
    table = pd.DataFrame({"number": np.arange(N), "kind": pd.Categorical(kinds)})
    found = of_parts(table, labels, None, [1000, 2000])
    rows, targets, _ = found.sample
    assert len(rows) == 202
    assert set(rows["number"][-2:]) == {1234, 2999}
    assert set(targets) == {"rare", "common"}
    random = np.sort(rows["number"][:200])
    # Uniform: the largest distance to the line, by Kolmogorov and Smirnov, 1 in 1,000.
    assert np.abs(random / N - np.arange(200) / 200).max() < 1.95 / np.sqrt(200)
    parts = [slice(0, 1000), slice(1000, 2000), slice(2000, N)]
    one, two, three = (
        part_survey((table[p], labels[p], None), k, 0.0) for k, p in enumerate(parts)
    )
    other = joined([three, joined([two, one])])
    assert np.sort(other.sample[0]["number"]).tolist() == np.sort(rows["number"]).tolist()


@pytest.mark.parametrize("package", ["pandas", "polars", "pyarrow"])
def test_categories_of_parts_may_have_other_codes(package: str) -> None:
    frames = [
        pd.DataFrame({"c": pd.Categorical(values), "x": [0.5, 1.5]})
        for values in (["b", "a"], ["c", "b"])
    ]
    convert: Any = {
        "pandas": lambda frame: frame, "polars": pl.from_pandas, "pyarrow": pa.Table.from_pandas,
    }[package]  # fmt: skip
    parts = [part_survey((convert(f), [0, 1], None), k) for k, f in enumerate(frames)]
    features = open_features(joined(parts).sample[0])
    assert set(features.coded(0).present.values()) == {"a", "b", "c"}
    numbers, _ = features.numbers(np.float64, features.categories)
    assert numbers.ravel().tolist() == [0.5, 1.5, 0.5, 1.5]


def test_the_validation_rows_are_bounded(monkeypatch: Any) -> None:
    all_of_them = of_parts(X, Y, None, [1000], 0.5)
    monkeypatch.setattr("fastmlp.streams.some_rows._ROWS", 100)
    found = of_parts(X, Y, None, [1000], 0.5)
    assert found.n_held_out == all_of_them.n_held_out
    assert found.validation is not None
    assert len(found.validation[0]) == 100
    smallest = np.sort(hashes(X, Y))[:100]
    assert np.array_equal(np.sort(hashes(*found.validation[:2])), smallest)


def test_groups_of_an_array() -> None:
    rows = np.random.default_rng(0).normal(size=(40_000, 30))
    groups = ArrayGroups(rows, rows[:, 0])
    assert len(groups.sizes) > 9
    found = survey(groups, 0.1)
    assert found.labels is None
    assert found.training.rows + found.n_held_out == 40_000
    assert found.sample[0].shape == (found.training.rows, 30)


@pytest.mark.parametrize(
    ("parts", "fraction", "message"),
    [
        ([(X[:3], Y[:3], np.zeros(3))], 0.0, "sample_weight must have a weight > 0"),
        ([(X[:1], Y[:1], None)], 1e-9, "validation_fraction=1e-09 holds out 0 of 1 rows"),
        ([(X[:3], ["a", "b", "a"], None), (X[:2], [0, 1], None)], 0.0, "all numbers or all str"),
        ([(X[:3], Y[:3], None), (X[:1] * np.inf, Y[:1], None)], 0.0, r"group 1: X\[0, 0\] is inf"),
        ([(X[:3], Y[:2], None)], 0.0, "group 0: Y has 2 rows, but X has 3"),
        ([], 0.0, "at least one row"),
    ],
)
def test_unusable_rows(parts: Any, fraction: float, message: str) -> None:
    class Groups:
        def __init__(self) -> None:
            self.sizes = [len(part[0]) for part in parts]

        def read(self, number: int) -> Any:
            return parts[number]

    with pytest.raises((ValueError, TypeError), match=message):
        survey(Groups(), fraction)


def test_a_group_without_weight_is_left_out() -> None:
    weights = np.ones(6)
    weights[:3] = 0
    parts = [
        part_survey((X[p], Y[p], weights[p]), k) for k, p in enumerate([slice(0, 3), slice(3, 6)])
    ]
    found = joined(parts)
    assert found.training == (3, 3.0)
    assert np.array_equal(found.sample[0], X[3:6])
    assert training_rows(found.flags[0], 3).size == 0
    assert training_rows(found.flags[1], 3).tolist() == [0, 1, 2]


def test_labels_of_other_targets() -> None:
    assert part_survey((X, X[:, 0], None), 0).labels is None
    assert part_survey((X, np.eye(3)[Y], None), 0).labels == part_survey((X, Y, None), 0).labels
    many = np.arange(10_001)
    assert part_survey((many[:, None], many, None), 0).labels is None
    halves = [part_survey((many[p, None], many[p], None), k)
              for k, p in enumerate([slice(0, 6000), slice(6000, None)])]  # fmt: skip
    assert joined(halves).labels is None
