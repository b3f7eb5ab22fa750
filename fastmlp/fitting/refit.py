"""Training once more on all rows, for as long as turned out best with some of them kept."""

from typing import Any, Literal

from ..settings import FitSettings, LearningRate


def refit_settings(settings: FitSettings, epochs: int, rate: LearningRate) -> FitSettings:
    """Settings of the second training, from those of the first one.

    Parameters
    ----------
    settings : FitSettings
    epochs : int
        Up to the best one of the first training.
    rate : LearningRate
        The rate that the first training ended with, which may have been slowed down.
    """
    source: Literal["given", "scheduled"] = "scheduled" if rate.source == "scheduled" else "given"
    return settings.changed(
        epochs=epochs, early_stopping=None, validation_fraction=0.0, metrics=None, verbose=0,
        learning_rate=LearningRate(rate.slowed, source),
    )  # fmt: skip


class StopsWith:
    """A callback that ends a training when another trainer is to be stopped."""

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer

    def __call__(self, again: Any, epoch: int, logs: dict[str, float]) -> None:
        again.stop_training = self._trainer.stop_training
