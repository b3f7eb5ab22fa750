"""The tables of the race of defaults: their lists follow from their names alone."""

import pytest

from asv_benchmarks.defaults import tables


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
