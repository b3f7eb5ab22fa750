"""Passing arrays through a network: probabilities, or loss and accuracy."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .kernels.launch import Job, tables, usable_threads
from .kernels.plan import aligned_zeros, make_plan
from .network import Floats, Network

_CHUNK = 96

_NO_LABELS = np.empty(0, np.int32)
_NO_TOTALS = np.empty(0)


class _Workspace:
    """Memory and job for the predictions of many rows; one call at a time uses it."""

    def __init__(
        self, network: Network, chunk: int, n_threads: int, in_place: bool, input_scale: float
    ) -> None:
        plan = make_plan(network.layer_sizes, network.dtype, chunk=chunk, input_in_place=in_place)
        shift = plan.memory_size - plan.scratch_start
        memory = aligned_zeros(plan.scratch_start + n_threads * shift, network.dtype)
        memory[: network.packed.size] = network.packed
        self.job = Job(
            "predict", memory, n_threads, **tables(plan), shift=shift,
            input_scale=np.array([input_scale]),
        )  # fmt: skip


class _RowWorkspace:
    """The same for single rows: they are copied, so that no address changes between two calls."""

    def __init__(self, network: Network, dtype: np.dtype, input_scale: float) -> None:
        in_place = network.reads_in_place(dtype, input_scale)
        self.job = _Workspace(network, 1, 1, in_place, input_scale).job
        self._order = np.zeros(1, np.int64)
        self.row = np.empty((1, network.layer_sizes[0]), dtype)
        self.probabilities = np.empty((1, network.layer_sizes[-1]), network.dtype)
        self.job.set_rows(self.row, self._order, in_place=in_place)
        self.job.set(probabilities=self.probabilities)


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


def _run(
    network: Network,
    X: npt.NDArray[np.generic],
    labels: npt.NDArray[np.int32],
    threads: int | None,
    input_scale: float,
) -> tuple[Floats, npt.NDArray[np.float64]]:
    """Probabilities, or with labels the (loss, hits) of each chunk."""
    in_place = network.reads_in_place(X.dtype, input_scale)
    n, classes = len(X), network.layer_sizes[-1]
    n_threads = min(usable_threads(threads), -(-n // _CHUNK))
    space, free = _borrow(network, _Workspace, _CHUNK, n_threads, in_place, input_scale)
    probabilities = np.empty((0 if labels.size else n, classes), network.dtype)
    totals = np.zeros((-(-n // _CHUNK), 2)) if labels.size else _NO_TOTALS
    order = np.arange(n)
    space.job.set_rows(X, order, in_place=in_place)
    space.job.set(labels=labels, n_labels=labels.size, totals=totals, probabilities=probabilities)
    space.job.run()
    free.append(space)
    return probabilities, totals


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
        probabilities = _run(network, X, _NO_LABELS, threads, input_scale)[0]
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
    loss, hits = _run(network, X, labels, threads, input_scale)[1].sum(axis=0).tolist()
    _check_finite(loss)
    return loss / len(X), hits / len(X)
