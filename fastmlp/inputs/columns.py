"""Columns of a table -> columns of numbers: categories, and medians that fill gaps."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import Array, ArrayFeatures, Features, Key, Numbers, Rows, blocks, shown, some

# More columns of 0 and 1 than this are an error.
MOST_CATEGORIES = 2000


@dataclass(frozen=True, eq=False)
class Columns:
    """How rows as they are given become rows of numbers.

    The columns of numbers come first, then, for each column of categories, one of 0 and 1 for each
    of them, then one of 0 and 1 for each column of numbers with gaps, 1 where one is.

    Parameters
    ----------
    n_given : int
        Columns of the rows as they are given.
    categories : dict of int to tuple
        For each column of categories, the categories that become columns.
    medians : array, optional
        They fill the gaps of each column of numbers; None where gaps are an error.
    gaps : tuple of int
        Which columns of numbers, counted without others, had gaps.
    """

    n_given: int
    categories: dict[int, tuple[Key, ...]] = field(default_factory=dict)
    medians: Numbers | None = None
    gaps: tuple[int, ...] = ()

    @cached_property
    def n_numbers(self) -> int:
        """Columns of numbers, as they are given."""
        return self.n_given - len(self.categories)

    @cached_property
    def n_inputs(self) -> int:
        """Columns of the rows of numbers."""
        return self.n_numbers + sum(map(len, self.categories.values())) + len(self.gaps)

    def plain(self) -> dict[str, Any]:
        """Plain arrays and values."""
        return {
            "n_given": self.n_given,
            "categories": [[j, list(keys)] for j, keys in self.categories.items()],
            "medians": self.medians,
            "gaps": list(self.gaps),
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Columns":
        """The columns that gave :meth:`plain`; an exception of some kind for anything else."""
        categories = {int(j): tuple(keys) for j, keys in plain["categories"]}
        gaps = tuple(map(int, plain["gaps"]))
        medians = plain["medians"]
        columns = cls(int(plain["n_given"]), categories, medians, gaps)
        if not set(categories) <= set(range(columns.n_given)):
            raise ValueError(f"{columns.n_given} columns, of which {list(categories)} are special")
        if not all(isinstance(key, Key) for keys in categories.values() for key in keys):
            raise ValueError("categories must be numbers or strings")
        if medians is None and not gaps:
            return columns
        medians = np.array(medians, np.float64)
        if medians.shape != (columns.n_numbers,) or not np.isfinite(medians).all():
            raise ValueError(f"medians {medians} of {columns.n_numbers} columns of numbers")
        if not set(gaps) <= set(range(columns.n_numbers)):
            raise ValueError(f"gaps {gaps} in {columns.n_numbers} columns of numbers")
        return cls(columns.n_given, categories, medians, gaps)

    def encode(self, features: Features, dtype: npt.DTypeLike | None) -> Array:
        """Rows of numbers, C-contiguous.

        An array without gaps itself or a view of it where nothing has to be done, see
        :meth:`ArrayFeatures.numbers`. A category that is missing or unknown has no 1.

        Raises
        ------
        TypeError, ValueError
            If columns are of another kind than those that were learned, or for gaps that are not
            filled.
        """
        if self.categories and isinstance(features, ArrayFeatures):
            raise TypeError(
                f"{features.name} must be a table, as columns {some(list(self.categories))} are "
                "categories; got an array"
            )
        room = self.n_inputs - self.n_numbers
        rows, has_gaps = features.numbers(dtype, self.categories, room)
        return self.complete(rows, features, has_gaps)

    def complete(self, rows: Array, features: Features, has_gaps: bool) -> Array:
        """Rows of numbers, from the columns of numbers that have been read."""
        count = self.n_numbers
        if has_gaps and self.medians is None:
            raise features.missing(rows[:, :count], self.categories)
        if count == self.n_inputs and not has_gaps:
            return rows
        if rows.shape[1] < self.n_inputs:  # no room yet for the columns of gaps
            wider = np.zeros((len(rows), self.n_inputs), rows.dtype)
            wider[:, : rows.shape[1]] = rows
            rows = wider
        elif features.shares_memory(rows):
            rows = rows.copy()
        codes = self._codes(features)
        for part in blocks(*rows.shape):
            block = rows[part]
            starts = np.arange(0, block.size, rows.shape[1])
            for codes_of_rows, positions, values in codes:
                own = codes_of_rows[part]
                # Everything else there is 0, so that a row without a 1 gets another 0.
                block.reshape(-1)[starts + positions.take(own)] = values.take(own)
            if has_gaps:
                self._fill(block)
        return rows

    def _codes(self, features: Features) -> list[tuple[Array, Array, Array]]:
        """For each column of categories three arrays: the codes of the rows; the column of each
        code, the last one standing for missing values; and 1 for each code, or 0 for an unknown
        one."""
        first, codes = self.n_numbers, []
        for j, keys in self.categories.items():
            if not keys:
                continue
            coded = features.coded(j)
            present = coded.present()
            _check_kind(features, j, keys, list(present.values()))
            known = {key: first + k for k, key in enumerate(keys)}
            positions = np.full(int(coded.codes.max()) + 2, first)
            values = np.zeros(len(positions), np.int8)
            for code, key in present.items():
                if key in known:
                    positions[code], values[code] = known[key], 1
            codes.append((coded.codes, positions, values))
            first += len(keys)
        return codes

    def _fill(self, block: Array) -> None:
        numbers = block[:, : self.n_numbers]
        gaps = np.isnan(numbers)
        assert self.medians is not None
        np.copyto(numbers, self.medians, where=gaps, casting="same_kind")
        block[:, self.n_inputs - len(self.gaps) :] = gaps[:, self.gaps]


def _check_kind(features: Features, j: int, known: Sequence[Key], got: Sequence[Key]) -> None:
    """A TypeError where categories were numbers and are texts now, or the reverse."""
    kinds = [{isinstance(key, str) for key in keys} for keys in (known, got)]
    if known and got and kinds[0].isdisjoint(kinds[1]):
        raise TypeError(
            f"{features.called(j)} must hold categories such as {shown(known[0])}, as at the fit; "
            f"got {shown(got[0])}"
        )


def learn_columns(
    features: Features,
    train: Rows,
    weights: Numbers | None,
    dtype: npt.DTypeLike | None,
    missing: str,
) -> tuple[Columns, Array]:
    """Learn categories and medians from the training rows; returns all rows as numbers, too.

    Parameters
    ----------
    features : Features
    train : slice or array of int
        The training rows.
    weights : array, optional
        Of the training rows; one of weight k counts as k rows.
    dtype : dtype, optional
        Of the rows of numbers, see :meth:`Table.numbers`.
    missing : {"error", "impute"}

    Raises
    ------
    TypeError, ValueError
        For columns that hold neither numbers nor categories, too many categories, or gaps that are
        an error.
    """
    categories = {
        j: tuple(dict.fromkeys(features.coded(j).present(train).values()))
        for j in features.categories
    }
    columns = Columns(features.shape[1], categories)
    _check_count(columns, features)
    if missing == "error":
        return columns, columns.encode(features, dtype)
    rows, has_gaps = features.numbers(dtype, categories, columns.n_inputs - columns.n_numbers)
    medians, gaps = np.zeros(columns.n_numbers), []
    for k in range(columns.n_numbers):
        medians[k], found = _median(rows[train, k], weights)
        gaps += [k] * found
    columns = Columns(columns.n_given, categories, medians, tuple(gaps))
    return columns, columns.complete(rows, features, has_gaps)


def _check_count(columns: Columns, features: Features) -> None:
    counts = {j: len(keys) for j, keys in columns.categories.items()}
    total = sum(counts.values())
    if total > MOST_CATEGORIES:
        most = max(counts, key=counts.__getitem__)
        raise ValueError(
            f"{features.name} must have at most {MOST_CATEGORIES} categories in all columns, each "
            f"of which becomes a column of 0 and 1; got {total}, most of them, {counts[most]}, in "
            f"{features.called(most)}: put rare ones together, or leave that column out"
        )
    if columns.n_inputs == 0:
        raise ValueError(f"{features.name} must have some categories; got columns of gaps alone")


def _median(column: Array, weights: Numbers | None) -> tuple[float, bool]:
    """The median of a column without its gaps, 0 if nothing is left, and whether there are gaps."""
    gaps = np.isnan(column)
    has_gaps = bool(gaps.any())
    if has_gaps:
        column = column[~gaps]
        weights = None if weights is None else weights[~gaps]
    if len(column) == 0:
        return 0.0, has_gaps
    if weights is None:
        return float(np.median(column.astype(np.float64))), has_gaps
    order = np.argsort(column, kind="stable")
    sums = np.cumsum(weights[order])
    middle = [np.searchsorted(sums, sums[-1] / 2, side) for side in ("left", "right")]
    return float(column[order[middle]].mean(dtype=np.float64)), has_gaps
