"""Columns of a table to columns of numbers: one-hot categories, and medians for gaps."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cached import cached_property
from ..data import Array, ArrayFeatures, Features, Key, Numbers, Rows, blocks, shown, some
from ..fit_warning import warn

# Of more one-hot columns than this, only the ones are kept: rows become sparse. Below, dense rows
# are read by faster kernels, and take little memory.
MOST_DENSE = 2000


@dataclass(frozen=True, eq=False)
class Columns:
    """Encoding of the columns of a table as columns of numbers.

    First the columns of numbers, then the one-hot columns of each column of categories, then, for
    each column of numbers with gaps in training, a 0/1 column that marks them. Where there are many
    one-hot columns, :func:`.sparse_columns.sparse_rows` adds them.

    Parameters
    ----------
    n_given : int
        Number of columns as given.
    categories : dict of int to tuple
        The categories of each column of categories.
    medians : array, optional
        Values that fill the gaps of each column of numbers; None if gaps are an error.
    gaps : tuple of int
        Columns of numbers with gaps in training, counted among columns of numbers.
    """

    n_given: int
    categories: dict[int, tuple[Key, ...]] = field(default_factory=dict)
    medians: Numbers | None = None
    gaps: tuple[int, ...] = ()
    # Columns of categories of which :meth:`warn_of_unknown` has warned; not in copies and pickles.
    _reported: set[int] = field(default_factory=set, init=False, repr=False)

    @cached_property
    def n_numbers(self) -> int:
        """Number of given columns of numbers."""
        return self.n_given - len(self.categories)

    @cached_property
    def n_inputs(self) -> int:
        """Number of encoded columns."""
        return self.n_numbers + self.n_one_hot + len(self.gaps)

    @cached_property
    def n_one_hot(self) -> int:
        """Number of one-hot columns."""
        return sum(map(len, self.categories.values()))

    @cached_property
    def are_sparse(self) -> bool:
        """Whether rows become sparse, as there are many one-hot columns."""
        return self.n_one_hot > MOST_DENSE

    @cached_property
    def n_dense(self) -> int:
        """Number of columns that :meth:`encode` makes: without the one-hot ones of sparse rows."""
        return self.n_inputs - self.n_one_hot * self.are_sparse

    @cached_property
    def n_scaled(self) -> int:
        """Number of encoded columns to which scaling applies: for sparse rows those of numbers."""
        return self.n_numbers if self.are_sparse else self.n_inputs

    @cached_property
    def places(self) -> dict[int, dict[Key, int]]:
        """For each column of categories, the one-hot column of each category."""
        places, first = {}, self.n_numbers
        for j, keys in self.categories.items():
            places[j] = dict(zip(keys, range(first, first + len(keys)), strict=True))
            first += len(keys)
        return places

    @property
    def origins(self) -> list[int]:
        """The given column of each column that :meth:`encode` makes."""
        numbers = [j for j in range(self.n_given) if j not in self.categories]
        one_hot = [j for j, keys in self.categories.items() for _ in keys if not self.are_sparse]
        return numbers + one_hot + [numbers[k] for k in self.gaps]

    def plain(self) -> dict[str, Any]:
        """The columns as plain arrays and values."""
        return {
            "n_given": self.n_given,
            "categories": [[j, list(keys)] for j, keys in self.categories.items()],
            "medians": self.medians,
            "gaps": list(self.gaps),
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Columns":
        """The columns restored from :meth:`plain`; raises some exception for anything else."""
        categories = {int(j): tuple(keys) for j, keys in plain["categories"]}
        gaps = tuple(map(int, plain["gaps"]))
        medians = plain["medians"]
        columns = cls(int(plain["n_given"]), categories, medians, gaps)
        if columns.n_given < 1 or not all(0 <= j < columns.n_given for j in categories):
            raise ValueError(f"{columns.n_given} columns, of which {list(categories)} are special")
        if not all(isinstance(key, Key) for keys in categories.values() for key in keys):
            raise ValueError("categories must be numbers or strings")
        if medians is None and not gaps:
            return columns
        medians = np.array(medians, np.float64)
        if medians.shape != (columns.n_numbers,) or not np.isfinite(medians).all():
            raise ValueError(f"medians {medians} of {columns.n_numbers} columns of numbers")
        if len(set(gaps)) < len(gaps) or not all(0 <= j < columns.n_numbers for j in gaps):
            raise ValueError(f"gaps {gaps} in {columns.n_numbers} columns of numbers")
        return cls(columns.n_given, categories, medians, gaps)

    def encode(self, features: Features, dtype: npt.DTypeLike | None) -> Array:
        """Encode rows as numbers, C-contiguous; without the one-hot columns of sparse rows.

        Returns the data or a view of them where nothing changes, see :meth:`ArrayFeatures.numbers`.
        A missing or unknown category becomes zeros.

        Raises
        ------
        TypeError, ValueError
            If a column is of another kind than in training, or for gaps that are not filled.
        """
        if self.categories and isinstance(features, ArrayFeatures):
            raise TypeError(
                f"{features.name} must be a table, as columns {some(list(self.categories))} are "
                "categories; got an array"
            )
        room = self.n_dense - self.n_numbers
        rows, has_gaps = features.numbers(dtype, self.categories, room)
        return self.complete(rows, features, has_gaps)

    def complete(self, rows: Array, features: Features, has_gaps: bool) -> Array:
        """Encode rows whose columns of numbers have been read: fill gaps, add one-hot columns."""
        count = self.n_numbers
        if has_gaps and self.medians is None:
            raise features.missing(rows[:, :count], self.categories)
        if count == self.n_dense and not has_gaps:
            return rows
        if rows.shape[1] < self.n_dense:  # no room yet for the columns of gaps
            wider = np.zeros((len(rows), self.n_dense), rows.dtype)
            wider[:, : rows.shape[1]] = rows
            rows = wider
        elif features.shares_memory(rows):
            rows = rows.copy()
        codes = [] if self.are_sparse else self.codes(features)
        for part in blocks(*rows.shape):
            block = rows[part]
            starts = np.arange(0, block.size, rows.shape[1])
            for codes_of_rows, positions, values in codes:
                own = codes_of_rows[part]
                # The other columns are 0 already; for no category, one more 0 is written.
                block.reshape(-1)[starts + positions.take(own)] = values.take(own)
            if has_gaps:
                self._fill(block)
        return rows

    def codes(self, features: Features) -> list[tuple[Array, Array, Array]]:
        """For each column of categories three arrays: the code of each row; the one-hot column of
        each code, the last one for missing values; and 1 for each known code, 0 for others."""
        codes = []
        for j, places in self.places.items():
            if not places:
                continue
            coded = features.coded(j)
            present = coded.present
            found = np.fromiter(
                map(places.get, present.values(), repeat(-1)), np.intp, len(present)
            )
            if not (found >= 0).any():  # else some are of the right kind
                _check_kind(features, j, self.categories[j], list(present.values()))
            positions = np.full(int(coded.codes.max()) + 2, -1)
            positions[np.fromiter(present, np.intp, len(present))] = found
            known = (positions >= 0).astype(np.int8)
            positions[known == 0] = next(iter(places.values()))
            codes.append((coded.codes, positions, known))
        return codes

    def warn_of_unknown(self, features: Features, rows: Rows | None = None) -> None:
        """Warn of categories of some or all rows that no training row had, once for each column."""
        for j in sorted(self.categories.keys() - self._reported):
            known = self.places[j]
            coded = features.coded(j)
            present = coded.present if rows is None else coded.present_in(rows)
            if unknown := [key for key in present.values() if key not in known]:
                warn(
                    f"{features.called(j)} holds {some(unknown)}, which no training row had: a "
                    "category unknown to the network is encoded as zeros; for each column this is "
                    "said once",
                    UserWarning,
                )
                self._reported.add(j)

    def _fill(self, block: Array) -> None:
        numbers = block[:, : self.n_numbers]
        gaps = np.isnan(numbers)
        assert self.medians is not None
        np.copyto(numbers, self.medians, where=gaps, casting="same_kind")
        block[:, self.n_dense - len(self.gaps) :] = gaps[:, self.gaps]


def _check_kind(features: Features, j: int, known: Sequence[Key], got: Sequence[Key]) -> None:
    """Raise a TypeError if categories were numbers in training and are strings now, or reverse."""
    kinds = [{isinstance(key, str) for key in keys} for keys in (known, got)]
    if known and got and kinds[0].isdisjoint(kinds[1]):
        raise TypeError(
            f"{features.called(j)} must hold categories such as {shown(known[0])}, as at the fit; "
            f"got {shown(got[0])}"
        )
