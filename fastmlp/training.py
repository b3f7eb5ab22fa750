"""Training a network on arrays: the memory of a fit, and its epochs."""

import time
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from .kernels import optimizers
from .kernels.launch import Job, tables, usable_threads
from .kernels.plan import (
    MAX_CHUNK,
    ONE,
    PANELS,
    Plan,
    aligned_zeros,
    make_plan,
    mask_words,
)
from .kernels.simd import TILE_ROWS
from .kernels.team import team_array_size
from .network import Network

# Python sees an interrupt between two calls of a kernel.
_SLICE_SECONDS = 0.1
# Work of the first call, before its speed has been measured.
_FIRST_SLICE_FLOPS = 1e9

# A chunk of less work is done sooner than a team has met.
_TEAM_FLOPS = 1e6

# Zeros are stepped over where at most this part of the work is left.
_WORTH_SKIPPING = 0.75
_SAMPLE_ROWS = 300


class TrainingRun:
    """The memory of one fit, and its epochs.

    Parameters
    ----------
    network : Network
        Its weights and optimiser state are where the run starts; each epoch ends by storing them
        back, so that an interrupted epoch leaves no trace.
    X : array of shape (n, d), C-contiguous, of the network's dtype or uint8
    labels : int32 array of shape (n,)
        Class indices.
    rule : int
        Update rule, a constant of ``kernels.optimizers``.
    learning_rate, momentum : float
    batch_size : int
        At most n.
    threads : int or None
        Threads at the most; None for as many as there are.
    input_scale : float
        Factor of X as it is read.
    """

    def __init__(
        self,
        network: Network,
        X: npt.NDArray[np.generic],
        labels: npt.NDArray[np.int32],
        *,
        rule: int,
        learning_rate: float,
        momentum: float,
        batch_size: int,
        threads: int | None,
        input_scale: float,
    ) -> None:
        if network.rule != rule:
            network.forget_state(rule)
        self._network, self._X, self._labels = network, X, labels
        self._learning_rate = learning_rate
        chunk = min(batch_size, MAX_CHUNK)
        flops = 6 * chunk * sum(a * b for a, b in pairwise(network.layer_sizes))
        n_threads = _team_size(network, flops, threads)
        skip_zeros = len(network.layer_sizes) > 2 and _has_many_zeros(X)
        plan = make_plan(
            network.layer_sizes,
            network.dtype,
            chunk=chunk,
            batch_size=batch_size,
            n_threads=n_threads,
            state_vectors=optimizers.STATE_VECTORS[rule],
            skip_zeros=skip_zeros,
        )
        self._scratch_start = plan.scratch_start
        self._memory = aligned_zeros(plan.memory_size, network.dtype)
        self._memory[plan.sizes[ONE]] = 1
        self._team = np.zeros(team_array_size(n_threads), np.int64)
        self._totals = np.zeros(2)
        self._in_place = network.reads_in_place(X.dtype, input_scale)
        self._job = Job(
            "train",
            self._memory,
            n_threads,
            team=self._team,
            totals=self._totals,
            rule=rule,
            momentum=np.array([momentum]),
            input_scale=np.array([input_scale]),
            **tables(plan),
            **(_scan(X, plan, network.dtype, threads) if skip_zeros else {}),
        )
        self._slice_steps = max(1, int(_FIRST_SLICE_FLOPS / flops))
        full, rest = divmod(len(X), batch_size)
        self._updates_per_epoch = full + (rest > 0)
        self._n_steps = full * -(-batch_size // chunk) + -(-rest // chunk)

    def epoch(self, order: npt.NDArray[np.int64]) -> tuple[float, float]:
        """Train on every row once, in ``order``; returns (mean loss, accuracy) on the way.

        Raises
        ------
        FloatingPointError
            If the loss or a weight is no longer finite; the network keeps its last weights.
        """
        network, memory, job = self._network, self._memory, self._job
        memory[: self._scratch_start] = 0
        memory[: network.packed.size] = network.packed
        memory[network.packed.size :][: network.state.size] = network.state
        job.set_rows(self._X, order, in_place=self._in_place)
        labels = self._labels[order]
        rates = optimizers.step_sizes(
            network.rule, self._learning_rate, network.updates, self._updates_per_epoch
        )
        job.set(labels=labels, n_labels=len(labels), rates=rates)
        self._totals[:] = 0
        step = 0
        while step < self._n_steps:
            stop = min(step + self._slice_steps, self._n_steps)
            start = time.perf_counter()
            self._team[:] = 0
            job.set(first=step, last=stop)
            job.run()
            speed = (stop - step) / max(time.perf_counter() - start, 1e-6)
            self._slice_steps = max(1, min(int(speed * _SLICE_SECONDS), 4 * self._slice_steps))
            step = stop
        loss, accuracy = (self._totals / len(order)).tolist()
        packed, state = np.split(memory[: self._scratch_start], [network.packed.size])
        state = state[: network.state.size]
        if not all(np.isfinite(values).all() for values in (loss, packed, state)):
            raise FloatingPointError(f"training diverged: the loss of the epoch is {loss}")
        network.store(packed, state)
        network.updates += self._updates_per_epoch
        return loss, accuracy


def _team_size(network: Network, flops: int, threads: int | None) -> int:
    """Threads for chunks of ``flops`` operations; a thread without a panel would only wait."""
    if threads is None and flops < _TEAM_FLOPS:
        return 1
    plan = make_plan(network.layer_sizes, network.dtype, chunk=1)
    return min(usable_threads(threads), int(plan.layers[1:, PANELS].max()))


def _has_many_zeros(X: npt.NDArray[np.generic]) -> bool:
    """Whether stepping over the zeros of X pays, judged by a few hundred rows across it.

    What counts is the work left: TILE_ROWS rows are taken together in the forward product,
    TILE_ROWS features in the gradient.
    """
    count = min(len(X), _SAMPLE_ROWS) // TILE_ROWS * TILE_ROWS
    if count == 0 or X.shape[1] < TILE_ROWS:
        return False
    hits = X[:: len(X) // count][:count] != 0
    features = X.shape[1] // TILE_ROWS * TILE_ROWS
    forward = hits.reshape(-1, TILE_ROWS, X.shape[1]).any(axis=1).mean()
    gradient = hits[:, :features].reshape(count, -1, TILE_ROWS).any(axis=2).mean()
    return bool(forward + gradient < 2 * _WORTH_SKIPPING)


def _scan(
    X: npt.NDArray[np.generic], plan: Plan, dtype: np.dtype, threads: int | None
) -> dict[str, Any]:
    """Masks of the non-zero features of each row, and of their groups."""
    row_masks = np.zeros((len(X), sum(mask_words(X.shape[1]))), np.int64)
    n_threads = min(usable_threads(threads), len(X))
    job = Job("scan", np.empty(0, dtype), n_threads, **tables(plan), row_masks=row_masks)
    job.set(raw=X, is_uint8=X.dtype == np.uint8, n_rows=len(X))
    job.run()
    return {"row_masks": row_masks}
