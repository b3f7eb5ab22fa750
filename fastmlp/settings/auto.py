"""Values of settings that are "auto", computed from the number of rows and other settings.

Chosen by the test scores of the tuning tables of ``asv_benchmarks/defaults``, of late also of the
checking tables, and for many rows of MNIST; never by the tables held back. Piecewise scaling gave
mean accuracy +0.005 and mean R² +0.016 over robust scaling, averaged weights R² +0.006. Dropout,
weight decay, penalties, other rates, schedules and batches, label smoothing, smooth activations,
more units and more layers each changed one of them by less than 0.005, or lowered one; a refit adds
0.0035 to both, for half as much time again. On MNIST the defaults reach 98.02 to 98.23% over 6
seeds.
"""

import math
from typing import Any, Literal, TypeVar

from ..callbacks import EarlyStopping
from ..schedules import OneCycle
from .fit_settings import Auto, Choices, FitSettings, LearningRate

T = TypeVar("T")

# Batch sizes are powers of 2; with few rows, about twenty batches make an epoch.
_SMALLEST_BATCH, LARGEST_BATCH, _BATCHES = 16, 128, 20
_VALIDATION_FRACTION = 0.15
# With fewer rows all are trained on: 15% of them would validate too little.
_FEWEST_TO_SPLIT = 40
_MOST_EPOCHS, _FEWEST_EPOCHS = 400, 10
# Updates with early stopping, and without.
_MOST_UPDATES, _UPDATES = 60_000, 3_000
# Epochs. Losses of averaged weights hardly fluctuate; with them 8 to 40 gave the same scores.
_PATIENCE, _AVERAGED_PATIENCE = 20, 10
# From this number of rows on, a fixed number of updates and a rate that falls to zero: on MNIST it
# reached 98.2% in 15 epochs, early stopping at a constant rate 97.6 to 98.0% in 17 to 22.
_MANY_ROWS, _MANY_UPDATES, _HIGH_RATE = 20_000, 7_000, 0.003
# With automatic early stopping: averaged weights gave R² +0.003, a higher rate with them another
# +0.003; accuracy stayed.
_AVERAGING = 0.9
# A linear model hardly overfits: it trains on all rows, as scikit-learn's. On the tuning tables
# this came within 0.001 of its logistic and ridge regression, early stopping only within 0.003
# and 0.005.
_LINEAR_RATE = 0.01
# Epochs of a stream, whose number of rows is unknown.
_STREAM_EPOCHS = 10


def resolved(
    choices: Choices,
    n_rows: int,
    *,
    validated: bool,
    open_ended: bool = False,
) -> FitSettings:
    """Return the settings of a fit, with "auto" replaced by values.

    Parameters
    ----------
    choices : Choices
    n_rows : int
        Rows given, without those of weight 0; for a stream, those of its first chunk.
    validated : bool
        Whether validation data are given.
    open_ended : bool
        Whether more rows may follow; then none are held out for validation.
    """
    ending = _ending(choices, n_rows, validated=validated, open_ended=open_ended)
    averaging = _or(choices.weight_averaging, _AVERAGING if ending == "early" else 0.0)
    patience = _AVERAGED_PATIENCE if averaging else _PATIENCE
    early = EarlyStopping(patience=patience) if ending == "early" else None
    stopping = _or(choices.early_stopping, early)
    splits = stopping is not None and stopping.is_validated and not (validated or open_ended)
    fraction = _or(choices.validation_fraction, _VALIDATION_FRACTION if splits else 0.0)
    n_train = max(1, training_count(n_rows, fraction))  # 0 is an error, but not here
    batch_size = _or(choices.batch_size, _batch_size(n_train))
    updates = _UPDATES if stopping is None else _MOST_UPDATES
    updates = _MANY_UPDATES if ending == "cycle" and n_rows >= _MANY_ROWS else updates
    epochs = _STREAM_EPOCHS if open_ended else _epochs(updates, math.ceil(n_train / batch_size))
    high_rate = 0.0
    if ending == "cycle" or (ending == "early" and averaging > 0):
        high_rate = _HIGH_RATE if choices.hidden else _LINEAR_RATE
    changes = {
        "early_stopping": stopping,
        "validation_fraction": fraction,
        "batch_size": batch_size,
        "epochs": _or(choices.epochs, epochs),
        "schedule": _or(choices.schedule, OneCycle() if ending == "cycle" else None),
        "weight_averaging": averaging,
        "learning_rate": _learning_rate(choices, high_rate),
        "open_ended": open_ended,
    }
    return FitSettings(**vars(choices) | changes)


def _ending(
    choices: Choices, n_rows: int, *, validated: bool, open_ended: bool
) -> Literal["cycle", "early", "given"]:
    """What ends a fit: a cycle of the learning rate, early stopping, or the given settings."""
    if choices.epochs != "auto" or choices.early_stopping != "auto":
        return "given"
    cycles = len(choices.hidden) == 0 or n_rows >= _MANY_ROWS
    if cycles and choices.schedule == "auto" and not open_ended:
        return "cycle"
    may_stop = validated or (not open_ended and n_rows >= _FEWEST_TO_SPLIT)
    return "early" if may_stop else "given"


def training_count(n_rows: int, fraction: float) -> int:
    """Rows to train on, of which ``fraction`` is kept for validation: floor(rows * (1 - it))."""
    wanted = n_rows * (1 - fraction)
    # 10 * (1 - 0.9) is 0.9999999999999998, but 1 is meant.
    return round(wanted) if math.isclose(wanted, round(wanted)) else math.floor(wanted)


def _or(choice: T | Auto, default: T) -> T:
    """The choice, or the default where it is "auto"."""
    return default if isinstance(choice, str) else choice


def _batch_size(n_train: int) -> int:
    power = round(math.log2(max(1, n_train / _BATCHES)))
    return int(min(LARGEST_BATCH, max(_SMALLEST_BATCH, 2**power)))


def _epochs(updates: int, per_epoch: int) -> int:
    return min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, math.ceil(updates / per_epoch)))


def _learning_rate(choices: Choices, high_rate: float) -> LearningRate:
    """The rate given to the trainer or its optimizer, else the default."""
    given, optimizer = choices.learning_rate, choices.optimizer
    if callable(choices.schedule):
        return LearningRate(optimizer.rate, "scheduled")
    if given is not None or optimizer.learning_rate is not None:
        return LearningRate(optimizer.rate if given is None else given, "given")
    return LearningRate(max(optimizer.rate, high_rate), "chosen")


def auto_values(choices: Choices, settings: FitSettings, loss: str) -> dict[str, Any]:
    """Plain values of settings that were "auto"; early stopping by patience, loss by name."""
    names = (
        "epochs", "batch_size", "validation_fraction", "early_stopping", "schedule",
        "weight_averaging",
    )  # fmt: skip
    values = {name: getattr(settings, name) for name in names if getattr(choices, name) == "auto"}
    if "early_stopping" in values:
        stopping = values.pop("early_stopping")
        values["patience"] = stopping and stopping.patience
    if "schedule" in values:
        values["schedule"] = "constant" if settings.schedule is None else "one_cycle"
    if settings.learning_rate.source == "chosen":
        values["learning_rate"] = settings.learning_rate.value
    if choices.loss is None:
        values["loss"] = loss
    return values
