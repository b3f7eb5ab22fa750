"""Checks of settings that contradict each other, or have no effect together."""

from typing import Any

from ..callbacks import EarlyStopping
from ..schedules import Constant, InverseScaling, ReduceOnPlateau
from .fit_settings import Choices


def check_together(choices: Choices) -> None:
    """Check combinations of settings that are each valid alone.

    Raises
    ------
    ValueError
        If one has no effect beside another, or contradicts it.
    """
    _check_layers(choices)
    if choices.refit:
        _check_refit(choices)
    own = choices.optimizer.learning_rate
    got = f"got learning_rate={choices.learning_rate!r}"
    if own is not None and choices.learning_rate is not None:
        raise ValueError(
            f"learning_rate has no effect beside optimizer={choices.optimizer!r}; {got}"
        )
    if (own or choices.learning_rate) is not None:
        check_rate_has_effect(choices.schedule, choices.learning_rate)


def check_rate_has_effect(schedule: Any, learning_rate: float | None) -> None:
    """Raise a ValueError for a learning rate given together with a function as schedule."""
    if callable(schedule):
        raise ValueError(
            "learning_rate has no effect beside a function as schedule, which gives it; "
            f"got learning_rate={learning_rate!r}"
        )


def _check_layers(choices: Choices) -> None:
    """Refuse settings for another number of layers, or for hidden layers of a linear model."""
    count = len(choices.hidden)
    activation, dropout = choices.activation, choices.dropout
    got = f"got activation={activation!r} and hidden={choices.hidden}"
    if isinstance(activation, tuple) and len(activation) != count:
        raise ValueError(f"activation must be one name, or one for each hidden layer; {got}")
    if count == 0 and activation not in ("relu", ()):
        raise ValueError(f"activation has no effect without hidden layers; {got}")
    got = f"got dropout={dropout!r} and hidden={choices.hidden}"
    if isinstance(dropout, tuple) and len(dropout) != count + 1:
        wanted = "one number for all hidden layers, or one for the input and each of them"
        raise ValueError(f"dropout must be {wanted}; {got}")
    if count == 0 and isinstance(dropout, float) and dropout > 0:
        wanted = "(fraction,) drops features"
        raise ValueError(f"dropout has no effect without hidden layers, {wanted}; {got}")


def _check_refit(choices: Choices) -> None:
    """Refuse a refit without early stopping on held-out rows, or one that cannot start afresh."""
    stopping, fraction = choices.early_stopping, choices.validation_fraction
    if stopping is None or (stopping == "auto" and choices.epochs != "auto"):
        got = f"early_stopping={stopping!r} and epochs={choices.epochs!r}"
        raise ValueError(f"refit has no effect without early stopping; got {got}")
    monitors_loss = isinstance(stopping, EarlyStopping) and not stopping.is_validated
    if fraction == 0 or (fraction == "auto" and monitors_loss):
        got = f"validation_fraction={fraction!r} and early_stopping={stopping!r}"
        raise ValueError(f"refit has no effect without rows kept for validation; got {got}")
    for name in ("warm_start", "time_budget"):
        if value := getattr(choices, name):
            raise ValueError(f"refit trains afresh, without {name}; got {name}={value!r}")


def check_open_ended(choices: Choices, method: str) -> None:
    """Raise a ValueError for a setting without effect in ``partial_fit`` or ``fit_stream``."""
    schedule = choices.schedule
    by_update = isinstance(schedule, Constant | InverseScaling | ReduceOnPlateau)
    if schedule not in (None, "auto") and not (by_update or callable(schedule)):
        raise ValueError(
            f"schedule must not go by the number of updates in {method}; got {schedule}"
        )
    if choices.class_weight == "balanced":
        raise ValueError(
            f"class_weight='balanced' needs all rows at once, which {method} does not see: give a "
            "dict of the classes and their weights"
        )
    if choices.validation_fraction not in ("auto", 0):
        got = f"got {choices.validation_fraction}"
        raise ValueError(f"validation_fraction has no effect in {method}; {got}")
    if method == "partial_fit":
        for name in ("early_stopping", "time_budget"):
            if (value := getattr(choices, name)) not in (None, "auto"):
                raise ValueError(f"{name} has no effect in {method}; got {value}")


def other_network(got: str) -> ValueError:
    """The error for a setting that a network to be continued does not have."""
    return ValueError(f"warm_start continues a network as it is; got {got}")
