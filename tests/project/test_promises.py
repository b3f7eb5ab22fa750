"""docs/background/promises.md names tests that exist and are run."""

import importlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.helpers.processes import ROOT

PAGE = (ROOT / "docs" / "background" / "promises.md").read_text(encoding="utf-8")
PROMISES, _, ACCEPTANCE = PAGE.partition("\n## The acceptance tests\n")
NAMED = re.compile(r"`([\w/]+)\.py::(test_\w+)`")
ROWS = {int(number): row for number, row in re.findall(r"^\| (\d+) (\|.*)$", ACCEPTANCE, re.M)}
REPEATED, ON_ALL_LAYERS = (11, 14, 19, 22, 23), (12, 13, 14, 15, 18)


def marks(path: str, name: str) -> Iterator[Any]:
    """Marks of a test, those of its module included."""
    module = importlib.import_module("tests." + path.replace("/", "."))
    shared = getattr(module, "pytestmark", [])
    yield from shared if isinstance(shared, list) else [shared]
    yield from getattr(getattr(module, name), "pytestmark", [])


@pytest.mark.parametrize("test", sorted(set(NAMED.findall(PAGE))), ids="::".join)
def test_tests_exist(test: tuple[str, str]) -> None:
    assert all(mark.name != "skip" for mark in marks(*test))


@pytest.mark.parametrize("promise", re.findall(r"^- (.*?)(?=^-|^$|\Z)", PROMISES, re.M | re.S))
def test_promises_name_tests(promise: str) -> None:
    assert NAMED.search(promise) or promise.startswith("A minor release may change")


def test_acceptance_tests() -> None:
    assert list(ROWS) == list(range(1, 25))
    for number, row in ROWS.items():
        tests = NAMED.findall(row)
        assert tests, f"{number} has no test"
        found = [mark for test in tests for mark in marks(*test)]
        names = {mark.name for mark in found}
        layers = any("layer" in mark.args[0] for mark in found if mark.name == "parametrize")
        assert number not in REPEATED or "repeated" in names, f"{number} is not repeated"
        assert number not in ON_ALL_LAYERS or "threading" in names or layers, number
