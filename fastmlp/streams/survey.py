"""What must be known of all rows before training: a sample, validation rows, and totals.

It is learned part by part, so that parts may be surveyed elsewhere and joined.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..cached import cached_property
from ..data import (
    Array,
    Features,
    Key,
    Numbers,
    RawTargets,
    concat_rows,
    gather_rows,
    open_features,
    read_targets,
)
from ..data.targets import Samples
from ..member import check_interrupt
from .groups import RowGroups
from .hashes import row_hashes

# The sample, and the validation rows, have at most so many rows and about so many bytes.
_ROWS, _BYTES = 100_000, 32 << 20
_MOST_LABELS = 10_000
# Surveys of so many groups are joined at a time.
_JOINED = 8
_SEED = 5_116_372_841


class Total(NamedTuple):
    """Training rows and their total weight."""

    rows: int = 0
    weight: float = 0.0


class _Rows(NamedTuple):
    """Some rows, in the order of their keys, or of their places: number of the part, row in it."""

    X: Any
    Y: Array
    weights: Numbers | None
    keys: Array
    places: npt.NDArray[np.int64]

    def part(self, chosen: Array) -> "_Rows":
        """Some of the rows."""
        weights = None if self.weights is None else self.weights[chosen]
        X, Y, keys, places = self.X, self.Y, self.keys, self.places
        return _Rows(gather_rows(X, chosen), Y[chosen], weights, keys[chosen], places[chosen])

    def in_order(self) -> "_Rows":
        """The rows in the order of their places."""
        return self.part(np.argsort(self.places))

    @property
    def most(self) -> int:
        """How many rows to keep."""
        itemsize: int = getattr(getattr(self.X, "dtype", None), "itemsize", 8)
        width: int = self.X.shape[1] * itemsize + 8 * (1 if self.Y.ndim == 1 else self.Y.shape[1])
        return max(1, min(_ROWS, _BYTES // width))


@dataclass(frozen=True)
class Survey:
    """What is known of rows; those of weight 0 are not counted.

    Parameters
    ----------
    training : Total
        The training rows.
    n_held_out : int
        Number of held-out rows.
    labels : dict, optional
        Training rows of each label; None if targets are no labels, or more than 10,000.
    flags : dict
        For each part a packed bit for each row, whether it is held out or has weight 0.
    random, scored, covering : rows
        The random sample; held-out rows of the smallest hashes; and a row of each label and each
        category, which ``covered`` names.
    """

    training: Total
    n_held_out: int
    labels: dict[Key, Total] | None
    flags: dict[int, npt.NDArray[np.uint8]]
    random: _Rows
    scored: _Rows
    covering: _Rows
    covered: list[tuple[int, Key]] = field(default_factory=list)

    @cached_property
    def sample(self) -> Samples:
        """Random training rows, at most 100,000 and about 32 MB, and a row of each label and each
        category that they lack."""
        rows = self.random.in_order()
        known = {name for name, _ in _firsts(rows.X, RawTargets(rows.Y))} if len(rows.Y) else set()
        lacking = [row for row, name in enumerate(self.covered) if name not in known]
        if lacking:
            rows = _concat([rows, self.covering.part(np.array(lacking))])
        return rows[:3]

    @cached_property
    def validation(self) -> Samples | None:
        """The held-out rows, at most 100,000 and about 32 MB; None if there are none."""
        return self.scored.in_order()[:3] if len(self.scored.Y) else None


def training_rows(flags: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.intp]:
    """The training rows of a part of ``size`` rows, by its ``flags`` of a survey."""
    return np.flatnonzero(np.unpackbits(flags, count=size) == 0)


def part_survey(
    samples: Samples, number: int, fraction: float = 0.0, below: float = np.inf
) -> Survey:
    """Survey the rows of a part.

    Parameters
    ----------
    samples : (X, Y, weights)
    number : int
        Number of the part.
    fraction : float
        Fraction of the rows to hold out: those with the smallest hashes of features and targets.
    below : float
        Keys of the sample from here on, between 0 and 1, are too large.

    Raises
    ------
    TypeError, ValueError
        For unusable data.
    """
    X, Y, weights = samples
    prefix = f"group {number}: "
    features = open_features(X, f"{prefix}X")
    targets = read_targets(Y, len(features), weights, prefix, may_be_zero=True)
    rows = np.arange(len(features))[targets.kept]
    if fraction > 0:
        hashes = row_hashes(features, targets)
    else:
        hashes = np.zeros(len(rows), np.uint64)
        features.numbers(None, features.categories)  # raises an error for those not finite
    is_held_out = hashes < np.uint64(fraction * 2.0**64)
    train, held_out = np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)
    keys = np.random.default_rng((_SEED, number)).random(len(features))[rows]

    given = None if targets.weights is None else targets.weights * targets.unit
    places = (np.int64(number) << 40) + rows

    def taken(chosen: Array, keys: Array) -> _Rows:
        own = None if given is None else given[chosen]
        x = gather_rows(X, rows[chosen])
        return _Rows(x, targets.values[chosen], own, keys[chosen], places[chosen])

    firsts = dict(_firsts(X, targets, rows))
    flags = np.ones(len(features), bool)
    flags[rows[train]] = False
    return Survey(
        _total(train, given), len(held_out), _label_totals(targets, train, given),
        {number: np.packbits(flags)},
        _smallest([taken(train[keys[train] < below], keys)]), _smallest([taken(held_out, hashes)]),
        taken(np.array(list(firsts.values()), np.intp), keys), list(firsts),
    )  # fmt: skip


def joined(surveys: Iterable[Survey]) -> Survey:
    """The survey of the rows of several."""
    parts = list(surveys)
    labels: dict[Key, Total] | None = {}
    for part in parts:
        if labels is not None and part.labels is not None:
            for label, total in part.labels.items():
                labels[label] = _added([labels.get(label, Total()), total])
        if labels is None or part.labels is None or len(labels) > _MOST_LABELS:
            labels = None
    covered = [name for part in parts for name in part.covered]
    firsts = {
        name: row for row, name in reversed(list(enumerate(covered)))
        if labels is not None or name[0] >= 0
    }  # fmt: skip
    covering = _concat([part.covering for part in parts]).part(np.array(list(firsts.values()), int))
    return Survey(
        _added([part.training for part in parts]), sum(part.n_held_out for part in parts), labels,
        {number: flags for part in parts for number, flags in part.flags.items()},
        _smallest([part.random for part in parts]), _smallest([part.scored for part in parts]),
        covering, list(firsts),
    )  # fmt: skip


def survey(groups: RowGroups, fraction: float = 0.0) -> Survey:
    """Survey all rows, of which ``fraction`` are held out.

    Raises
    ------
    TypeError, ValueError
        For unusable data, or if no rows of a weight are left to train on, or for validation.
    """
    parts: list[Survey] = []
    for number, size in enumerate(groups.sizes):
        check_interrupt()
        if size:
            is_full = len(parts) > 0 and len(parts[0].random.Y) == parts[0].random.most
            below = float(parts[0].random.keys.max()) if is_full else np.inf
            parts.append(part_survey(groups.read(number), number, fraction, below))
        if len(parts) > _JOINED:
            parts = [joined(parts)]
    if not parts:
        raise ValueError("there must be at least one row; got none")
    found = joined(parts)
    check_held_out(found, fraction)
    return found


def check_held_out(found: Survey, fraction: float) -> None:
    """Raise a ValueError if no rows of a weight are left to train on, or for validation."""
    n_rows = found.training.rows + found.n_held_out
    if n_rows == 0:
        raise ValueError("sample_weight must have a weight > 0; got zeros only")
    if found.training.rows == 0 or (fraction > 0 and found.n_held_out == 0):
        raise ValueError(
            f"validation_fraction={fraction} holds out {found.n_held_out} of {n_rows} rows, by "
            "their hashes: give validation_data, or another fraction"
        )


def _firsts(
    X: Any, targets: RawTargets, rows: Array | None = None
) -> list[tuple[tuple[int, Key], int]]:
    """The first of some rows with each label (of column -1) and each category of a column."""
    features: Features = open_features(X)
    found = []
    labels = _labels(targets)
    if labels is not None:
        names, positions = np.unique(labels, return_index=True)
        if len(names) <= _MOST_LABELS:
            found += [
                ((-1, name), row)
                for name, row in zip(names.tolist(), positions.tolist(), strict=True)
            ]
    for j in features.categories:
        coded = features.coded(j)
        codes = coded.codes if rows is None else coded.codes[rows]
        first = np.zeros((int(codes.max()) if len(codes) else 0) + 2, np.intp)
        first[codes[::-1]] = np.arange(len(codes))[::-1]
        present = coded.present_in(slice(None) if rows is None else rows)
        found += [((j, key), int(first[code])) for code, key in present.items()]
    return found


def _labels(targets: RawTargets) -> Array | None:
    """The label of each row, or the column of its 1; None for other targets."""
    if targets.is_flat:
        return targets.values if targets.are_whole else None
    if len(targets) == 0:
        return np.zeros(0, np.intp)
    return np.asarray(targets.values.argmax(axis=1)) if targets.is_one_hot else None


def _label_totals(
    targets: RawTargets, train: Array, weights: Numbers | None
) -> dict[Key, Total] | None:
    labels = _labels(targets)
    if labels is None:
        return None
    names, indices = np.unique(labels, return_inverse=True)
    if len(names) > _MOST_LABELS:
        return None
    rows = np.bincount(indices[train], minlength=len(names))
    own = rows if weights is None else np.bincount(indices[train], weights[train], len(names))
    totals = zip(names.tolist(), rows.tolist(), own.tolist(), strict=True)
    return {name: Total(n_rows, float(weight)) for name, n_rows, weight in totals}


def _total(train: Array, weights: Numbers | None) -> Total:
    weight = float(len(train)) if weights is None else float(weights[train].sum())
    return Total(len(train), weight)


def _added(totals: Iterable[Total]) -> Total:
    rows, weights = zip(*totals, strict=True)
    return Total(sum(rows), sum(weights))


def _smallest(parts: Sequence[_Rows]) -> _Rows:
    """The rows of the smallest keys."""
    keys = np.concatenate([part.keys for part in parts])
    most, chosen = parts[0].most, np.ones(len(keys), bool)
    if len(keys) > most:
        chosen[np.argpartition(keys, most)[most:]] = False
    stops = np.cumsum([len(part.keys) for part in parts])[:-1]
    flags = np.split(chosen, stops)
    return _concat([
        part.part(np.flatnonzero(own)) for part, own in zip(parts, flags, strict=True)
    ])  # fmt: skip


def _concat(parts: Sequence[_Rows]) -> _Rows:
    filled = [part for part in parts if len(part.Y)] or list(parts[:1])
    if len(filled) == 1:
        return filled[0]
    X, Y, weights, keys, places = zip(*filled, strict=True)
    kinds = {array.dtype.kind in "OU" for array in Y}
    if len(kinds) > 1:
        raise TypeError("Y must be all numbers or all strings; got numbers and strings")
    return _Rows(
        concat_rows(X), np.concatenate(Y), None if weights[0] is None else np.concatenate(weights),
        np.concatenate(keys), np.concatenate(places),
    )  # fmt: skip
