"""The sets of the race: tables and the first sets as arrays, and splits of their rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..race.jobs import Array
from . import made, tables

TEST_PART = 0.25


@dataclass(frozen=True)
class Set:
    """A set: its kind, "classes" or "numbers", and the function that loads it."""

    name: str
    kind: str
    loader: Any

    def load(self) -> tuple[Any, Array]:
        """X, a DataFrame of unscaled numbers, and y: class indices, int64, or numbers, float64."""
        import pandas as pd

        X, y = self.loader()
        X = pd.DataFrame(X)
        if self.kind == "numbers":
            return X, np.asarray(y, np.float64)
        _, indices, counts = np.unique(
            np.asarray(y).astype(str), return_inverse=True, return_counts=True
        )
        kept = counts >= tables.MIN_CLASS_ROWS
        rows = kept[indices]
        return X[rows].reset_index(drop=True), (np.cumsum(kept) - 1)[indices[rows]]

    def split(self, seed: int) -> tuple[Array, Array, Array, Array]:
        """Training features and targets, then those to test on, as arrays of one type."""
        from sklearn.model_selection import train_test_split

        X, y = self.load()
        strata = y if self.kind == "classes" else None
        train, test = train_test_split(
            np.arange(len(y)), test_size=TEST_PART, random_state=seed, stratify=strata
        )
        values = X.to_numpy()
        return values[train], y[train], values[test], y[test]


def _of_tables(chosen: tuple[tables.Table, ...], kind: str) -> list[Set]:
    return [Set(table.name, kind, table.load) for table in chosen]


GROUPS: dict[str, list[Set]] = {
    "first": [
        *(Set(name, "classes", make) for name, make in made.CLASSES.items()),
        *(Set(name, "numbers", make) for name, make in made.NUMBERS.items()),
    ],
    "tune": _of_tables(tables.TUNE_CLASSES, "classes") + _of_tables(tables.TUNE_NUMBERS, "numbers"),
    "check": (
        _of_tables(tables.CHECK_CLASSES, "classes") + _of_tables(tables.CHECK_NUMBERS, "numbers")
    ),
    "held-back": (
        _of_tables(tables.HELD_BACK_CLASSES, "classes")
        + _of_tables(tables.HELD_BACK_NUMBERS, "numbers")
    ),
}
SETS = {each.name: each for group in GROUPS.values() for each in group}
