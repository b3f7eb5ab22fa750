"""Rows of a large file, read in groups: some are held out, a sample tells what the columns are."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..data import Array
from ..data.targets import Samples
from ..streams import RowGroups, open_groups
from ..trainer import Trainer
from .reading import counted, gaps
from .rows import Rows, check_columns, missing, useful
from .say import say, say_lines
from .targets import described, loss_of

# Groups of the sample, of up to some thousand rows each.
_SAMPLED = 4

# Part of a seed, so that no other numbers are drawn from the same one.
_SEED = 7_206_311


class Subset:
    """The rows of groups that are held out, or the others.

    Parameters
    ----------
    groups : RowGroups
    share : float
        Fraction of the rows that is held out.
    seed : int
        Of the choice.
    held_out : bool
        Which of the two.
    """

    def __init__(self, groups: RowGroups, share: float, seed: int, *, held_out: bool) -> None:
        self._groups, self._share, self._seed, self._held_out = groups, share, seed, held_out
        counts = [len(self._chosen(number)) for number in range(len(groups.sizes))]
        self._numbers = np.flatnonzero(counts).tolist()
        self.sizes = [counts[number] for number in self._numbers]

    def _chosen(self, number: int) -> Array:
        generator = np.random.default_rng([_SEED, self._seed, number])
        drawn = generator.random(self._groups.sizes[number])
        return np.flatnonzero((drawn < self._share) == self._held_out)

    def read(self, number: int) -> Samples:
        """Read the rows of a group."""
        number = self._numbers[number]
        X, y, weights = self._groups.read(number)
        return Rows(X, y, weights).take(self._chosen(number))

    def __iter__(self) -> Iterator[Samples]:
        """Yield the rows of each group."""
        return map(self.read, range(len(self.sizes)))


class Streamed:
    """Rows of groups; as ``InMemory``."""

    def __init__(
        self, groups: RowGroups, train: Subset, held_out: Subset | None, sample: Rows, loss: Any,
        kept: dict[str, Any],
    ) -> None:  # fmt: skip
        self.loss, self.kept = loss, kept
        self._groups, self._train, self._sample = groups, train, sample
        self.n_rows, self.n_all = sum(train.sizes), sum(groups.sizes)
        self.y, self.weights = sample.y, sample.weights
        self.held_out: Iterable[Samples] | None = held_out

    def fit(self, trainer: Trainer) -> None:
        """Fit to the rows to train on."""
        trainer.fit_stream(self._train)

    def fit_small(self, trainer: Trainer) -> None:
        """Fit to the sample."""
        trainer.fit(self._sample.X, self._sample.y, sample_weight=self._sample.weights)

    def fit_all(self, trainer: Trainer) -> None:
        """Fit to all rows."""
        trainer.fit_stream(self._groups)


def open_streamed(given: dict[str, Any], settings: dict[str, Any], share: float) -> Streamed:
    """Open a large file, and say what was read and done; see ``open_source``."""
    from ..streams.opened import open_scan, table_columns

    path, target, weights = given["data"], given["target"], given.get("weights")
    schema, keep = open_scan(path).schema, given.get("keep", [])
    names = table_columns(schema)
    features = _candidates(given, names)
    groups = open_groups(path, target, features, weights)
    say("read", f"{path}: {sum(groups.sizes):,} rows, {len(names)} columns, in pieces")
    sample = _sample(groups, settings["seed"])
    if missing(sample.y).any():
        raise ValueError(f"a file that is read in pieces must have {target!r} in each row")
    loss = loss_of(target, sample.y, given.get("kind"), settings.get("loss"))
    say("target", f"{target}: {described(sample.y, loss)}, in {len(sample.y):,} random rows")
    kept, notes = useful(sample.X, keep, whole=False)
    say_lines("left out", notes)
    dropped = set(sample.X.column_names) - set(kept)
    if dropped:
        features = [name for name in features if name not in dropped]
        groups = open_groups(path, target, features, weights)
    say("features", counted(sample.X.select(kept)))
    say_lines("", [*_notes(schema, features, sample.X), *gaps(sample.X.select(kept))])
    if settings.get("refit"):
        say("refit", "none, as the file is read in pieces")
        settings["refit"] = False
    if "test" in given:
        share, how = 0.0, f"those of {given['test']}"
        tested = open_groups(given["test"], target, features, weights)
        held_out: Subset | None = Subset(tested, 1.0, 0, held_out=True)
    else:
        how = "drawn at random"
        held_out = Subset(groups, share, settings["seed"], held_out=True) if share else None
    train = Subset(groups, share, settings["seed"], held_out=False)
    if held_out is not None:
        count = f"{sum(train.sizes):,} to train on"
        say("held out", f"{sum(held_out.sizes):,} rows for the score, {how}; {count}")
    sample = _sample(train, settings["seed"])
    say("", f"the linear model is fitted to {len(sample.y):,} random rows")
    return Streamed(groups, train, held_out, sample, loss, {"target_name": target})


def _candidates(given: dict[str, Any], names: list[str]) -> list[str]:
    """Names of the columns that may be features."""
    others = [given[name] for name in ("target", "weights") if name in given]
    drop = given.get("drop", [])
    check_columns(others, names, given["data"])
    check_columns(drop, names, "--drop")
    check_columns(given.get("keep", []), names, "--keep")
    return [name for name in names if name not in (*others, *drop)]


def _sample(groups: RowGroups, seed: int) -> Rows:
    """The rows of some random groups."""
    from ..streams.arrow import pa

    numbers = np.random.default_rng([_SEED, seed]).permutation(len(groups.sizes))[:_SAMPLED]
    X, y, weights = zip(*map(groups.read, numbers.tolist()), strict=True)
    targets = np.concatenate(y)
    if targets.dtype.kind == "O":
        targets = np.array(targets.tolist())
    return Rows(
        pa.concat_tables(X).unify_dictionaries(), targets,
        None if weights[0] is None else np.concatenate(weights),
    )  # fmt: skip


def _notes(schema: Any, features: list[str], X: Any) -> list[str]:
    """What is done to columns that are no numbers."""
    from ..streams.arrow import pa, pc
    from ..streams.columns import convert

    empty = pa.schema([schema.field(name) for name in features]).empty_table()
    notes = []
    for note in convert(empty)[1]:
        name = note.partition(": ")[0]
        if name in X.column_names and pa.types.is_dictionary(X.schema.field(name).type):
            count = pc.count_distinct(X[name].cast("string")).as_py()
            note = f"{name}: text, {count:,} categories in the sample"
        notes.append(note)
    return notes
