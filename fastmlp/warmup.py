"""Compile kernels before the first fit or prediction."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .kernels.runs.plan import MAX_CHUNK
from .losses import Loss, SoftmaxCrossEntropy
from .settings import SETTINGS, check_setting, choices, resolved
from .trainer import Trainer

_SOME_ROWS = 1_000

# Settings that do not affect which kernels are compiled, and may not suit the random rows here.
_LEFT_OUT: dict[str, Any] = {
    "callbacks": (), "class_weight": None, "early_stopping": False, "epochs": 1, "metrics": "auto",
    "refit": False, "schedule": None, "seed": 0, "time_budget": None, "validation_fraction": 0.0,
    "validation_split": "auto",
}  # fmt: skip


def warmup(trainer: Trainer | None = None, *, n_features: int = 100, n_classes: int = 10) -> None:
    """Compile the kernels of a trainer, or load them from disk; the trainer stays unchanged.

    Otherwise the first fit and the first predictions do that; call it when a server or a worker
    starts. It covers rows of the trainer's dtype, without many zeros and without sample weights;
    kernels for others, such as uint8, are still compiled when needed.

    Parameters
    ----------
    trainer : Trainer, optional
        Kernels of a fit and of predictions are compiled; if it has weights, those of a fit only
        with ``warm_start``. By default ``Trainer()``.
    n_features, n_classes : int
        Sizes of the data, for a trainer without weights; the loss "auto" is that for classes.

    Raises
    ------
    TypeError, ValueError
        If ``trainer`` is no Trainer, its settings contradict each other, or a size is too small.
    """
    if trainer is None:
        trainer = Trainer()
    if not isinstance(trainer, Trainer):
        raise TypeError(f"trainer must be a Trainer; got {type(trainer).__name__}")
    settings: dict[str, Any] = {name: getattr(trainer, name) for name in SETTINGS} | _LEFT_OUT
    settings["loss"] = check_setting("loss", trainer.loss) or SoftmaxCrossEntropy()
    has_weights = hasattr(trainer, "layer_sizes_")
    if settings["loss"].targets == "labels" and n_classes == 2:
        n_classes = 1  # one output for two classes
    if has_weights:
        n_features = trainer.model_.encoding.inputs.columns.n_inputs
        n_classes = trainer.layer_sizes_[-1]
        settings["dtype"] = trainer.get_weights()[0].dtype  # the setting may have changed
        settings["loss"] = trainer.model_.encoding.outputs.loss
    # Larger batches use the same kernels; fewer rows than 256 get no bins.
    batch = 0 if isinstance(trainer.batch_size, str) else trainer.batch_size
    n_rows = max(min(batch, 2 * MAX_CHUNK), 2 * n_classes, 300)
    rows = np.random.default_rng(0).standard_normal((n_rows, n_features), np.float32)
    Y = _targets(settings["loss"], n_rows, n_classes)
    # Automatic scaling treats features of unit size and others differently.
    either = not has_weights and isinstance(trainer.scaling, str) and trainer.scaling == "auto"
    for unit in (1, 100) if either else (1,):
        probe = Trainer(**settings)
        X = rows.astype(probe.dtype) * unit
        if has_weights:
            probe.set_weights(trainer.get_weights(), scaling=trainer.scaling_)
        if trainer.warm_start or not has_weights:
            probe.fit(X, Y, validation_data=(X, Y) if _validates(trainer) else None)
        probe.predict(X)
        probe.predict(X[:1])


def _validates(trainer: Trainer) -> bool:
    """Whether a fit will hold out rows for validation."""
    return resolved(choices(trainer), _SOME_ROWS, validated=False).validation_fraction > 0


def _targets(loss: Loss, n_rows: int, n_outputs: int) -> npt.NDArray[Any]:
    """Targets that the loss accepts."""
    labels = np.arange(n_rows) % max(n_outputs, 2)
    if loss.targets == "classes" or (loss.targets == "labels" and n_outputs == 1):
        return labels
    if loss.targets == "labels":
        return (labels[:, None] >= np.arange(n_outputs)).astype(np.int64)
    if loss.count > 1 or n_outputs == 1:
        return labels + 0.5
    return np.stack([labels + 0.5] * n_outputs, axis=1)
