"""Small trainers and rows, for tests of what a trainer does."""

from itertools import pairwise
from typing import Any

import numpy as np

from fastmlp import Trainer
from fastmlp.optimizers import OPTIMIZERS as NAMED
from fastmlp.settings import SETTINGS, FitSettings, Settings, choices, resolved
from tests.helpers.basics import Array
from tests.helpers.rules import RULES

# Rules with up to three vectors of state, and with state that does not begin at zero. Optimizers
# are given by name where there is one, as a pickle then holds nothing else of the package.
OPTIMIZERS = {
    name: RULES[name].options | ({"optimizer": name} if name in NAMED else {})
    for name in ("sgd", "momentum", "nesterov", "adam", "amsgrad", "adagrad")
}

# Three groups of rows around centres that a small network tells apart.
_rng = np.random.default_rng(0)
Y = np.arange(60) % 3
X = (3 * np.eye(3, 4)[Y] + _rng.normal(0, 0.3, (60, 4))).astype(np.float32)
for _array in (X, Y):
    _array.flags.writeable = False


def trainer(hidden: Any = 8, **options: Any) -> Trainer:
    settings = {
        "seed": 0, "epochs": 3, "batch_size": 16, "optimizer": "adam", "learning_rate": 0.01,
        "scaling": None, "validation_split": "last",
    }  # fmt: skip
    return Trainer(hidden, **{**settings, **options})


def fitted(hidden: Any = 8, **options: Any) -> Trainer:
    return trainer(hidden, **options).fit(X, Y)


def same_weights(one: list[Array], other: list[Array]) -> bool:
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def numbers(history: Any) -> dict[str, list[float]]:
    """The part of a history that repeats: not the times."""
    return {name: values for name, values in history.items() if name != "seconds"}


def state(of: Trainer) -> tuple[Any, ...]:
    """All that a rejected call must leave alone."""
    weights = [w.tobytes() for w in of.get_weights()]
    settings = {name: getattr(of, name) for name in SETTINGS}
    return (
        weights, dict(of.history), of.classes_.tolist(), of.layer_sizes_, of.n_iter_, settings,
    )  # fmt: skip


def random_weights(*sizes: int) -> list[Array]:
    rng = np.random.default_rng(3)
    weights = []
    for n_in, n_out in pairwise(sizes):
        weights += [rng.normal(size=(n_in, n_out)), rng.normal(size=n_out)]
    return weights


def fit_settings(n_rows: int = 1_000, **given: Any) -> FitSettings:
    """The resolved settings of a fit on ``n_rows`` rows."""
    return resolved(choices(Settings(**given)), n_rows, validated=False)
