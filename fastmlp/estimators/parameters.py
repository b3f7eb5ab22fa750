"""Parameters of both estimators: their names, and the values that ``fit`` accepts."""

import copy
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from ..settings.checks import LEARNED_SCALINGS
from .scikit_learn import HasMethods, Interval, Options, StrOptions, clone_parametrized

_COUNT = Interval(Integral, 1, None, closed="left")
_NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
_POSITIVE = Interval(Real, 0, None, closed="neither")
_FRACTION = Interval(Real, 0, 1, closed="left")


# What fit accepts of each, in the terms of scikit-learn's checks.
CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", _COUNT],
    "activation": [StrOptions({"identity", "logistic", "tanh", "relu"})],
    "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
    "alpha": [_NOT_NEGATIVE],
    "batch_size": [StrOptions({"auto"}), _COUNT],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
    "learning_rate_init": [_POSITIVE],
    "power_t": [_NOT_NEGATIVE],
    "max_iter": [_COUNT],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [_NOT_NEGATIVE],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [_FRACTION],
    "beta_1": [_FRACTION],
    "beta_2": [_FRACTION],
    "epsilon": [_POSITIVE],
    "n_iter_no_change": [_COUNT, Options(Real, {np.inf})],
    "max_fun": [_COUNT],
    "dropout": [_FRACTION, "array-like"],
    "scaling": [StrOptions({"auto", *LEARNED_SCALINGS}), _POSITIVE, "array-like", None],
    "scoring": [str, callable, None],
    "time_budget": [_POSITIVE, None],
    "threads": [_COUNT, None],
    "dtype": [
        StrOptions({"float32", "float64"}), Options(type, {np.float32, np.float64}), None,
    ],
    "callbacks": [callable, HasMethods("for_fit"), "array-like", None],
}  # fmt: skip


class Parameters(BaseEstimator):
    """Base that stores the parameters as they are given; ``fit`` checks them."""

    hidden_layer_sizes: Any
    activation: str
    solver: str
    alpha: float
    batch_size: int | str
    learning_rate: str
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    random_state: Any
    tol: float
    verbose: int
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float
    max_fun: int
    dropout: Any
    scaling: Any
    scoring: Any
    time_budget: float | None
    threads: int | None
    dtype: Any
    callbacks: Any

    def __sklearn_clone__(self) -> Any:
        """A copy that is not fitted, and shares the callbacks, as copies of a trainer do."""
        new = clone_parametrized(copy.copy(self).set_params(callbacks=None))
        new.callbacks = self.callbacks
        return new

    def _store(self, given: Mapping[str, Any]) -> None:
        """Store the arguments of the constructor, from its ``locals()``."""
        self.__dict__.update((name, value) for name, value in given.items() if name != "self")
