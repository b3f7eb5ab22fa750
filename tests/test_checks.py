"""Dataclasses whose fields are checked when made."""

import pickle
from dataclasses import FrozenInstanceError, dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from fastmlp import checks as checked
from fastmlp.checks import COUNT, FLAG, RATE, Checked, one_of


@dataclass(frozen=True)
class Pace(Checked):
    """Of every kind a field."""

    steps: int = field(default=3, metadata=COUNT)
    size: float = field(default=0.5, metadata=RATE)
    gently: bool = field(default=False, metadata=FLAG)
    where: str = field(default="up", metadata=one_of(("up", "down")))
    note: Any = None


def test_values_are_stored_as_plain_types() -> None:
    pace = Pace(np.int64(4), np.float32(0.25), np.True_, where=str(np.str_("down")))
    assert pace == Pace(4, 0.25, True, "down")
    assert repr(pace) == "Pace(steps=4, size=0.25, gently=True, where='down', note=None)"
    stored = (type(pace.steps), type(pace.size), type(pace.gently))
    assert stored == (int, float, bool)
    assert Pace(size=Fraction(1, 2)) == Pace(size=0.5)
    assert pickle.loads(pickle.dumps(pace)) == pace
    assert len({pace, Pace(4, 0.25, True, "down")}) == 1
    with pytest.raises(FrozenInstanceError):
        pace.steps = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("steps", 0, ValueError, "steps of Pace must be an integer >= 1; got 0"),
        ("steps", 1.0, TypeError, "steps of Pace must be an integer >= 1; got 1.0"),
        ("steps", True, TypeError, "steps of Pace must be an integer >= 1; got True"),
        ("size", "1", TypeError, "size of Pace must be a finite number > 0; got '1'"),
        ("size", float("nan"), ValueError, "size of Pace must be a finite number > 0; got nan"),
        ("size", 10**400, ValueError, "size of Pace must be a finite number > 0; got 10"),
        ("gently", 1, TypeError, "gently of Pace must be True or False; got 1"),
        ("where", "left", ValueError, "where of Pace must be one of 'up', 'down'; got 'left'"),
        ("where", None, TypeError, "where of Pace must be one of 'up', 'down'; got None"),
    ],
)
def test_errors(name: str, value: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=f"^{message}"):
        Pace(**{name: value})


# What each check takes, and what it does not.
BOUNDS: dict[str, tuple[list[Any], list[Any]]] = {
    "COUNT": ([1, 10**30], [0, -1, 1.5, None]),
    "WHOLE": ([0, 5], [-1, 0.0, True]),
    "RATE": ([1e-300, 2], [0, -1, float("inf"), float("nan"), "1"]),
    "NOT_NEGATIVE": ([0, 1e300], [-1e-300, float("inf"), float("nan"), False]),
    "FRACTION": ([0, 0.999], [1, -0.1, float("nan")]),
    "RATIO": ([0, 1], [1.001, -0.1, float("nan")]),
    "POSITIVE_RATIO": ([1e-9, 1], [0, 1.001, float("nan")]),
    "MONITOR": (["auto", "val_loss"], ["", 1, None]),
    "PATH": (["a.csv", "b/c"], ["", "a\0b", b"a", 1, None]),
    "FLAG": ([True, np.False_], [0, 1, None]),
}


def test_every_check_is_tried() -> None:
    assert set(BOUNDS) == {name for name in vars(checked) if name.isupper()}


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds(name: str) -> None:
    check = getattr(checked, name)["check"]
    right, wrong = BOUNDS[name]
    for value in right:
        assert check("x", value) == value
    for value in wrong:
        with pytest.raises((TypeError, ValueError), match=r"^x must be "):
            check("x", value)
