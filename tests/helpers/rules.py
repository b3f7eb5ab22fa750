"""The update rules: what makes a trainer take each, and the step of the reference that does it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from fastmlp.optimizers import SGD, Adagrad, Adam, AdamW, AMSGrad, Lion, RMSprop
from tests.helpers import reference


class Rule(NamedTuple):
    """An update rule."""

    options: dict[str, Any]  # of Trainer
    step: Callable[..., None]  # of the reference
    step_options: dict[str, Any]
    state: tuple[str, ...] = ()  # what the step calls the vectors that the rule keeps


_MOMENTS = ("first_moment", "second_moment")

RULES = {
    "sgd": Rule(
        {"optimizer": SGD(), "learning_rate": 0.1}, reference.sgd_step, {"learning_rate": 0.1}
    ),
    "momentum": Rule(
        {"optimizer": SGD(momentum=0.9), "learning_rate": 0.05},
        reference.sgd_step,
        {"learning_rate": 0.05, "momentum": 0.9},
        ("velocity",),
    ),
    "nesterov": Rule(
        {"optimizer": SGD(momentum=0.8, nesterov=True), "learning_rate": 0.05},
        reference.sgd_step,
        {"learning_rate": 0.05, "momentum": 0.8, "nesterov": True},
        ("velocity",),
    ),
    "adam": Rule(
        {"optimizer": Adam(), "learning_rate": 0.01},
        reference.adam_step,
        {"learning_rate": 0.01, "epsilon": 1e-8},
        _MOMENTS,
    ),
    "amsgrad": Rule(
        {"optimizer": AMSGrad(), "learning_rate": 0.01},
        reference.amsgrad_step,
        {"learning_rate": 0.01, "epsilon": 1e-8},
        (*_MOMENTS, "largest_moment"),
    ),
    "rmsprop": Rule(
        {"optimizer": RMSprop(), "learning_rate": 0.01},
        reference.rmsprop_step,
        {"learning_rate": 0.01, "beta2": 0.9, "epsilon": 1e-7},
        ("second_moment",),
    ),
    "adagrad": Rule(
        {"optimizer": Adagrad(), "learning_rate": 0.05},
        reference.adagrad_step,
        {"learning_rate": 0.05, "epsilon": 1e-7},
        ("accumulator",),
    ),
    "lion": Rule(
        {"optimizer": Lion(), "learning_rate": 0.002},
        reference.lion_step,
        {"learning_rate": 0.002, "beta1": 0.9, "beta2": 0.99},
        ("first_moment",),
    ),
}


def decaying(optimizer: Any, decay: float) -> Any:
    """The same with weight decay: Adam that decays is AdamW."""
    known = AdamW(**vars(optimizer)) if type(optimizer) is Adam else optimizer
    return replace(known, weight_decay=decay)
