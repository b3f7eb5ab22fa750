"""Early stopping, and callbacks called after each epoch of a fit: checkpoints, a log file.

Any callable is one: ``callback(trainer, epoch, logs)``, epochs counted from 0, ``logs`` the values
recorded in the epoch. It may also have methods ``on_fit_begin(trainer)`` and
``on_fit_end(trainer)``. The classes here hold settings; :meth:`Callback.for_fit` makes the state.
"""

import csv
import os
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .checks import FLAG, MONITOR, NOT_NEGATIVE, WHOLE, Checked, one_of, rule
from .metrics import monitored_value

Logs = dict[str, float]

_MODE = one_of(("auto", "min", "max"))
_PATH = rule(os.fspath, "a path", (str, os.PathLike), lambda value: bool(os.fspath(value)))


@dataclass(frozen=True)
class Callback(Checked):
    """Settings of a callback, from which each fit makes its own callable."""

    def for_fit(self) -> Any:
        """Return a callable ``(trainer, epoch, logs)`` for one fit."""
        raise NotImplementedError


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
class Checkpoint(Callback):
    """Pickle the trainer to a file after each epoch that is the best so far, or after all.

    The file is replaced atomically: an earlier one stays until the new one is written.

    Parameters
    ----------
    path : path
        File to write; ``pickle.load`` reads it.
    monitor : str, default "auto"
        As for :class:`EarlyStopping`.
    best_only : bool, default True
        Write only after epochs that are the best so far.
    mode : {"auto", "min", "max"}
        As for :class:`EarlyStopping`.
    """

    path: Any = field(default="", metadata=_PATH)
    monitor: str = field(default="auto", metadata=MONITOR)
    best_only: bool = field(default=True, metadata=FLAG)
    mode: str = field(default="auto", metadata=_MODE)

    def for_fit(self) -> "_Checkpointer":
        """Return the checkpointer of one fit."""
        return _Checkpointer(self)


@dataclass(frozen=True)
class CSVLog(Callback):
    """Write the recorded values to a CSV file, epoch by epoch.

    Parameters
    ----------
    path : path
        File to overwrite with a line of names, then a line for each epoch.
    """

    path: Any = field(default="", metadata=_PATH)

    def for_fit(self) -> "_Writer":
        """Return the writer of one fit."""
        return _Writer(self.path)


class Best:
    """Tracks the best value so far of a recorded quantity."""

    def __init__(self, monitor: str, mode: str) -> None:
        self._monitor, self._mode = monitor, mode
        self.epoch, self._value = -1, np.inf

    def is_better(self, epoch: int, logs: Logs) -> bool:
        """Record the values of an epoch; return whether it is the best so far.

        Raises
        ------
        ValueError
            If the value is not recorded, or it is unknown whether larger is better.
        """
        value = monitored_value(self._monitor, logs, self._mode)
        if not (self.epoch < 0 or value < self._value):
            return False
        self.epoch, self._value = epoch, value
        return True


class Keeper:
    """Base of callbacks that keep the trainer: they run after all others, which may change it."""

    def __call__(self, trainer: Any, epoch: int, logs: Logs) -> None:
        """Keep the trainer after an epoch."""
        raise NotImplementedError


class _Checkpointer(Keeper):
    """Pickles the trainer to a file after epochs."""

    def __init__(self, settings: Checkpoint) -> None:
        self._path, self._best_only = Path(settings.path), settings.best_only
        self._best = Best(settings.monitor, settings.mode)

    def __call__(self, trainer: Any, epoch: int, logs: Logs) -> None:
        if self._best.is_better(epoch, logs) or not self._best_only:
            new = self._path.with_name(self._path.name + ".new")
            new.write_bytes(pickle.dumps(trainer))
            os.replace(new, self._path)


class _Writer:
    """Writes a line of CSV for each epoch."""

    def __init__(self, path: str) -> None:
        self._path = path

    def on_fit_begin(self, trainer: Any) -> None:
        Path(self._path).write_text("")

    def __call__(self, trainer: Any, epoch: int, logs: Logs) -> None:
        with open(self._path, "a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if epoch == 0:
                writer.writerow(["epoch", *logs])
            writer.writerow([epoch, *logs.values()])
