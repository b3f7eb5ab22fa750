"""Training a network on arrays: the memory of a fit, and its epochs."""

import time
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .data import FitData
from .kernels.language.simd import TILE_ROWS
from .kernels.plugins.readers import reader_of
from .kernels.plugins.rules import RULES
from .kernels.runs.jobs import scan_job, training_job
from .kernels.runs.launch import Job
from .kernels.runs.plan import MAX_CHUNK, Plan, aligned_zeros, make_plan, weight_layout
from .kernels.runs.team import stayed, team_array_size
from .kernels.runs.threads import usable_threads
from .network import Floats, Network
from .validation import Settings

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
        Where the first epoch starts, with a state of the settings' update rule.
    data : FitData
    settings : Settings
    """

    def __init__(self, network: Network, data: FitData, settings: Settings) -> None:
        self._data = data
        rows = len(data.X)
        skip_zeros = len(network.layer_sizes) > 2 and _has_many_zeros(data.X)
        batch_size = min(settings.batch_size, rows)
        self._memory, self._plan, self._job = training_parts(
            network, data.X.dtype, batch_size, settings, skip_zeros
        )
        self._in_place = network.reads_in_place(data.X.dtype, settings.input_scale)
        self._row_masks = np.zeros((rows, self._plan.runs["mask_words"][0] * skip_zeros), np.int64)
        self._company = _Company()
        self._team = np.zeros(team_array_size(len(self._plan.runs)), np.int64)
        if skip_zeros:
            _scan(data.X, self._plan, self._memory, self._row_masks)
        self._job.point(team=self._team, row_masks=self._row_masks)
        self._slice_steps = max(1, int(_FIRST_SLICE_FLOPS / _chunk_flops(network, batch_size)))
        chunk = int(self._plan.runs["chunk"][0])
        full, rest = divmod(rows, batch_size)
        self._updates_per_epoch = full + (rest > 0)
        self._n_steps = full * -(-batch_size // chunk) + -(-rest // chunk)
        batches = np.arange(self._updates_per_epoch) * batch_size
        self._shares = 1.0 / np.minimum(rows - batches, batch_size)
        self._job.point(shares=self._shares)

    def epoch(
        self, network: Network, order: npt.NDArray[np.int64], learning_rate: float
    ) -> tuple[Network, float, float]:
        """Train on every row once, in ``order``.

        Parameters
        ----------
        network : Network
            Where the epoch starts: the first one, or that with other weights and state.

        Returns
        -------
        tuple of Network, float and float
            The network as the epoch leaves it; mean loss and accuracy on the way.

        Raises
        ------
        FloatingPointError
            If the loss or a weight is no longer finite.
        """
        memory, job = self._memory, self._job
        weights, state, rest = np.split(
            memory[: self._plan.scratch_start],
            [network.packed.size, network.packed.size + network.state.size],
        )
        weights[:], state[:], rest[:] = network.packed, network.state, 0
        job.set_rows(self._data.X, order, in_place=self._in_place)
        labels = self._data.labels[order]
        steps = network.updates + np.arange(1.0, self._updates_per_epoch + 1)
        rates = RULES[network.rule].step_sizes(learning_rate, steps)
        job.point(labels=labels, rates=rates)
        job.set(total_loss=0, hits=0)
        self._run_slices()
        loss = float(job.runs["total_loss"][0]) / len(order)
        if not all(np.isfinite(values).all() for values in (loss, weights, state)):
            raise FloatingPointError(f"training diverged: the loss of the epoch is {loss}")
        trained = network.trained(weights.copy(), state.copy(), self._updates_per_epoch)
        return trained, loss, float(job.runs["hits"][0]) / len(order)

    def _run_slices(self) -> None:
        step, job = 0, self._job
        while step < self._n_steps:
            stop = min(step + self._slice_steps, self._n_steps)
            start = time.perf_counter()
            self._team[:] = 0
            job.set(first=step, last=stop)
            asked = job.run(alone=not self._company.is_welcome())
            done = int(job.runs["first"][0])
            now = time.perf_counter()
            if asked:
                self._company.report(stayed(self._team, len(job.runs)))
            speed = (done - step) / max(now - start, 1e-6)
            self._slice_steps = max(1, min(int(speed * _SLICE_SECONDS), 4 * self._slice_steps))
            step = done


class _Company:
    """Whether a team is worth a try: not for a while after one that had to wait.

    Beside a busy process one of two threads is put aside for some milliseconds at a time, while the
    other one waits; one thread alone gets a core. A failed try costs about 4 ms.
    """

    _SHORTEST, _LONGEST = 0.05, 0.4

    def __init__(self) -> None:
        self._alone_until, self._pause = 0.0, self._SHORTEST

    def is_welcome(self) -> bool:
        return time.perf_counter() >= self._alone_until

    def report(self, complete: bool) -> None:
        """Tell whether all members came and stayed to the end."""
        if complete:
            self._pause = self._SHORTEST
        else:
            self._alone_until = time.perf_counter() + self._pause
            self._pause = min(2 * self._pause, self._LONGEST)


def training_parts(
    network: Network,
    dtype: np.dtype[np.generic],
    batch_size: int,
    settings: Settings,
    skip_zeros: bool = False,
) -> tuple[Floats, Plan, Job]:
    """Memory, plan and job of a fit on rows of ``dtype``."""
    rule = RULES[settings.update_rule]
    plan = make_plan(
        network.layer_sizes,
        network.dtype,
        chunk=min(batch_size, MAX_CHUNK),
        batch_size=batch_size,
        members=_team_size(network, batch_size, settings.threads),
        state_vectors=rule.state_vectors,
        skip_zeros=skip_zeros,
    )
    memory = aligned_zeros(plan.memory_size, network.dtype)
    memory[plan.runs["one"][0]] = 1
    in_place = network.reads_in_place(dtype, settings.input_scale)
    job = training_job(
        plan,
        memory,
        reader="scattered" if in_place else reader_of(dtype),
        loss="softmax_cross_entropy",
        activation=settings.activation,
        rule=settings.update_rule,
        masked=skip_zeros,
    )
    job.set(momentum=settings.momentum, input_scale=settings.input_scale)
    return memory, plan, job


def _chunk_flops(network: Network, batch_size: int) -> int:
    weights = sum(a * b for a, b in pairwise(network.layer_sizes))
    return 6 * min(batch_size, MAX_CHUNK) * int(weights)


def _team_size(network: Network, batch_size: int, threads: int | None) -> int:
    """Threads for a run; one without a panel would only wait."""
    if threads is None and _chunk_flops(network, batch_size) < _TEAM_FLOPS:
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
