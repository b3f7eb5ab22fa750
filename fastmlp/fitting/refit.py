"""Training once more on all rows, for as long as turned out best with some of them kept."""

import time
import warnings
from types import SimpleNamespace
from typing import Any

from ..data import outside
from ..network.model import Model
from .dataset import FitData, fit_data
from .diagnostics import FitWarning
from .loop import Fit
from .progress import say


def refitted(trainer: Any, found: FitData, X: Any, Y: Any, sample_weight: Any) -> Model | None:
    """What a training on all rows leaves; None if it diverged, or was to be stopped.

    Parameters
    ----------
    trainer : Trainer
        Whose fit has ended; it keeps what it has learned.
    found : FitData
        Of that fit: its settings are used, as they became, but for what ended it.
    X, Y, sample_weight
        What was given to it.
    """
    rate = trainer.auto_.get("learning_rate", found.settings.learning_rate)
    settings = found.settings.changed(
        epochs=trainer.best_epoch_ + 1, early_stopping=None, validation_fraction=0.0,
        learning_rate=rate, metrics=None, verbose=0, callbacks=(_StopsWith(trainer),),
    )  # fmt: skip
    data = fit_data(X, Y, sample_weight, None, settings, None)
    if found.settings.verbose:
        say(f"once more, on all {len(data.X):,} rows: {settings.epochs} epochs")
    again = SimpleNamespace(learning_rate=settings.resolved_rate(rate))
    trainer.stop_training = False
    try:
        Fit(again, data, None, began=time.perf_counter()).run()
    except FloatingPointError as error:
        warnings.warn(
            f"the training on all rows failed, so that on a part of them stays: {error}",
            FitWarning,
            stacklevel=outside(),
        )
        return None
    return None if trainer.stop_training else again._model


class _StopsWith:
    """Ends a training when another one is to be stopped."""

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer

    def __call__(self, again: Any, epoch: int, logs: dict[str, float]) -> None:
        again.stop_training = self._trainer.stop_training
