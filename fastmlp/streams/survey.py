"""What must be known of all rows before training: a sample, validation rows, and totals.

It is learned part by part, so that parts may be surveyed elsewhere and joined.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..cached import cached_property
from ..data import (
    Array,
    Key,
    Numbers,
    RawTargets,
    gather_rows,
    open_dense,
    read_targets,
)
from ..data.targets import Samples
from ..member import check_interrupt
from .groups import RowGroups
from .hashes import row_hashes
from .labels import MOST_LABELS, Total, firsts, label_totals
from .some_rows import SomeRows, concatenated, smallest

# Surveys that are joined at a time.
_JOINED = 8
_SEED = 5_116_372_841


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
    random: SomeRows
    scored: SomeRows
    covering: SomeRows
    covered: list[tuple[int, Key]] = field(default_factory=list)

    @property
    def n_rows(self) -> int:
        """Number of all rows."""
        return self.training.rows + self.n_held_out

    @cached_property
    def sample(self) -> Samples:
        """Random training rows, at most 100,000 and about 16 MB, and a row of each label and each
        category that they lack."""
        rows = self.random.in_order()
        known = {name for name, _ in firsts(rows.X, RawTargets(rows.Y))} if len(rows.Y) else set()
        lacking = [row for row, name in enumerate(self.covered) if name not in known]
        if lacking:
            rows = concatenated([rows, self.covering.part(np.array(lacking))])
        return rows[:3]

    @cached_property
    def validation(self) -> Samples | None:
        """The held-out rows, at most 100,000 and about 16 MB; None if there are none."""
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
    features = open_dense(X, f"{prefix}X")
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

    def taken(chosen: Array, keys: Array) -> SomeRows:
        own = None if given is None else given[chosen]
        x = gather_rows(X, rows[chosen])
        return SomeRows(x, targets.values[chosen], own, keys[chosen], places[chosen])

    first = dict(firsts(X, targets, rows))
    flags = np.ones(len(features), bool)
    flags[rows[train]] = False
    return Survey(
        _total(train, given), len(held_out), label_totals(targets, train, given),
        {number: np.packbits(flags)},
        smallest([taken(train[keys[train] < below], keys)]), smallest([taken(held_out, hashes)]),
        taken(np.array(list(first.values()), np.intp), keys), list(first),
    )  # fmt: skip


def joined(surveys: Iterable[Survey]) -> Survey:
    """The survey of the rows of several."""
    parts = list(surveys)
    labels: dict[Key, Total] | None = {}
    for part in parts:
        if labels is not None and part.labels is not None:
            for label, total in part.labels.items():
                labels[label] = _added([labels.get(label, Total()), total])
        if labels is None or part.labels is None or len(labels) > MOST_LABELS:
            labels = None
    covered = [name for part in parts for name in part.covered]
    first = {
        name: row for row, name in reversed(list(enumerate(covered)))
        if labels is not None or name[0] >= 0
    }  # fmt: skip
    covering = concatenated([part.covering for part in parts]).part(
        np.array(list(first.values()), int)
    )
    return Survey(
        _added([part.training for part in parts]), sum(part.n_held_out for part in parts), labels,
        {number: flags for part in parts for number, flags in part.flags.items()},
        smallest([part.random for part in parts]), smallest([part.scored for part in parts]),
        covering, list(first),
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
    if found.n_rows == 0:
        raise ValueError("sample_weight must have a weight > 0; got zeros only")
    if found.training.rows == 0 or (fraction > 0 and found.n_held_out == 0):
        raise ValueError(
            f"validation_fraction={fraction} holds out {found.n_held_out} of {found.n_rows} rows, "
            "by their hashes: give validation_data, or another fraction"
        )


def _total(train: Array, weights: Numbers | None) -> Total:
    weight = float(len(train)) if weights is None else float(weights[train].sum())
    return Total(len(train), weight)


def _added(totals: Iterable[Total]) -> Total:
    rows, weights = zip(*totals, strict=True)
    return Total(sum(rows), sum(weights))
