"""Equality of all that two models hold, types included."""

from typing import Any

import numpy as np

from fastmlp import Ensemble, Trainer


def assert_same(one: Any, other: Any, place: str = "") -> None:
    """Fail, with the place, unless values are of the same types and equal bit for bit."""
    assert type(one) is type(other), (place, type(one), type(other))
    if isinstance(one, dict):
        assert list(one) == list(other), (place, list(one), list(other))
        for key in one:
            assert_same(one[key], other[key], f"{place}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), place
        for i, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{place}/{i}")
    elif isinstance(one, np.ndarray):
        assert (one.dtype, one.shape) == (other.dtype, other.shape), place
        if one.dtype == object:
            assert_same(one.tolist(), other.tolist(), place)
        else:
            assert one.tobytes() == other.tobytes(), place
    elif isinstance(one, Trainer) or hasattr(one, "get_params"):
        own = (
            [m.__getstate__() for m in (one, other)]
            if not isinstance(one, Ensemble)
            else [dict(vars(m)) for m in (one, other)]
        )
        assert_same(*own, place)
    elif isinstance(one, np.random.RandomState):
        assert_same(one.get_state(legacy=False), other.get_state(legacy=False), place)
    elif isinstance(one, float | np.floating):
        assert one == other or (one != one and other != other), (place, one, other)
    else:
        assert one == other, (place, one, other)
