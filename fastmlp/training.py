"""Training a network on arrays: the memory of a fit, and its epochs."""

import time
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .kernels.language.simd import TILE_ROWS
from .kernels.plugins.readers import reader_of
from .kernels.plugins.rules import RULES
from .kernels.runs.jobs import scan_job, training_job
from .kernels.runs.launch import usable_threads
from .kernels.runs.plan import MAX_CHUNK, Plan, aligned_zeros, make_plan, weight_layout
from .kernels.runs.team import team_array_size
from .network import Floats, Network

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
    rule : str
        Update rule, by its name in ``kernels.plugins.rules``.
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
        rule: str,
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
            members=n_threads,
            state_vectors=RULES[rule].state_vectors,
            skip_zeros=skip_zeros,
        )
        self._scratch_start = plan.scratch_start
        self._memory = aligned_zeros(plan.memory_size, network.dtype)
        self._memory[plan.runs["one"][0]] = 1
        self._team = np.zeros(team_array_size(n_threads), np.int64)
        self._in_place = network.reads_in_place(X.dtype, input_scale)
        self._row_masks = np.zeros((len(X), plan.runs["mask_words"][0] * skip_zeros), np.int64)
        if skip_zeros:
            _scan(X, plan, self._memory, self._row_masks)
        self._job = training_job(
            plan,
            self._memory,
            reader=reader_of(X.dtype, "scattered" if self._in_place else ""),
            loss="softmax_cross_entropy",
            activation="relu",
            rule=rule,
            masked=skip_zeros,
        )
        if self._in_place:
            plan.layers["rows"][:, 0] = plan.runs["places"]
        self._job.set(momentum=momentum, input_scale=input_scale)
        self._job.point(team=self._team, row_masks=self._row_masks)
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
        steps = network.updates + np.arange(1.0, self._updates_per_epoch + 1)
        rates = RULES[network.rule].step_sizes(self._learning_rate, steps)
        job.point(labels=labels, rates=rates)
        job.set(total_loss=0, hits=0)
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
        loss, accuracy = (float(job.runs[name][0]) / len(order) for name in ("total_loss", "hits"))
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
    layers, _ = weight_layout(network.layer_sizes, network.dtype.itemsize)
    return min(usable_threads(threads), int(layers["panels"][1:].max()))


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
    X: npt.NDArray[np.generic], plan: Plan, memory: Floats, row_masks: npt.NDArray[np.int64]
) -> None:
    """Masks of the non-zero features of each row, and of their groups."""
    job = scan_job(plan, memory)
    job.point(input=X, row_masks=row_masks)
    bounds = np.arange(len(plan.runs) + 1) * len(X) // len(plan.runs)
    job.set(is_uint8=X.dtype == np.uint8, first=bounds[:-1], last=bounds[1:])
    job.run()
