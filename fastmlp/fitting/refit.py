"""Refit: a second training on all rows, for the best number of epochs of the first one."""

from dataclasses import replace
from typing import Literal

from ..callbacks import Logs
from ..settings import FitSettings, LearningRate
from .loop import Fitted


def refit_settings(settings: FitSettings, epochs: int, rate: LearningRate) -> FitSettings:
    """Return the settings of the second training, derived from the first.

    Parameters
    ----------
    settings : FitSettings
    epochs : int
        Number of epochs, up to the best one of the first training.
    rate : LearningRate
        The final rate of the first training, perhaps slowed down.
    """
    source: Literal["given", "scheduled"] = "scheduled" if rate.source == "scheduled" else "given"
    return replace(
        settings, epochs=epochs, learning_rate=LearningRate(rate.slowed, source),
        early_stopping=None, validation_fraction=0.0, metrics=None, verbose=0,
    )  # fmt: skip


class StopsWith:
    """A callback that stops a fit when another trainer is asked to stop."""

    def __init__(self, trainer: Fitted) -> None:
        self._trainer = trainer

    def __call__(self, again: Fitted, epoch: int, logs: Logs) -> None:
        again.stop_training = self._trainer.stop_training
