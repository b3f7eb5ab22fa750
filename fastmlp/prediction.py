"""Passing arrays through a network: probabilities, or loss and accuracy."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from .kernels.plugins.readers import reader_of
from .kernels.runs.jobs import prediction_job
from .kernels.runs.plan import aligned_zeros, make_plan
from .kernels.runs.threads import usable_threads
from .network import Floats, Network

_CHUNK = 96

# Fewer operations are done by the calling thread: beside a busy process one more thread may begin
# some milliseconds late, which these take.
_TEAM_FLOPS = 5e8


class _Workspace:
    """Memory and job for the predictions of many rows; one call at a time uses it."""

    def __init__(
        self, network: Network, chunk: int, n_threads: int, dtype: np.dtype, input_scale: float,
        totals: bool,
    ) -> None:  # fmt: skip
        in_place = network.reads_in_place(dtype, input_scale)
        plan = make_plan(
            network.layer_sizes, network.dtype, chunk=chunk, members=n_threads, together=False,
            consecutive=in_place,
        )  # fmt: skip
        memory = aligned_zeros(plan.memory_size, network.dtype)
        memory[: network.packed.size] = network.packed
        self.in_place = in_place
        self.job = prediction_job(
            plan, memory, reader="consecutive" if in_place else reader_of(dtype),
            loss="softmax_cross_entropy",
            activations=("relu",) * (len(network.layer_sizes) - 2), totals=totals,
        )  # fmt: skip
        self.job.set(input_scale=input_scale)


class _RowWorkspace:
    """The same for single rows: they are copied, so that no address changes between two calls."""

    def __init__(self, network: Network, dtype: np.dtype, input_scale: float) -> None:
        space = _Workspace(network, 1, 1, dtype, input_scale, False)
        self.job = space.job
        self._order = np.zeros(1, np.int64)
        self.row = np.empty((1, network.layer_sizes[0]), dtype)
        self.probabilities = np.empty((1, network.layer_sizes[-1]), network.dtype)
        self.job.set_rows(self.row, self._order, in_place=space.in_place)
        self.job.set(first=0, last=1)
        self.job.point(predictions=self.probabilities)


def _borrow(network: Network, kind: Any, *key: Any) -> tuple[Any, list[Any]]:
    """A workspace that the network keeps, and where to put it back; calls at the same time get
    one each."""
    free = network.workspaces.setdefault((kind, *key), [])
    try:
        return free.pop(), free
    except IndexError:
        return kind(network, *key), free


def _predict_row(network: Network, X: npt.NDArray[np.generic], input_scale: float) -> Floats:
    space, free = _borrow(network, _RowWorkspace, X.dtype, input_scale)
    space.row[...] = X
    space.job.run()
    probabilities: Floats = space.probabilities.copy()
    free.append(space)
    return probabilities


def _team_size(network: Network, n: int, threads: int | None) -> int:
    """Threads for the predictions of ``n`` rows."""
    weights = sum(a * b for a, b in pairwise(network.layer_sizes))
    if threads is None and 2 * n * weights < _TEAM_FLOPS:
        return 1
    return min(usable_threads(threads), -(-n // _CHUNK))


def _run(
    network: Network,
    X: npt.NDArray[np.generic],
    labels: npt.NDArray[np.int32] | None,
    threads: int | None,
    input_scale: float,
) -> Floats:
    """Probabilities, or with labels the (loss, hits) of each chunk."""
    n, chunks = len(X), -(-len(X) // _CHUNK)
    n_threads = _team_size(network, n, threads)
    totals = labels is not None
    space, free = _borrow(network, _Workspace, _CHUNK, n_threads, X.dtype, input_scale, totals)
    order = np.arange(n)
    space.job.set_rows(X, order, in_place=space.in_place)
    bounds = np.arange(n_threads + 1) * chunks // n_threads
    space.job.set(first=bounds[:-1], last=bounds[1:])
    if labels is None:
        results: Floats = np.empty((n, network.layer_sizes[-1]), network.dtype)
        space.job.point(predictions=results)
    else:
        results = np.empty((chunks, 2))
        space.job.point(labels=labels, totals=results)
    space.job.run()
    free.append(space)
    return results


def _check_finite(total: float) -> None:
    if not math.isfinite(total):
        raise FloatingPointError(
            "the network's output is not finite: its weights or the values of X are too large"
        )


def predict_proba(
    network: Network, X: npt.NDArray[np.generic], threads: int | None, input_scale: float
) -> Floats:
    """Probabilities of shape (n, classes), in the network's dtype."""
    if len(X) == 1:
        probabilities = _predict_row(network, X, input_scale)
        _check_finite(probabilities.item(0))
    else:
        probabilities = _run(network, X, None, threads, input_scale)
        # If one probability of a row is not a number, then all of that row.
        _check_finite(float(probabilities[:, 0].sum()))
    return probabilities


def evaluate(
    network: Network,
    X: npt.NDArray[np.generic],
    labels: npt.NDArray[np.int32],
    threads: int | None,
    input_scale: float,
) -> tuple[float, float]:
    """(mean cross-entropy, accuracy) of class indices ``labels``."""
    loss, hits = _run(network, X, labels, threads, input_scale).sum(axis=0).tolist()
    _check_finite(loss)
    return loss / len(X), hits / len(X)
