"""Passing arrays through a network: probabilities, or loss and accuracy."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from .kernels.job import NOT_IN_PLACE, offset
from .kernels.launch import available_threads, launch, rows, tables
from .kernels.plan import IOTA, aligned_zeros, make_plan
from .network import Floats, Network

_CHUNK = 96

_NO_LABELS = np.empty(0, np.int32)
_NO_TOTALS = np.empty(0)


class _Workspace:
    """Memory for predictions of one shape; one call at a time uses it."""

    def __init__(self, network: Network, chunk: int, n_threads: int, in_place: bool) -> None:
        plan = make_plan(network.layer_sizes, network.dtype, chunk=chunk, input_in_place=in_place)
        self.chunk, self.n_threads = chunk, n_threads
        self.shift = plan.memory_size - plan.scratch_start
        self.memory = aligned_zeros(plan.scratch_start + n_threads * self.shift, network.dtype)
        self.memory[: network.packed.size] = network.packed
        self.tables = tables(plan)
        self.iota = plan.index_table[plan.sizes[IOTA] :][:chunk]


@contextmanager
def _workspace(
    network: Network, n: int, threads: int | None, in_place: bool
) -> Iterator[_Workspace]:
    """Borrow a workspace that the network keeps; calls at the same time get one each.

    Making one takes 150 us, a row through 784-128-10 a few.
    """
    chunk = 1 if n == 1 else _CHUNK
    n_threads = min(threads or available_threads(), -(-n // chunk))
    free = network.workspaces.setdefault((chunk, n_threads, in_place), [])
    try:
        workspace = free.pop()
    except IndexError:
        workspace = _Workspace(network, chunk, n_threads, in_place)
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
    # The output layer reads whole vectors, beyond the end of a row.
    linear = len(network.layer_sizes) == 2
    in_place = not linear and X.dtype == network.dtype and input_scale == 1
    n, classes = len(X), network.layer_sizes[-1]
    with _workspace(network, n, threads, in_place) as space:
        probabilities = np.empty((0 if labels.size else n, classes), network.dtype)
        totals = np.zeros((-(-n // space.chunk), 2)) if labels.size else _NO_TOTALS
        order = space.iota[:n] if n <= space.chunk else np.arange(n)
        launch(
            "predict",
            space.memory,
            space.n_threads,
            **space.tables,
            **rows(X, order, labels),
            shift=space.shift,
            input_offset=offset(X, space.memory, input_scale) if in_place else NOT_IN_PLACE,
            input_scale=np.array([input_scale]),
            totals=totals,
            probabilities=probabilities,
        )
    return probabilities, totals


def predict_proba(
    network: Network, X: npt.NDArray[np.generic], threads: int | None, input_scale: float
) -> Floats:
    """Probabilities of shape (n, classes), in the network's dtype."""
    return _run(network, X, _NO_LABELS, threads, input_scale)[0]


def evaluate(
    network: Network,
    X: npt.NDArray[np.generic],
    labels: npt.NDArray[np.int32],
    threads: int | None,
    input_scale: float,
) -> tuple[float, float]:
    """(mean cross-entropy, accuracy) of class indices ``labels``."""
    loss, hits = _run(network, X, labels, threads, input_scale)[1].sum(axis=0).tolist()
    return loss / len(X), hits / len(X)
