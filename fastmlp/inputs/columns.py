"""What is learned of the columns of a table: categories, and what fills gaps among numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import Features, Key, blocks, shown, some

Array = npt.NDArray[Any]
Numbers = npt.NDArray[np.float64]

# More columns of 0 and 1 than this are an error.
MOST_CATEGORIES = 2000


@dataclass(frozen=True, eq=False)
class Columns:
    """How rows as they are given become rows of numbers.

    The columns of numbers come first, then, for each column of categories, one of 0 and 1 for each
    of them, then one of 0 and 1 for each column of numbers with gaps, which tells where they are.

    Parameters
    ----------
    n_given : int
        Columns of the rows as they are given.
    categories : dict of int to tuple
        For the columns of categories, those that have a column each.
    medians : array, optional
        What fills gaps, of each column of numbers; None where they are an error.
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

    def encoded(self, features: Features, dtype: npt.DTypeLike | None) -> Array:
        """Rows of numbers, C-contiguous.

        An array without gaps itself or a view of it where nothing has to be done, see
        :meth:`Features.numbers`. A category that is missing or unknown has no 1.

        Raises
        ------
        TypeError, ValueError
            If columns are of another kind than those that were learned, or for gaps that are not
            filled.
        """
        if self.categories and features.table is None:
            raise TypeError(
                f"{features.name} must be a table, as columns {some(list(self.categories))} are "
                "categories; got an array"
            )
        room = self.n_inputs - self.n_numbers
        rows, has_gaps = features.numbers(dtype, self.categories, room)
        return self.completed(rows, features, has_gaps)

    def completed(self, rows: Array, features: Features, has_gaps: bool) -> Array:
        """The same, of numbers that have been read."""
        count = self.n_numbers
        if has_gaps and self.medians is None:
            raise features.missing(rows[:, :count], self.categories)
        if count == self.n_inputs and not has_gaps:
            return rows
        if rows.shape[1] < self.n_inputs:  # no room yet for what tells of gaps
            wider = np.zeros((len(rows), self.n_inputs), rows.dtype)
            wider[:, : rows.shape[1]] = rows
            rows = wider
        elif features.shares_memory(rows):
            rows = rows.copy()
        codes = self._codes(features)
        for part in blocks(*rows.shape):
            block = rows[part]
            starts = np.arange(0, block.size, rows.shape[1])
            for column, places, values in codes:
                of_rows = column[part]
                # Everything else there is 0, so that a row without a 1 gets another 0.
                block.reshape(-1)[starts + places.take(of_rows)] = values.take(of_rows)
            if has_gaps:
                self._fill(block)
        return rows

    def _codes(self, features: Features) -> list[tuple[Array, Array, Array]]:
        """For each column of categories the codes of the rows; and for each code, of which the last
        stands for what is missing, where in a row its category is, and 1, or 0 for none."""
        first, codes = self.n_numbers, []
        for j, keys in self.categories.items():
            if not keys:
                continue
            coded = features.coded(j)
            present = coded.present()
            _check_kind(features, j, keys, list(present.values()))
            known = {key: first + k for k, key in enumerate(keys)}
            places = np.full(int(coded.codes.max()) + 2, first)
            values = np.zeros(len(places), np.int8)
            for code, key in present.items():
                if key in known:
                    places[code], values[code] = known[key], 1
            codes.append((coded.codes, places, values))
            first += len(keys)
        return codes

    def _fill(self, block: Array) -> None:
        numbers = block[:, : self.n_numbers]
        gaps = np.isnan(numbers)
        assert self.medians is not None
        np.copyto(numbers, self.medians, where=gaps, casting="same_kind")
        block[:, self.n_inputs - len(self.gaps) :] = gaps[:, self.gaps]


def _check_kind(features: Features, j: int, known: Sequence[Key], got: Sequence[Key]) -> None:
    """A TypeError where texts stand for what were numbers, or numbers for what were texts."""
    kinds = [{isinstance(key, str) for key in keys} for keys in (known, got)]
    if known and got and kinds[0].isdisjoint(kinds[1]):
        raise TypeError(
            f"{features.called(j)} must hold categories such as {shown(known[0])}, as at the fit; "
            f"got {shown(got[0])}"
        )


def learn_columns(
    features: Features,
    train: slice | Array,
    weights: Numbers | None,
    dtype: npt.DTypeLike | None,
    missing: str,
) -> tuple[Columns, Array]:
    """What is learned of the columns, and all rows as numbers.

    Parameters
    ----------
    features : Features
    train : slice or array of int
        The training rows: of these categories and medians are learned.
    weights : array, optional
        Of the training rows; one of weight k counts as k rows.
    dtype : dtype, optional
        Of the rows of numbers, see :meth:`Features.numbers`.
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
        return columns, columns.encoded(features, dtype)
    rows, has_gaps = features.numbers(dtype, categories, columns.n_inputs - columns.n_numbers)
    medians, gaps = np.zeros(columns.n_numbers), []
    for k in range(columns.n_numbers):
        medians[k], found = _median(rows[train, k], weights)
        gaps += [k] * found
    columns = Columns(columns.n_given, categories, medians, tuple(gaps))
    return columns, columns.completed(rows, features, has_gaps)


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
    """The median of what there is, 0 if there is nothing, and whether there are gaps."""
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
