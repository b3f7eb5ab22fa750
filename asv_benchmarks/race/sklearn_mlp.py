"""scikit-learn: one fit of MLPClassifier, which prints a line at the end of every epoch."""

import sys
import warnings
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np

from .jobs import Array
from .run import BETA1, BETA2, EPSILON, Run

IMPORTS = ("sklearn.neural_network",)


class _LapCounter(StringIO):
    """Ends a lap at each epoch's line; single epochs by partial_fit would check X every time."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    def write(self, text: str) -> int:
        if text.startswith("Iteration"):
            self._run.lap()
        return len(text)


def train(run: Run, neural_network: Any) -> list[Array]:
    job = run.job
    model = neural_network.MLPClassifier(
        job.layer_sizes[1:-1],
        solver=job.optimizer,
        alpha=0,
        batch_size=job.batch_size,
        learning_rate_init=job.learning_rate,
        momentum=0,
        nesterovs_momentum=False,
        beta_1=BETA1,
        beta_2=BETA2,
        epsilon=EPSILON,
        max_iter=run.epochs,
        tol=0,
        n_iter_no_change=run.epochs + 1,
        random_state=1,
        verbose=True,
    )
    with warnings.catch_warnings(), redirect_stdout(_LapCounter(run)):
        # It warns that it has not converged.
        warnings.simplefilter("ignore")
        run.start()
        model.fit(run.X, run.Y)
    if len(run.seconds) != run.epochs:
        sys.exit(f"scikit-learn printed {len(run.seconds)} epochs of {run.epochs}")
    pairs = zip(model.coefs_, model.intercepts_, strict=True)
    weights = [array for pair in pairs for array in pair]
    if job.layer_sizes[-1] == 2:
        # One logistic output: the difference of two softmax outputs.
        weights[-2:] = [_two_outputs(weights[-2]), _two_outputs(weights[-1])]
    return weights


def _two_outputs(weights: Array) -> Array:
    return np.stack([np.zeros_like(weights[..., 0]), weights[..., 0]], axis=-1)
