"""Refit: a second training on all rows, for the best number of epochs of the first one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..callbacks import Logs
from ..settings import FitSettings, LearningRate
from .learning_rates import Rates
from .loop import Fitted


def refit_settings(settings: FitSettings, rates: Sequence[Rates], n_rows: int) -> FitSettings:
    """Return the settings of the second training, derived from the first.

    Parameters
    ----------
    settings : FitSettings
    rates : sequence of array
        Learning rates of the updates of each epoch, up to the best one of the first training.
    n_rows : int
        Rows of the second training.
    """
    updates = np.arange(-(-n_rows // settings.batch_size))
    schedule = np.concatenate([own[updates * len(own) // len(updates)] for own in rates])
    return replace(
        settings, epochs=len(rates), schedule=schedule.__getitem__,
        learning_rate=LearningRate(settings.optimizer.rate, "scheduled"), early_stopping=None,
        validation_fraction=0.0, metrics=None, verbose=0, refit=False,
    )  # fmt: skip


class StopsWith:
    """A callback that stops a fit when another trainer is asked to stop."""

    def __init__(self, trainer: Fitted) -> None:
        self._trainer = trainer

    def __call__(self, again: Fitted, epoch: int, logs: Logs) -> None:
        again.stop_training = self._trainer.stop_training
