"""Compiling before the first fit or prediction."""

from typing import Any

import numpy as np

from .kernels.runs.plan import MAX_CHUNK
from .trainer import Trainer
from .validation import SETTINGS


def warmup(trainer: Trainer | None = None, *, n_features: int = 100, n_classes: int = 10) -> None:
    """Compile what a trainer will run, or load it from the disk; the trainer stays as it is.

    Otherwise the first fit and the first predictions do that. Worth a call where a server or a
    worker starts. It covers rows of the trainer's dtype without many zeros; what others need, such
    as uint8, is still compiled when they come.

    Parameters
    ----------
    trainer : Trainer, optional
        Without weights, a fit and predictions are compiled; with weights, predictions and, if
        ``warm_start``, a fit. By default ``Trainer()``.
    n_features, n_classes : int
        Sizes that a trainer without weights will meet.

    Raises
    ------
    TypeError, ValueError
        If ``trainer`` is none, its settings contradict one another, or a size is too small.
    """
    if trainer is None:
        trainer = Trainer()
    if not isinstance(trainer, Trainer):
        raise TypeError(f"trainer must be a Trainer; got {type(trainer).__name__}")
    settings: dict[str, Any] = {name: getattr(trainer, name) for name in SETTINGS}
    settings |= {"callbacks": (), "epochs": 1, "seed": 0}
    has_weights = hasattr(trainer, "layer_sizes_")
    if has_weights:
        n_features, *_, n_classes = trainer.layer_sizes_
        settings["dtype"] = trainer.get_weights()[0].dtype  # the setting may be another by now
    probe = Trainer(**settings)
    if has_weights:
        probe.set_weights(trainer.get_weights())
    # Larger batches are worked on in the same way.
    n_rows = max(min(trainer.batch_size, 2 * MAX_CHUNK), 2 * n_classes, 200)
    rows = np.random.default_rng(0).standard_normal((n_rows, n_features), np.float32)
    X = rows.astype(probe.dtype)
    if trainer.warm_start or not has_weights:
        probe.fit(X, np.arange(n_rows) % n_classes)
    probe.predict(X)
    probe.predict(X[:1])
