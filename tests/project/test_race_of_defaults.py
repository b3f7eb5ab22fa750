"""The race of defaults: its tables' lists follow from their names; how results are compared."""

import numpy as np
import pytest

from asv_benchmarks.defaults import tables
from asv_benchmarks.defaults.markdown import overview, table
from asv_benchmarks.defaults.results import Results, compare
from asv_benchmarks.defaults.sets import Set


@pytest.mark.parametrize(
    ("chosen", "remainders"),
    [(tables.TUNE, {0}), (tables.CHECK, {2}), (tables.HELD_BACK, {1, 3})],
    ids=["tune", "check", "held-back"],
)
def test_the_list_of_a_table_follows_from_its_name(chosen, remainders):
    assert {table.name for table in chosen if table.remainder not in remainders} == set()


def test_the_rule_is_that_of_the_crc32_of_the_item():
    # A known sum: a change of the rule would move tables that were held back.
    assert tables.Table("modeldata/attrition", "Attrition").remainder == 2
    assert tables.Table("modeldata/cells", "class").remainder == 0


def test_no_table_is_on_two_lists_nor_predicts_what_is_left_out():
    every = tables.TUNE + tables.CHECK + tables.HELD_BACK
    assert len({table.name for table in every}) == len(every)
    assert [table.name for table in every if table.target in table.leave_out] == []


@pytest.mark.parametrize("kind", ["CLASSES", "NUMBERS"])
def test_there_are_a_dozen_held_back_tables_of_each_kind(kind):
    assert len(getattr(tables, f"HELD_BACK_{kind}")) >= 12


def test_rare_classes_are_left_out_and_splits_cover_all_rows():
    y = np.array(["a"] * 40 + ["b"] * 7 + ["c"] * 20)
    chosen = Set("letters", "classes", lambda: (np.arange(67.0)[:, None], y))
    X, Y, X_test, Y_test = chosen.split(0)
    rows = np.concatenate([X, X_test])[:, 0]
    assert sorted(rows) == [*range(40), *range(47, 67)]
    np.testing.assert_array_equal(np.concatenate([Y, Y_test]), rows >= 47)
    assert (Y_test == 1).sum() == 5  # a quarter of each class


def record(system, name, split, score, seconds=1.0):
    times = {"fit_seconds": seconds, "predict_seconds": 0.0, "threads": 1, "versions": {"a": "1"}}
    times |= {"machine": "a machine", "date": f"2026-11-0{split + 1}"}
    found = {"failure": "ValueError()"} if score is None else {"score": score}
    return {"system": system, "set": name, "split": split} | times | found


@pytest.fixture
def results(tmp_path):
    """System b failed on a split of "hard"; c lacks a split of it."""
    found = Results(tmp_path / "results.jsonl")
    scores = {"easy": ([0.8, 0.9], [0.9, 0.8], [1, 1]), "hard": ([0.6, 0.7], [0.5, None], [1])}
    for name, rows in scores.items():
        for system, row in zip(("linear", "b", "c"), rows, strict=True):
            for split, score in enumerate(row):
                found.add(record(system, name, split, score))
    return found


def test_systems_are_compared_on_the_same_sets(results):
    sets = [Set(name, "classes", None) for name in ("easy", "hard", "not run")]
    systems = ["linear", "b", "c", "not run"]
    comparison = compare(results, "check", sets, "classes", systems, splits=2)
    assert comparison.systems == ["linear", "b"]
    assert comparison.sets == ["easy", "hard"]
    assert comparison.left_out == ["c"]
    np.testing.assert_allclose(comparison.means, [0.75, 0.55])  # a failed split counts as 0
    np.testing.assert_allclose(comparison.ranks, [1.25, 1.75])  # equal on "easy"
    np.testing.assert_allclose(comparison.behind_linear()[1], [0, 0.4], atol=1e-12)
    assert "1 failed splits" in table(comparison)
    assert "hard -0.400" in table(comparison)


def test_a_race_goes_on_from_its_file(results):
    again = Results(results._path)
    assert again.records == results.records
    assert again.missing("c", "hard", splits=2) == [1]
    again.add(record("b", "easy", 0, 0.1))  # run again: the last one counts
    assert Results(results._path).records["b", "easy", 0]["score"] == 0.1


def test_the_table_for_the_docs(results):
    sets = [Set(name, "classes", None) for name in ("easy", "hard")]
    found = [compare(results, "check", sets, "classes", ["linear", "lightgbm"], splits=2)]
    assert found[0].systems == ["linear"]
    for name in ("easy", "hard"):
        for split in range(2):
            results.add(record("lightgbm", name, split, 0.651239, 12.0))
    found = [compare(results, "check", sets, "classes", ["linear", "lightgbm"], splits=2)]
    assert overview(found).splitlines() == [
        "| | accuracy, 2 tables | mean rank | CPU seconds | tables over 0.02 below linear |",
        "|---|--:|--:|--:|--:|",
        "| linear model | **0.750** | **1.5** | 2.0 | 0 |",
        "| LightGBM | 0.651 | **1.5** | 24 | 1 |",
    ]
    assert results.about(found) == ("a machine, 1 thread, 2026-11-02", "a 1")


def test_short_results_give_the_same_tables(results, tmp_path):
    sets = [Set(name, "classes", None) for name in ("easy", "hard")]
    results.write(tmp_path / "short.jsonl", sets[:1])
    short = Results(tmp_path / "short.jsonl")
    assert short.records == {key: r for key, r in results.records.items() if key[1] == "easy"}
    size = (tmp_path / "short.jsonl").stat().st_size
    assert size < 0.6 * results._path.stat().st_size
