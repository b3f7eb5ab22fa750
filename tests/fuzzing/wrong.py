"""Arguments that are wrong in random ways: functions of a random generator and a good argument."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

from tests.helpers.basics import INF, NAN, Array


def with_value(value: Any) -> Callable[[Generator, Array], Array]:
    """One element is replaced."""

    def make(rng: Generator, good: Array) -> Array:
        kind: Any = object if isinstance(value, str | bytes | list) or value is None else None
        bad = np.array(good, kind or np.result_type(good.dtype, np.float64))
        bad[tuple(rng.integers(bad.shape))] = value
        return bad

    return make


def always(value: Any) -> Callable[[Generator, Any], Any]:
    return lambda rng, good: value


NOT_ARRAYS = {
    "None": always(None), "a dict": always({"a": 1}), "a set": always({1, 2}),
    "text": always("abc"), "bytes": always(b"abc"), "a function": always(len),
    "a class": always(int), "an object": always(object()),
    "a generator": lambda rng, good: iter(good),
    "a number": always(3.0), "a range of dates": lambda rng, good: good.astype("datetime64[s]"),
    "complex": lambda rng, good: good + 1j, "ragged": lambda rng, good: [[1, 2], [3]],
    "nothing": always([]), "deep": always([[[[1.0]]]]),
    "records": lambda rng, good: np.zeros(len(good), [("a", float), ("b", "U3")]),
}  # fmt: skip


def of_the_first(ways: dict[str, Callable[[Generator, Any], Any]]) -> dict[str, Any]:
    """For sequences of arrays: what is made of the first array takes the place of all."""
    return {
        k: lambda rng, good, way=way: way(rng, np.atleast_1d(good[0])) for k, way in ways.items()
    }


ROWS = {
    **NOT_ARRAYS,
    **{
        f"a value of {v}": with_value(v) for v in (NAN, INF, -INF, 1e39, -1e300, "text", b"b", None)
    },
    "no rows": lambda rng, good: good[:0],
    "no columns": lambda rng, good: good[:, :0],
    "one row": lambda rng, good: good[0],
    "a row less": lambda rng, good: good[1:],
    "a column less": lambda rng, good: good[:, 1:],
    "a column more": lambda rng, good: np.hstack([good, good]),
    "3-D": lambda rng, good: good[..., None],
    "text in all": lambda rng, good: good.astype(str),
    "objects": lambda rng, good: np.full(good.shape, object(), object),
    "durations": lambda rng, good: good.astype("timedelta64[s]"),
}
WRONG: dict[str, dict[str, Callable[[Generator, Any], Any]]] = {
    # The number of features is known, or not: what is good then is not tried.
    "first rows": {k: v for k, v in ROWS.items() if not k.startswith("a column")},
    "alone": {k: v for k, v in ROWS.items() if k != "a row less"},
    "rows": ROWS,
    "targets": {
        **NOT_ARRAYS,
        **{f"a value of {v}": with_value(v) for v in (NAN, INF, -INF, None, [])},
        "none": lambda rng, good: good[:0],
        "a row less": lambda rng, good: good[1:],
        "a row more": lambda rng, good: np.append(good, good[:1], axis=0),
        "3-D": lambda rng, good: good.reshape(len(good), 1, -1)[..., None],
    },
    "known targets": {
        "other labels": lambda rng, good: good + 1,
        "negative": lambda rng, good: -1 - good,
        "strings": lambda rng, good: good.astype(str),
        "columns": lambda rng, good: np.eye(7)[good % 7],
    },
    "weights": {
        **{k: v for k, v in NOT_ARRAYS.items() if k != "None"},
        **{f"a value of {v}": with_value(v) for v in (NAN, INF, -1.0, "text", None)},
        "a row less": lambda rng, good: good[1:],
        "two columns": lambda rng, good: np.stack([good, good], axis=1),
        "all 0": lambda rng, good: 0 * good,
    },
    "network": {
        **of_the_first(NOT_ARRAYS),
        "one less": lambda rng, good: good[:-1],
        "one more": lambda rng, good: [*good, good[-1]],
        "reversed": lambda rng, good: good[::-1],
        "a wrong one": lambda rng, good: _replaced(rng, good, _wrong_weights(rng)),
    },
    "classes": {
        **{k: v for k, v in of_the_first(NOT_ARRAYS).items() if k != "None"},
        "twice": lambda rng, good: [good[0], *good[:-1]],
        "reversed": lambda rng, good: good[::-1],
        "one less": lambda rng, good: good[:-1],
    },
    "pair": {
        **{k: v for k, v in of_the_first(NOT_ARRAYS).items() if k != "None"},
        "X alone": lambda rng, good: good[:1],
        "four": lambda rng, good: (*good, None, None),
        "bad rows": lambda rng, good: (_any(rng, "rows", good[0]), good[1]),
        "bad targets": lambda rng, good: (good[0], _any(rng, "targets", good[1])),
        "bad weights": lambda rng, good: (*good, _any(rng, "weights", np.ones(len(good[1])))),
    },
}  # fmt: skip


def _any(rng: Generator, kind: str, good: Any) -> Any:
    ways = list(WRONG[kind].values())
    return ways[rng.integers(len(ways))](rng, good)


def _wrong_weights(rng: Generator) -> Callable[[Any], Any]:
    ways: list[Callable[[Any], Any]] = [
        lambda array: array[1:], lambda array: array[None], lambda array: array + NAN,
        lambda array: array.astype(str), lambda array: None, lambda array: array * 1e300,
        lambda array: array.astype(complex), lambda array: "abc", lambda array: len,
    ]  # fmt: skip
    return ways[rng.integers(len(ways))]


def _replaced(rng: Generator, good: list[Any], change: Callable[[Any], Any]) -> list[Any]:
    index = rng.integers(len(good))
    with np.errstate(all="ignore"):
        return [change(a.astype(float)) if i == index else a for i, a in enumerate(good)]


# Values of a leaf of a state, or of a setting: of any type, most of them wrong.
ANYTHING: list[Any] = [
    None, True, False, 0, 1, -1, 2, 10**30, -(10**30), 0.5, -0.5, NAN, INF, 1e300, "", "abc",
    "auto", "relu", "adam", b"x", (), [], {}, {1}, [1, 2], (0.1, "a"), ("relu", "adam"), {"a": 1},
    [[]], object(), len, int, 1j, range(3), np.float32(2), np.zeros(0), np.zeros(3),
    np.zeros((2, 2), np.int8), np.array(["a"]), np.array([None]), np.array([NAN]),
]  # fmt: skip


def damaged(rng: Generator, part: Any) -> Any:
    """A copy of nested dicts and sequences in which one part is changed or removed."""
    keys = list(part) if isinstance(part, dict) else list(range(len(part) if _is_list(part) else 0))
    if not keys or rng.uniform() < 0.1:
        return _changed(rng, part)
    key = keys[rng.integers(len(keys))]
    items = dict(part) if isinstance(part, dict) else dict(enumerate(part))
    if rng.uniform() < 0.1:
        del items[key]
    else:
        items[key] = damaged(rng, items[key])
    return items if isinstance(part, dict) else type(part)(items.values())


def _is_list(part: Any) -> bool:
    return type(part) in (list, tuple)


def _changed(rng: Generator, part: Any) -> Any:
    anything = ANYTHING[rng.integers(len(ANYTHING))]
    if isinstance(part, np.ndarray):
        ways: list[Callable[[Any], Any]] = [
            lambda a: a[:-1], lambda a: a[..., None], lambda a: a.T, lambda a: a.astype(object),
            lambda a: a.astype(complex), lambda a: a[:0], lambda a: a.tolist(), lambda a: -a - 1,
            lambda a: a.astype(np.float16), lambda a: np.full(a.shape, NAN), lambda a: anything,
            lambda a: np.append(a, a), lambda a: a.astype(str), lambda a: a.astype(">f8"),
        ]  # fmt: skip
        return ways[rng.integers(len(ways))](part)
    if isinstance(part, int | float) and rng.uniform() < 0.7:
        return [part + 1, -part, 10 * part + 3, float(part), str(part), part / 2][rng.integers(6)]
    return anything
