"""Targets and sample weights as given, read once.

:class:`RawTargets` converts them for a loss: to indices or probabilities of classes, labels of 0
and 1, or numbers.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cached import cached_property
from .arrays import LABELS, NUMBERS, Array, Numbers, Rows, as_array, finite, first_index
from .messages import missing_label, some
from .pandas_polars_arrow import column_values, open_table

# Probabilities of 10 to 10,000 classes computed in float32 sum to 1 within 3e-7; in float16, which
# is too coarse, within 3e-4.
_SUM_TOLERANCE = 1e-5

Flags = npt.NDArray[np.bool_]
Samples = tuple[Any, Any, Any]


@dataclass(frozen=True, eq=False)
class RawTargets:
    """Targets as given, without the rows of weight 0.

    Parameters
    ----------
    values : array of shape (n,), or (n, columns) with 2 or more columns
        Finite numbers, booleans, or, in one column only, strings.
    weights : array of shape (n,), optional
        Sample weights, > 0, of which the largest is from 1 to 2.
    unit : float
        Their unit, a power of 2.
    kept : slice or array of int
        Their rows in X.
    name : str
        Their name in messages.
    """

    values: Array
    weights: Numbers | None = None
    unit: float = 1.0
    kept: Rows = field(default_factory=lambda: slice(None))
    name: str = "Y"

    def __len__(self) -> int:
        return len(self.values)

    def rows_in_x(self, rows: Rows) -> Rows:
        """Numbers in X of some of these rows."""
        return rows if isinstance(self.kept, slice) else self.kept[rows]

    def weights_of(self, rows: Rows) -> Numbers | None:
        """Sample weights of some rows."""
        return None if self.weights is None else self.weights[rows]

    @property
    def is_flat(self) -> bool:
        """Whether targets are 1-D, one for each row."""
        return self.values.ndim == 1

    @cached_property
    def are_whole(self) -> bool:
        """Whether targets may be classes: no number has a fractional part."""
        return self.values.dtype.kind != "f" or bool((self.values == np.trunc(self.values)).all())

    @cached_property
    def is_one_hot(self) -> bool:
        """Whether each row has one 1 and zeros."""
        return not self.is_flat and bool(self._one_hot_rows.all())

    @cached_property
    def are_zeros_and_ones(self) -> bool:
        """Whether all values are 0 or 1."""
        return bool(self._zero_one_rows.all())

    @cached_property
    def distinct(self) -> Array:
        """The distinct values of a single column, sorted."""
        return np.unique(self.values)

    @property
    def classes(self) -> Array:
        """The classes that occur: the distinct labels, or 0, 1, ... for columns.

        Raises
        ------
        ValueError
            If labels are fractional numbers, or there are fewer than 2.
        """
        if not self.is_flat:
            return np.arange(self.values.shape[1])
        self._check_whole()
        if len(self.distinct) < 2:
            raise ValueError(
                f"{self.name} holds one class only, {some(self.distinct)}: at least 2 are needed"
            )
        return self.distinct

    def class_indices(self, classes: Array) -> npt.NDArray[np.int32]:
        """Return the index of each row's class, from labels or one-hot rows.

        Raises
        ------
        ValueError
            If a label is a fractional number or not among ``classes``, or a row is not one-hot.
        """
        if self.is_flat:
            self._check_whole()
            return self._indices(classes)
        columns = np.arange(self.values.shape[1])
        if not np.array_equal(classes, columns):
            got = f"{len(columns)} one-hot columns, not classes {some(classes)}"
            raise ValueError(f"{self.name} has {got}")
        if not self.is_one_hot:
            row = self._one_hot_rows.argmin()
            raise ValueError(f"{self.name}[{row}] is not one-hot (one 1, the rest 0)")
        return np.asarray(self.values.argmax(axis=1), np.int32)

    def probabilities(self, n_classes: int) -> Numbers:
        """Return rows of class probabilities.

        Raises
        ------
        ValueError
            For another number of columns, or a row with a negative value or a sum other than 1.
        """
        rows = self.values.astype(np.float64)
        if rows.shape[1] != n_classes:
            raise ValueError(
                f"{self.name} has {rows.shape[1]} columns, but there are {n_classes} classes"
            )
        bad = (rows < 0).any(axis=1) | (np.abs(rows.sum(axis=1) - 1) > _SUM_TOLERANCE)
        if bad.any():
            row = int(bad.argmax())
            wanted = "class probabilities, not negative and with a sum of 1"
            raise ValueError(f"{self.name}[{row}] must be {wanted}; got {some(rows[row])}")
        return rows

    def labels(self, n_labels: int | None = None) -> Numbers:
        """Return rows of 0 and 1, shape (n, labels).

        Raises
        ------
        ValueError
            For other values, or another number of columns.
        """
        rows = self._columns(n_labels)
        if not self.are_zeros_and_ones:
            row = int(self._zero_one_rows.argmin())
            wanted = "0 or 1 for each label, as loss='binary_cross_entropy' takes it"
            raise ValueError(f"{self.name}[{row}] must hold {wanted}; got {some(rows[row])}")
        return rows

    def numbers(self, n_columns: int | None = None, *, counts: bool = False) -> Numbers:
        """Return numbers, shape (n, columns), as ``counts`` not negative.

        Raises
        ------
        TypeError, ValueError
            For targets that are no numbers, negative counts, or another number of columns.
        """
        if self.values.dtype.kind not in NUMBERS:
            got = some(self.values[:3])
            raise TypeError(f"{self.name} must hold numbers for this loss; got {got}")
        columns = self._columns(n_columns)
        if counts and (negative := columns < 0).any():
            row = int(negative.any(axis=1).argmax())
            wanted = "must not be negative for loss='poisson'"
            raise ValueError(f"{self.name}[{row}] {wanted}; got {some(columns[row])}")
        return columns

    def _columns(self, wanted: int | None) -> Numbers:
        columns = self.values.reshape(len(self), -1).astype(np.float64)
        if wanted is not None and columns.shape[1] != wanted:
            got = f"{self.name} has {columns.shape[1]} columns"
            raise ValueError(f"{got}, but {wanted} were trained on")
        return columns

    @cached_property
    def _one_hot_rows(self) -> Flags:
        single = np.count_nonzero(self.values, axis=1) == 1
        return np.asarray(single & (self.values.max(axis=1) == 1))

    @cached_property
    def _zero_one_rows(self) -> Flags:
        rows = self.values.reshape(len(self), -1)
        return np.asarray(((rows == 0) | (rows == 1)).all(axis=1))

    def _check_whole(self) -> None:
        if not self.are_whole:
            _refuse_fractions(self.values, self.name)

    def _indices(self, classes: Array) -> npt.NDArray[np.int32]:
        labels, unseen = self.values, np.full(len(self), True)
        if (labels.dtype.kind in "OU") == (classes.dtype.kind in "OU"):
            with np.errstate(all="ignore"):  # labels that the cast changes count as unseen
                same = labels.astype(classes.dtype, copy=False)
            indices = np.searchsorted(classes, same).clip(max=len(classes) - 1)
            unseen = classes[indices] != labels
        if unseen.any():
            got = f"unseen labels {some(np.unique(labels[unseen]))}"
            raise ValueError(f"{self.name} has {got}; the known classes are {some(classes)}")
        return indices.astype(np.int32)


def as_samples(value: Any, name: str) -> Samples:
    """Return X, Y and sample weights or None, from (X, Y) or (X, Y, sample_weight).

    Raises
    ------
    TypeError
        If `value` is not a tuple or list of two or three.
    """
    if not isinstance(value, tuple | list) or len(value) not in (2, 3):
        wanted = "(X, Y) or (X, Y, sample_weight)"
        raise TypeError(f"{name} must be {wanted}; got {type(value).__name__}")
    return value[0], value[1], value[2] if len(value) == 3 else None


def read_targets(
    Y: Any, n_rows: int | None, sample_weight: Any = None, prefix: str = "", *,
    may_be_zero: bool = False,
) -> RawTargets:  # fmt: skip
    """Read targets and sample weights, of ``n_rows`` rows, if their number is known.

    Y holds numbers, booleans or, in a single column, strings; it may be a table or a column of
    pandas, Polars or PyArrow. ``may_be_zero`` says that all weights may be 0, as in a part.

    Raises
    ------
    TypeError, ValueError
        If Y has a wrong shape, mixed types, or a value that is missing or not finite; if weights
        are not finite numbers >= 0, one for each row, or all are 0.
    """
    name = f"{prefix}Y"
    values = _read(Y, name)
    several = values.ndim == 2 and values.shape[1] > 1 and values.dtype.kind in NUMBERS
    if values.ndim == 0 or not (several or values.shape[1:] in ((), (1,))):
        wanted = "a label or a number for each row, or columns of numbers"
        raise ValueError(f"{name} must be {wanted}; got shape {values.shape}")
    if n_rows is not None and len(values) != n_rows:
        raise ValueError(f"{name} has {len(values)} rows, but X has {n_rows}")
    values = finite(
        values, values.dtype.newbyteorder("="), name, gaps=": drop rows without a target"
    )
    values = values if several else values.ravel()
    weights = read_weights(
        sample_weight, len(values), f"{prefix}sample_weight", may_be_zero=may_be_zero
    )
    if weights is None:
        return RawTargets(values, name=name)
    weights, unit = rescaled(weights)
    if weights.all():
        return RawTargets(values, weights, unit, name=name)
    kept = np.flatnonzero(weights)
    return RawTargets(values[kept], weights[kept], unit, kept, name)


def rescaled(weights: Numbers) -> tuple[Numbers, float]:
    """Weights of which the largest is from 1 to 2, and their unit, a power of 2: their sums and
    products neither overflow nor underflow, and float32 holds them."""
    largest = weights.max(initial=0)
    power = int(np.frexp(largest)[1]) - 1 if largest > 0 else 0
    return np.ldexp(weights, -power), float(np.ldexp(1.0, power))


def read_weights(
    sample_weight: Any, n_rows: int, name: str = "sample_weight", *, may_be_zero: bool = False
) -> Numbers | None:
    """Return sample weights of shape (n_rows,) in float64; None if none are given.

    Raises
    ------
    TypeError, ValueError
        If they are not finite numbers >= 0 of that shape, or all are 0.
    """
    if sample_weight is None:
        return None
    weights = as_array(column_values(sample_weight), name)
    if weights.shape != (n_rows,):
        raise ValueError(f"{name} must have shape {(n_rows,)}; got {weights.shape}")
    weights = finite(weights, np.float64, name)
    if (weights < 0).any():
        row = int((weights < 0).argmax())
        raise ValueError(f"{name}[{row}] must not be negative; got {weights[row]}")
    if not (may_be_zero or weights.any()):
        raise ValueError(f"{name} must have a weight > 0; got zeros only")
    return weights


def check_classes(classes: Any, n_classes: int | None = None) -> Array:
    """Return the labels of the output columns as an array; ``n_classes`` of them, if given.

    Raises
    ------
    TypeError, ValueError
        If they are no labels, another number, or not sorted without repetition, as in ``classes_``.
    """
    labels = np.array(_read(classes, "classes"))
    if n_classes is None:
        n_classes = len(labels) if labels.ndim else 0
    if labels.shape != (n_classes,):
        raise ValueError(f"classes must have shape {(n_classes,)}; got {labels.shape}")
    labels = finite(labels, labels.dtype.newbyteorder("="), "classes")
    _refuse_fractions(labels, "classes")
    if not np.array_equal(labels, np.unique(labels)):
        wanted = "be sorted, without repetition, as the output columns are"
        raise ValueError(f"classes must {wanted}; got {some(labels)}")
    return labels


def _read(Y: Any, name: str) -> Array:
    """Read targets as an array: one column of a table becomes 1-D, several must be numbers."""
    table = None if type(Y) is np.ndarray else open_table(Y, name)
    if table is not None and table.shape[1] != 1:
        numbers, has_gaps = table.numbers(np.float64)
        if has_gaps:
            raise missing_label(table.place(first_index(np.isnan(numbers))), np.nan)
        return numbers
    return as_array(column_values(Y if table is None else table.column(0)), name, LABELS)


def _refuse_fractions(labels: Array, name: str) -> None:
    if labels.dtype.kind == "f" and (fractional := labels != np.trunc(labels)).any():
        got = f"got {labels[fractional][0]}"
        raise ValueError(f"{name} must hold class labels, which are whole numbers; {got}")
