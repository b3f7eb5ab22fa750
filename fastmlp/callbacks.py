"""Early stopping, and callbacks called after each epoch of a fit: checkpoints, a log file.

Any callable is one: ``callback(trainer, epoch, logs)``, epochs counted from 0, ``logs`` the values
recorded in the epoch. It may also have methods ``on_fit_begin(trainer)`` and
``on_fit_end(trainer)``.

So is any object with a method ``for_fit()`` that returns such a callable for one fit, as the
classes here, which hold settings. Fits that run at the same time, of ``fit_many`` and ``Ensemble``,
may share these objects, and functions, which are called by one thread at a time. Other callables
may have a state, which the fits would mix up: sharing one is an error.
"""

import csv
import io
import math
import os
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from .checks import FLAG, MONITOR, NOT_NEGATIVE, PATH, WHOLE, Checked, one_of
from .files import is_model_file, need_safetensors, replace_file
from .fit_warning import warn
from .member import current_member
from .metrics import monitored_name, monitored_value

Logs = dict[str, float]

_MODE = one_of(("auto", "min", "max"))
# Stands for the number of a fit in a path.
_MEMBER = "{member}"


@runtime_checkable
class Callback(Protocol):
    """An object from which each fit makes a callback of its own."""

    def for_fit(self) -> Any:
        """Return a callable ``(trainer, epoch, logs)`` for one fit."""


@dataclass(frozen=True)
class EarlyStopping(Checked):
    """Stop when a recorded value has not improved for ``patience`` epochs.

    As Keras's ``EarlyStopping``, but a setting of the trainer, not a callback, and the weights of
    the best epoch are restored by default, however the fit ends. Losses are compared on scaled
    targets, whose columns count alike; an epoch whose value is NaN is not the best one.

    Parameters
    ----------
    monitor : str, default "auto"
        Name of a recorded value; "auto" is ``val_loss``, without validation data ``loss``.
    patience : int, default 10
        Epochs without improvement after which training stops.
    min_delta : float, default 0.0
        Smallest change of the best value that is an improvement.
    restore_best : bool, default True
        Restore the weights and the optimizer state of the best epoch.
    mode : {"auto", "min", "max"}
        Whether smaller or larger is better; "auto" works for losses and named metrics.
    """

    monitor: str = field(default="auto", metadata=MONITOR)
    patience: int = field(default=10, metadata=WHOLE)
    min_delta: float = field(default=0.0, metadata=NOT_NEGATIVE)
    restore_best: bool = field(default=True, metadata=FLAG)
    mode: str = field(default="auto", metadata=_MODE)

    @property
    def is_validated(self) -> bool:
        """Whether it monitors validation data, if there are any."""
        return self.monitor.startswith(("auto", "val_"))


@dataclass(frozen=True)
class WritesFile(Checked):
    """Settings of a callback that writes a file."""

    path: Any = field(default="", metadata=PATH)

    def file(self, number: int | None) -> Path:
        """Path of the file for one of several fits, by its number, or for a single one (None).

        Raises
        ------
        ValueError
            If a single fit has a path with ``{member}``.
        """
        path = os.fspath(self.path)
        if number is None and _MEMBER in path:
            raise ValueError(
                f"path must be without {_MEMBER}, which stands for the number of a fit in fit_many "
                f"or Ensemble, where a single trainer is fitted; got {path!r}"
            )
        return Path(path.replace(_MEMBER, str(number)))

    def own_file(self) -> Path:
        """Path of the file for the fit of this thread, which stays although callbacks may change
        the folder; raises as :meth:`file`."""
        member = current_member()
        return self.file(None if member is None else member.number).absolute()


@dataclass(frozen=True)
class Checkpoint(WritesFile):
    """Write the trainer to a file after each epoch that is the best so far, or after all.

    A trainer from that file predicts with the weights of the epoch, even if an earlier one was
    better, and ``fit`` with ``warm_start=True`` goes on from there.

    The file is replaced atomically, also if the machine stops: an earlier one stays until the new
    one is on the disk.

    Parameters
    ----------
    path : path
        File to write: a model file, as ``Trainer.save`` writes it, without the callbacks, if it
        ends in ".safetensors"; else a pickle, with them, which ``pickle.load`` reads. In
        ``fit_many`` and ``Ensemble``, ``{member}`` in it stands for the index of the trainer: each
        fit needs a file of its own.
    monitor : str, default "auto"
        As for :class:`EarlyStopping`, but as it is recorded: losses in the unit of the targets.
    best_only : bool, default True
        Write only after epochs that are the best so far, among those of all fits of the network:
        also of earlier calls of ``partial_fit``, and of fits that a warm start continues.
    mode : {"auto", "min", "max"}
        As for :class:`EarlyStopping`.
    """

    monitor: str = field(default="auto", metadata=MONITOR)
    best_only: bool = field(default=True, metadata=FLAG)
    mode: str = field(default="auto", metadata=_MODE)

    def for_fit(self) -> "Checkpointer":
        """Return the checkpointer of one fit."""
        return Checkpointer(self)


@dataclass(frozen=True)
class CSVLog(WritesFile):
    """Write the history of the trainer to a CSV file, epoch by epoch.

    A line of names, then a line for each epoch of ``trainer.history``. An epoch is appended to a
    file that ends with the epoch before it, as under ``partial_fit``; any other file is overwritten
    with the whole history, as by a new fit, or when other quantities are recorded than before.

    Parameters
    ----------
    path : path
        File to write; ``{member}`` in it as for :class:`Checkpoint`.
    """

    def for_fit(self) -> "_Writer":
        """Return the writer of one fit."""
        return _Writer(self.own_file())


class Checkpointer:
    """Writes the trainer to a file after epochs, after all other callbacks have changed it."""

    def __init__(self, settings: Checkpoint) -> None:
        self._settings, self._path = settings, settings.own_file()
        self._is_model_file = is_model_file(self._path)
        if self._is_model_file:
            need_safetensors()
        self._best = math.inf

    def on_fit_begin(self, trainer: Any) -> None:
        # An error now, rather than after an epoch.
        os.stat(self._path.parent)
        if self._is_model_file:
            trainer.file_content()

    def __call__(self, trainer: Any, epoch: int, logs: Logs) -> None:
        if self._is_best(trainer.model_.extremes, logs) or not self._settings.best_only:
            content = trainer.file_content() if self._is_model_file else pickle.dumps(trainer)
            replace_file(self._path, content)

    def _is_best(self, extremes: Mapping[str, tuple[float, float]], logs: Logs) -> bool:
        """Whether the value is better than all others of this fit, and none of earlier fits is."""
        value = self._signed(logs)
        if not value < self._best:  # NaN included
            return False
        # The extremes are of all fits, this epoch included.
        ends = [
            {name: extremes.get(name, (now, now))[k] for name, now in logs.items()} for k in (0, 1)
        ]
        self._best = min(map(self._signed, ends))
        return value == self._best

    def _signed(self, logs: Logs) -> float:
        return monitored_value(self._settings.monitor, logs, self._settings.mode)

    def on_fit_end(self, trainer: Any) -> None:
        if self._settings.best_only and self._best == math.inf:
            name = monitored_name(self._settings.monitor, trainer.history)
            warn(f"{self._path} was not written: {name} was NaN in every epoch")


class _Writer:
    """Appends epochs of the history to a CSV file, or writes it anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names: list[str] = []  # those in the file, once it is known

    def on_fit_begin(self, trainer: Any) -> None:
        self._path.touch()  # an error now, rather than after an epoch

    def __call__(self, trainer: Any, epoch: int, logs: Logs) -> None:
        names, columns = ["epoch", *trainer.history], trainer.history.values()

        def row(number: int) -> list[Any]:
            return [number, *(values[number] for values in columns)]

        goes_on = epoch > 0 and (self._names == names or self._ends_with(names, row(epoch - 1)))
        rows = [row(epoch)] if goes_on else [names, *map(row, range(epoch + 1))]
        with open(self._path, "a" if goes_on else "w", newline="", encoding="utf-8") as file:
            file.write(_lines(rows))
        self._names = names

    def _ends_with(self, names: list[str], row: list[Any]) -> bool:
        """Whether the file of an earlier fit has these names and this row at its end."""
        text = self._path.read_bytes().decode(errors="replace")
        return text.startswith(_lines([names])) and text.endswith("\r\n" + _lines([row]))


def _lines(rows: Iterable[list[Any]]) -> str:
    """Rows as lines of CSV."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()
