"""The state of a trainer in copies, pickles and model files, and its network in ONNX files."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

from .history import History
from .network.model_files import content_of, save_model, warn_of_callbacks
from .network.saved_state import (
    check_picklable,
    plain_state,
    restored,
    with_settings,
    without_settings,
)
from .network.state_types import check_file_state
from .settings import choices
from .settings.checks import as_tuple
from .sklearn_protocol import SklearnPredictor

T = TypeVar("T", bound="Saved")


class Fitting(NamedTuple):
    """A fit that is going on: its thread, and the learning rate that was given to the trainer."""

    thread: threading.Thread
    learning_rate: float | None


class Saved(SklearnPredictor):
    """The part of a trainer that is copied and written to files, and restored from them."""

    history: History
    n_iter_: int
    best_epoch_: int
    stop_reason_: str
    auto_: dict[str, Any]
    stop_training: bool
    _fitting: Fitting | None = None

    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the network as an ONNX file, for programs without fastmlp.

        ``docs/how-to/onnx.md`` shows how these read it.

        Raw rows go in: as one tensor ``X`` of float64, or, where some columns are categories, as
        a tensor for each column. ``label`` and ``probabilities`` come out, or ``predictions``.

        Parameters
        ----------
        path : path
            A file that is there is replaced at once, when the new one is complete.

        Raises
        ------
        NotFittedError
            Before there are weights.
        TypeError, ValueError
            For something else than a path; for names of columns, categories or labels that ONNX
            cannot hold.
        ImportError
            Without the package onnx: ``pip install 'fastmlp[onnx]'``.
        OSError
            If the file cannot be written; an earlier one stays.
        """
        from .onnx import write_onnx  # 3 ms of a start

        write_onnx([self.model_], path)

    def get_state(self) -> dict[str, Any]:
        """Return weights, optimizer state, history and encoding as arrays and plain values.

        Settings are left out. A trainer of the same settings continues from the state, with
        ``warm_start=True`` and the remaining ``epochs``, bit for bit as without the interruption;
        early stopping goes on counting, see ``warm_start``.
        """
        return without_settings(self._plain_state())

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore a state from ``get_state``, of this or another machine; settings stay.

        Raises
        ------
        ValueError
            If it is something else, or damaged; the trainer then stays unchanged.
        """
        self._restore(with_settings(state, self._plain_state()))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all that predictions and further training need to a file of safetensors.

        ``fastmlp.load(path)`` returns a trainer that goes on bit for bit as this one. An earlier
        file is replaced at once, when the new one is complete.

        Parameters
        ----------
        path : path
            It must end in ".safetensors".

        Raises
        ------
        ImportError
            Without safetensors.
        TypeError, ValueError
            For another path; for a trainer of a subclass; and for a setting or attribute that a
            file cannot hold, such as a function in ``metrics`` or ``schedule``. Callbacks are left
            out, with a warning, unless it is a callback that saves.
        OSError
            If the file cannot be written; an earlier one stays.
        """
        save_model(path, self.file_content)
        if self._fitting is None:
            warn_of_callbacks(as_tuple(self.callbacks))

    def file_content(self) -> bytes:
        """Return what ``save`` writes; raises the same errors."""
        return content_of(self, self.file_state())

    def file_state(self) -> dict[str, Any]:
        """Return the state as a file holds it: with settings, without callbacks."""
        state = self._plain_state()
        state["attributes"]["callbacks"] = ()
        check_file_state(state, type(self))  # what is written can be read
        return state

    @classmethod
    def from_file_state(cls: type[T], state: dict[str, Any], callbacks: Any) -> T:
        """Return the trainer of a state from a file, with the setting ``callbacks``.

        Raises
        ------
        TypeError, ValueError
            If ``state`` is anything else.
        """
        check_file_state(state, cls)
        state["attributes"]["callbacks"] = callbacks
        new = cls.__new__(cls)
        new._restore(state)
        return new

    def _plain_state(self) -> dict[str, Any]:
        attributes = dict(vars(self))  # one step: another thread may be fitting
        model = attributes.pop("_model")
        if fitting := attributes.pop("_fitting"):
            rate, given = attributes["learning_rate"], fitting.learning_rate
            attributes["learning_rate"] = given
            if model is not None:
                model = model.at_rate(rate, given, choices(self).optimizer.rate)
        return plain_state(model, attributes.pop("history"), attributes)

    def _restore(self, state: Any) -> None:
        attributes, history, model = restored(state)
        vars(self).update(attributes, history=history, _model=model, _fitting=None)

    def __copy__(self: T) -> T:
        new = type(self).__new__(type(self))
        new._restore(self._plain_state())
        return new

    def __deepcopy__(self: T, memo: dict[int, Any]) -> T:
        new = memo[id(self)] = type(self).__new__(type(self))
        # The callbacks themselves are shared: one that keeps copies of the trainer would otherwise
        # copy all its earlier copies.
        memo.update({id(callback): callback for callback in as_tuple(self.callbacks)})
        new._restore(copy.deepcopy(self._plain_state(), memo))
        return new

    def __getstate__(self) -> dict[str, Any]:
        check_picklable(as_tuple(self.callbacks), Saved)
        return self._plain_state()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._restore(state)
