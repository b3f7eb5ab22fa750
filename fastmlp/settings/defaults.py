"""What settings that are "auto" become, by the number of rows and by other settings.

Chosen by the test scores of the tables to tune on of ``asv_benchmarks/defaults``, of late by those
to check on too, and for many rows by those of MNIST; nothing is chosen by the tables that are held
back.
"""

import math
from typing import Any

from ..callbacks import EarlyStopping
from ..schedules import OneCycle
from . import Settings

# Batches: a power of 2, about twenty of them an epoch where there are few rows.
_SMALLEST_BATCH, LARGEST_BATCH, _BATCHES = 16, 128, 20
_VALIDATION_FRACTION = 0.15
# Fewer rows are all trained on: what is kept of them would say little.
_FEWEST_TO_SPLIT = 40
_MOST_EPOCHS, _FEWEST_EPOCHS = 400, 10
# Where early stopping ends the training, and where nothing does.
_MOST_UPDATES, _UPDATES = 60_000, 3_000
# Epochs; of averaged weights, whose losses hardly jump, 8 to 40 gave the same.
_PATIENCE, _AVERAGED_PATIENCE = 20, 10
# So many rows get a fixed number of updates, at a rate that falls to nothing: on MNIST
# that reached 98.2% in 15 epochs, early stopping at a constant rate 97.6 to 98.0% in 17 to 22.
_MANY_ROWS, _MANY_UPDATES, _HIGH_RATE = 20_000, 7_000, 0.003
# Where early stopping is automatic: averaged weights gave R² +0.003, a higher rate with them as
# much again; accuracy stayed.
_AVERAGING = 0.9
# A linear model has little to overfit: it trains on all rows, as scikit-learn's. On the tables to
# tune on that came within 0.001 of its logistic and ridge regression, early stopping only within
# 0.003 and 0.005.
_LINEAR_RATE = 0.01
# Passes over a stream, whose rows are not known.
_STREAM_EPOCHS = 10


def resolved(
    settings: Settings, n_rows: int, *, validated: bool, open_ended: bool = False
) -> Settings:
    """Settings of which none is "auto".

    Parameters
    ----------
    n_rows : int
        Rows that are given, without those of weight 0; of a stream, those of a chunk.
    validated : bool
        Whether rows to validate on are given, too.
    open_ended : bool
        Whether more rows may come, of which none are kept for validation.
    """
    stopping: Any = settings.early_stopping
    automatic = settings.epochs == "auto" and settings.early_stopping == "auto"
    linear, many = len(settings.hidden) == 0, n_rows >= _MANY_ROWS
    falls = automatic and settings.schedule == "auto" and (linear or many) and not open_ended
    if stopping == "auto":
        may_stop = validated or (not open_ended and n_rows >= _FEWEST_TO_SPLIT)
        stopping = EarlyStopping() if automatic and may_stop and not falls else None
    fraction: Any = settings.validation_fraction
    if fraction == "auto":
        wanted = stopping is not None and stopping.is_validated
        fraction = _VALIDATION_FRACTION if wanted and not (validated or open_ended) else 0.0
    n_train = max(1, math.floor(n_rows * (1 - fraction)))  # none is an error, but not here
    batch: Any = settings.batch_size
    if batch == "auto":
        power = round(math.log2(max(1, n_train / _BATCHES)))
        batch = min(LARGEST_BATCH, max(_SMALLEST_BATCH, 2**power))
    per_epoch = math.ceil(n_train / batch)
    epochs: Any = settings.epochs
    if epochs == "auto" and open_ended:
        epochs = _STREAM_EPOCHS
    elif epochs == "auto":
        updates = _UPDATES if stopping is None else _MOST_UPDATES
        updates = _MANY_UPDATES if falls and many else updates
        epochs = min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, math.ceil(updates / per_epoch)))
    averaging: Any = settings.weight_averaging
    averages = settings.early_stopping == "auto" and stopping is not None
    if averaging == "auto":
        averaging = _AVERAGING if averages else 0.0
    if averages:
        stopping = EarlyStopping(patience=_AVERAGED_PATIENCE if averaging else _PATIENCE)
    schedule: Any = settings.schedule
    if schedule == "auto":
        schedule = OneCycle() if falls else None
    rate, own = settings.learning_rate, settings.optimizer.learning_rate
    if rate is None and own is None and (falls or (averages and averaging > 0)):
        default = _LINEAR_RATE if linear else _HIGH_RATE
        rate = default if settings.optimizer.default_rate < default else None
    return settings.changed(
        early_stopping=stopping, validation_fraction=fraction, batch_size=batch, epochs=epochs,
        schedule=schedule, learning_rate=rate, weight_averaging=averaging,
    )  # fmt: skip


def told(given: Settings, became: Settings) -> dict[str, Any]:
    """What settings that were "auto" became, as plain values; for early stopping its patience."""
    names = (
        "epochs", "batch_size", "validation_fraction", "early_stopping", "schedule",
        "weight_averaging",
    )  # fmt: skip
    values = {name: getattr(became, name) for name in names if getattr(given, name) == "auto"}
    if "early_stopping" in values:
        stopping = values.pop("early_stopping")
        values["patience"] = stopping and stopping.patience
    if "schedule" in values:
        values["schedule"] = "constant" if became.schedule is None else "one_cycle"
    own = given.learning_rate is not None or given.optimizer.learning_rate is not None
    if not (own or given.rates_are_scheduled):
        values["learning_rate"] = became.resolved_rate(became.learning_rate)
    return values
