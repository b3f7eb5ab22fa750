"""How long does prediction take, for one row and for many? 784-128-10; one row of 28-64-2 too."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from asv_benchmarks import as_they_come
from fastmlp import Trainer

N_ROWS = 10_000
SINGLE_ROWS = 1_000


@cache
def trained() -> tuple[Trainer, npt.NDArray[Any], npt.NDArray[Any]]:
    """A trainer with compiled predictions, rows without zeros, and labels."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_ROWS, 784), np.float32)
    Y = np.arange(N_ROWS) % 10
    trainer = Trainer(
        hidden=128, optimizer="sgd", batch_size=100, epochs=1, learning_rate=0.001, seed=0,
        **as_they_come(Trainer),
    )  # fmt: skip
    trainer.fit(X[:1_000], Y[:1_000])
    trainer.predict_proba(X)
    trainer.predict_proba(X[:1])
    trainer.evaluate(X, Y)
    return trainer, X, Y


@cache
def trained_small() -> tuple[Trainer, npt.NDArray[Any]]:
    """A trainer of few weights and a row, for which most time is spent outside of kernels."""
    X = np.random.default_rng(0).standard_normal((1_000, 28), np.float32)
    trainer = Trainer(hidden=64, epochs=1, seed=0, **as_they_come(Trainer))
    trainer.fit(X, np.arange(1_000) % 2)
    row = X[:1]
    trainer.predict_proba(row)
    return trainer, row


class Prediction:
    def setup(self) -> None:
        self.trainer, self.X, self.Y = trained()
        self.row = self.X[:1]

    def time_1000_times_one_row(self) -> None:
        for _ in range(SINGLE_ROWS):
            self.trainer.predict_proba(self.row)

    def time_10000_rows(self) -> None:
        self.trainer.predict_proba(self.X)

    def time_10000_labels(self) -> None:
        self.trainer.predict(self.X)

    def time_evaluate_10000_rows(self) -> None:
        self.trainer.evaluate(self.X, self.Y)


class OneRow:
    """Predictions of single rows of few features, with few weights."""

    number = 1_000

    def setup(self) -> None:
        self.trainer, self.row = trained_small()

    def time_probabilities(self) -> None:
        self.trainer.predict_proba(self.row)

    def time_label(self) -> None:
        self.trainer.predict(self.row)
