"""What several test modules share, and which cases of a grid the default run takes."""

import sys
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pytest

# They import modules of POSIX.
collect_ignore = (
    ["fitting/test_progress.py", "streams/test_file_groups.py"] if sys.platform == "win32" else []
)


@pytest.fixture(params=["float32", "float64"], scope="module")
def dtype(request: pytest.FixtureRequest) -> Any:
    return np.dtype(request.param)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--times", type=int, default=1, help="factor of the trials of repeated tests")


@pytest.fixture(scope="session")
def times(pytestconfig: pytest.Config) -> int:
    """Factor of the number of random trials, in tests marked ``repeated``."""
    return int(pytestconfig.getoption("--times"))


# A list of cases as long as this may hold one of each kind: all of them are taken.
SMALL_GRID = 24

COLLECTED = pytest.StashKey[list[pytest.Item]]()


@pytest.hookimpl(tryfirst=True)  # before the option -m selects
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark as full what the default run leaves out of a grid of parameters.

    Every two values of the parameters that meet in the grid meet in the cases that are kept; of
    costly cases the first is kept.
    """
    config.stash[COLLECTED] = items[:]
    grids: dict[Any, list[Any]] = defaultdict(list)
    for item in items:
        if hasattr(item, "callspec") and not item.get_closest_marker("full"):
            grids[item.parent, item.originalname].append(item)
    for cases in grids.values():
        costly = [case for case in cases if case.get_closest_marker("costly")]
        others = [case for case in cases if not case.get_closest_marker("costly")]
        taken = {*costly[:1], *(others if len(others) <= SMALL_GRID else cover(others))}
        for case in cases:
            if case not in taken:
                case.add_marker(pytest.mark.full)


def cover(cases: list[Any]) -> Iterator[Any]:
    """Cases in which all pairs of values meet, greedily those with most new pairs."""
    values = [[(name, id(value)) for name, value in case.callspec.params.items()] for case in cases]
    pairs = [set(combinations(of_case, min(2, len(of_case)))) for of_case in values]
    left = set().union(*pairs)
    while left:
        gains = [len(of_case & left) for of_case in pairs]
        best = gains.index(max(gains))
        yield cases[best]
        left -= pairs[best]
