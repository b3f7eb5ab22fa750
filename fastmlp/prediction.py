"""Passing arrays through a network: probabilities, or loss and accuracy."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from .kernels.launch import Job, tables, usable_threads
from .kernels.plan import IOTA, aligned_zeros, make_plan
from .network import Floats, Network

_CHUNK = 96

_NO_LABELS = np.empty(0, np.int32)
_NO_TOTALS = np.empty(0)


class _Workspace:
    """Memory and job for predictions of one shape; one call at a time uses it."""

    def __init__(
        self, network: Network, chunk: int, n_threads: int, in_place: bool, input_scale: float
    ) -> None:
        plan = make_plan(network.layer_sizes, network.dtype, chunk=chunk, input_in_place=in_place)
        shift = plan.memory_size - plan.scratch_start
        memory = aligned_zeros(plan.scratch_start + n_threads * shift, network.dtype)
        memory[: network.packed.size] = network.packed
        self.chunk = chunk
        self.iota = plan.index_table[plan.sizes[IOTA] :][:chunk]
        self.job = Job(
            "predict", memory, n_threads, **tables(plan), shift=shift,
            input_scale=np.array([input_scale]),
        )  # fmt: skip


@contextmanager
def _workspace(
    network: Network, n: int, threads: int | None, in_place: bool, input_scale: float
) -> Iterator[_Workspace]:
    """Borrow a workspace that the network keeps; calls at the same time get one each."""
    chunk = 1 if n == 1 else _CHUNK
    n_threads = 1 if n <= chunk else min(usable_threads(threads), -(-n // chunk))
    key = chunk, n_threads, in_place, input_scale
    free = network.workspaces.setdefault(key, [])
    try:
        workspace = free.pop()
    except IndexError:
        workspace = _Workspace(network, *key)
    yield workspace
    free.append(workspace)


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
    with _workspace(network, n, threads, in_place, input_scale) as space:
        probabilities = np.empty((0 if labels.size else n, classes), network.dtype)
        totals = np.zeros((-(-n // space.chunk), 2)) if labels.size else _NO_TOTALS
        order = space.iota[:n] if n <= space.chunk else np.arange(n)
        space.job.set_rows(X, order, in_place=in_place)
        space.job.set(
            labels=labels, n_labels=labels.size, totals=totals, probabilities=probabilities
        )
        space.job.run()
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
    probabilities = _run(network, X, _NO_LABELS, threads, input_scale)[0]
    _check_finite(float(probabilities.sum()))
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
