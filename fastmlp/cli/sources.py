"""Where the rows of a fit come from: tables in memory, or groups of rows of a large file."""

from collections.abc import Iterable
from itertools import product
from typing import Any, Protocol

import numpy as np

from ..data import Array, choose_split, read_targets, some, split_rows
from ..data.targets import Samples
from ..settings import check_setting
from ..streams.array_files import ENDINGS as ARRAYS
from ..trainer import Trainer
from .libsvm import ENDINGS, FIRST_INDEX, TARGET, is_libsvm, read_libsvm, refuse, shown
from .reading import LARGE, read_rows, size_of, with_features
from .rows import Rows
from .say import say
from .streamed import open_streamed
from .targets import described, loss_of


class Source(Protocol):
    """Rows to train on and rows held out."""

    loss: Any
    n_rows: int  # to train on
    n_all: int
    y: Array  # targets to train on, or a sample of them
    weights: Array | None
    held_out: Iterable[Samples] | None
    kept: dict[str, Any]  # attributes of the trainer that predictions need

    def fit(self, trainer: Trainer) -> None:
        """Fit a trainer to the rows to train on."""

    def fit_small(self, trainer: Trainer) -> None:
        """Fit a trainer for comparison, perhaps to a part of them."""

    def fit_all(self, trainer: Trainer) -> None:
        """Fit a trainer to all rows, those held out included."""


class InMemory:
    """Rows in memory.

    Parameters
    ----------
    train : Rows
    held_out : Rows, optional
    all_rows : Rows
    loss : str or Loss
    kept : dict
    """

    def __init__(
        self, train: Rows, held_out: Rows | None, all_rows: Rows, loss: Any, kept: dict[str, Any]
    ) -> None:
        self.loss, self.kept, self._train, self._all = loss, kept, train, all_rows
        self.n_rows, self.n_all = len(train.y), len(all_rows.y)
        self.y, self.weights = train.y, train.weights
        self.held_out: Iterable[Samples] | None = None if held_out is None else [held_out]

    def fit(self, trainer: Trainer) -> None:
        """Fit to the rows to train on."""
        _fit(trainer, self._train)

    fit_small = fit

    def fit_all(self, trainer: Trainer) -> None:
        """Fit to all rows."""
        _fit(trainer, self._all)


def _fit(trainer: Trainer, rows: Rows) -> None:
    trainer.fit(rows.X, rows.y, sample_weight=rows.weights)


def open_source(given: dict[str, Any], settings: dict[str, Any], share: float) -> Source:
    """Read the rows that the arguments of the command name, and say what was read and done.

    Parameters
    ----------
    given : dict
        Arguments of the command.
    settings : dict
        Settings of the trainer.
    share : float
        Fraction of the rows to hold out, if no file with rows for the score is given.
    """
    path = given["data"]
    if is_libsvm(path):
        return _of_libsvm(given, settings, share)
    if "target" not in given:
        raise ValueError(
            "--target must name the column to predict; only files of libsvm have none, which end "
            f"in {', '.join(ENDINGS)}"
        )
    for option, role in product(("drop", "keep"), ("target", "weights")):
        if (name := given.get(role)) in given.get(option, ()):
            raise ValueError(f"--{option} must name features; {name!r} is that of --{role}")
    if size_of(path) > LARGE and not path.endswith(ARRAYS):
        return open_streamed(given, settings, share)
    return _in_memory(given, settings, share)


def _in_memory(given: dict[str, Any], settings: dict[str, Any], share: float) -> Source:
    target, weights = given["target"], given.get("weights")
    rows = read_rows(given["data"], target, weights)
    loss = _loss(target, rows, given, settings)
    rows = with_features(rows, given.get("drop", ()), given.get("keep", ()))
    like = None if isinstance(rows.X, np.ndarray) else rows.X
    tested = read_rows(given["test"], target, weights, like) if "test" in given else None
    return _parted(rows, tested, given, settings, share, loss, {"target_name": target})


def _of_libsvm(given: dict[str, Any], settings: dict[str, Any], share: float) -> Source:
    refuse(given, ("target", "drop", "keep", "weights"))
    X, y, first = read_libsvm(given["data"])
    say("read", f"{given['data']}: {shown(X)}; indices start at {first}")
    rows, tested = Rows(X, y, None), None
    loss = _loss(TARGET, rows, given, settings)
    if "test" in given:
        tested = Rows(*read_libsvm(given["test"], X.shape[1], first)[:2], None)
    return _parted(rows, tested, given, settings, share, loss, {FIRST_INDEX: first})


def _loss(name: str, rows: Rows, given: dict[str, Any], settings: dict[str, Any]) -> Any:
    """The loss for the targets; what they are taken for is said."""
    loss = loss_of(name, rows.y, given.get("kind"), settings.get("loss"))
    say("target", f"{name}: {described(rows.y, loss)}")
    return loss


def _parted(
    rows: Rows, tested: Rows | None, given: dict[str, Any], settings: dict[str, Any], share: float,
    loss: Any, kept: dict[str, Any],
) -> Source:  # fmt: skip
    """Rows, of which some are held out, unless others are there for the score."""
    train, held_out, how = rows, tested, f"those of {given.get('test')}"
    if tested is None:
        train, held_out, how = _split(rows, settings, share, loss)
    if held_out is not None:
        count = f"{len(train.y):,} to train on"
        say("held out", f"{len(held_out.y):,} rows for the score, {how}; {count}")
        _check_classes(loss, train.y, held_out.y)
    return InMemory(train, held_out, rows, loss, kept)


def _split(
    rows: Rows, settings: dict[str, Any], share: float, loss: Any
) -> tuple[Rows, Rows | None, str]:
    """Rows to train on, and a share held out, drawn as validation rows are."""
    count = len(rows.y)
    if share == 0:
        return rows, None, ""
    if not 0 < round(count * share) < count:
        raise ValueError(f"--held-out {share} of {count} rows leaves none: give --held-out 0")
    kind = settings.get("validation_split", "auto")
    targets = read_targets(rows.y, count)
    are_numbers = check_setting("loss", loss).is_numeric
    split = choose_split(targets, share, kind, settings["seed"], None, are_numbers=are_numbers)
    train, held_out = (
        np.arange(count)[part] for part in split_rows(targets, split, are_numbers=are_numbers)
    )
    how = "the last ones" if kind == "last" else "drawn at random"
    return rows.take(train), rows.take(held_out), how


def _check_classes(loss: Any, known: Array, y: Array) -> None:
    """Raise a ValueError if rows for the score have classes that those to train on lack."""
    if check_setting("loss", loss).is_numeric:
        return
    if len(unseen := np.setdiff1d(y, known)):
        raise ValueError(f"rows for the score have classes that the others lack: {some(unseen)}")
