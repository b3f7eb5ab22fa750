"""Callbacks of scikit-learn 1.9 (``set_callbacks``), called around a fit and its epochs."""

import copy
from typing import Any

from ..callbacks import Logs

__all__ = ["CallbackSupportMixin", "Hooks"]

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing, as there are no such callbacks."""


class Hooks:
    """The tasks of a fit: one for each epoch, within that of the fit.

    Parameters
    ----------
    estimator : estimator
    context : CallbackContext
        That of the fit.
    rows : dict
        X, y and metadata of the fit.
    """

    def __init__(self, estimator: Any, context: Any, **rows: Any) -> None:
        self._context, self._all = context, {"estimator": estimator, **rows}
        self._epoch: Any = None  # the context of the epoch that is under way
        context.call_on_fit_task_begin(**self._all)

    def on_fit_begin(self, trainer: Any) -> None:
        """Begin the first epoch."""
        self._epoch = self._context.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(**self._all)

    def __call__(self, trainer: Any, epoch: int, logs: Logs) -> None:
        """End an epoch; stop the fit if a callback says so, else begin the next one."""
        if self._end(self._epoch, trainer):
            trainer.stop_training = True
        self._epoch = None
        if not trainer.stop_training and epoch + 1 < trainer.epochs:
            self.on_fit_begin(trainer)

    def close(self, trainer: Any) -> None:
        """End the fit, and an epoch that was not finished."""
        if self._epoch is not None:
            self._epoch.call_on_fit_task_end(**self._all)
        self._end(self._context, trainer)

    def _end(self, context: Any, trainer: Any) -> Any:
        return context.call_on_fit_task_end(
            **self._all, reconstruction_attributes=lambda: {"trainer_": copy.copy(trainer)}
        )
