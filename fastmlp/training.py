"""Training a network on arrays: the memory of a fit, and its epochs."""

import math
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .data import FitData
from .inputs import AS_THEY_COME, Scaling
from .kernels.language.simd import TILE_ROWS
from .kernels.plugins.rules import RULES
from .kernels.runs.jobs import scan_job, training_job
from .kernels.runs.launch import Job
from .kernels.runs.plan import MAX_CHUNK, Plan, aligned_zeros, make_plan, weight_layout
from .kernels.runs.team import CREDIT, stayed, team_array_size
from .kernels.runs.threads import usable_threads
from .network import Floats, Network
from .reading import copying_reader, reads_in_place, set_scaling
from .validation import Settings

# Python sees an interrupt between two calls of a kernel.
_SLICE_SECONDS = 0.1
# Work of the first call, before its speed has been measured.
_FIRST_SLICE_FLOPS = 1e9
# What a chunk takes beside its products: about a microsecond.
_FLOPS_BESIDE = 1e4

# A chunk of less work is done sooner than a team has met.
_TEAM_FLOPS = 1e6

# Zeros are stepped over where at most this part of the work is left.
_WORTH_SKIPPING = 0.75
_SAMPLE_ROWS = 300


class Trained(NamedTuple):
    """What an epoch leaves."""

    network: Network
    loss: float  # the mean over the samples, on the way
    metric: float  # likewise
    total: float  # weight of the samples
    is_complete: bool  # False if the time was up before


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
        self._data, self._settings = data, settings
        self._outputs = data.signature.outputs
        self._weighted = self._outputs.is_weighted(data.targets)
        rows = len(data.X)
        scaling = data.signature.inputs.scaling
        suitable = len(network.layer_sizes) > 2 and scaling.pieces is None
        skip_zeros = suitable and _has_many_zeros(data.X)
        self._batch_size = batch_size = min(int(settings.batch_size), rows)
        self._memory, self._plan, self._job = training_parts(
            network, data.X.dtype, batch_size, settings, skip_zeros,
            self._outputs.kernel(data.targets, weighted=self._weighted), scaling,
        )  # fmt: skip
        self._in_place = _reads_in_place(network, data.X.dtype, settings, scaling)
        self._row_masks = np.zeros((rows, self._plan.runs["mask_words"][0] * skip_zeros), np.int64)
        self._company = _Company()
        self._team = np.zeros(team_array_size(len(self._plan.runs)), np.int64)
        if skip_zeros:
            _scan(data.X, self._plan, self._memory, self._row_masks)
        step_flops = _chunk_flops(network, batch_size) + _FLOPS_BESIDE
        self._slice_steps = max(1, int(_FIRST_SLICE_FLOPS / step_flops))
        chunk = int(self._plan.runs["chunk"][0])
        self._starts = np.arange(0, rows, batch_size)
        full, rest = divmod(rows, batch_size)
        self._n_steps = full * -(-batch_size // chunk) + -(-rest // chunk)
        ends = np.cumsum([network.packed.size, network.state.size])
        parts = np.split(self._memory[: self._plan.scratch_start], ends)
        self._weights, self._state, self._gradients = parts
        self._point(network.dtype)

    def _point(self, dtype: np.dtype[Any]) -> None:
        """Tell the kernels where all is that epochs read; what changes is written there."""
        targets, settings, job = self._data.targets, self._settings, self._job
        self._order = np.arange(self.rows)
        self._taken = targets.taken(self._order, dtype, weighted=self._weighted)
        self._updates = np.arange(self.updates_per_epoch, dtype=np.float64)
        self._factors = {  # batch by batch
            "rates": self._updates.copy(),
            "sample_scales": self._shares(self._order),
            "decays": np.zeros_like(self._updates),
            "l2s": np.full_like(self._updates, settings.l2),
            "l1s": np.full_like(self._updates, settings.l1),
        }
        self._table = self._outputs.table(targets).astype(dtype)
        job.set_rows(self._data.X, self._order, in_place=self._in_place)
        job.point(team=self._team, row_masks=self._row_masks, outputs=self._table)
        job.point(**self._taken, **self._factors)
        stride = self._taken["targets"].shape[1] if "targets" in self._taken else 0
        job.set(smoothing=self._outputs.label_smoothing, target_stride=stride, credit=CREDIT)

    @property
    def updates_per_epoch(self) -> int:
        """Mini-batches, the last of which may be short."""
        return len(self._starts)

    @property
    def rows(self) -> int:
        """Rows of an epoch."""
        return len(self._data.X)

    def epoch(
        self,
        network: Network,
        order: npt.NDArray[np.int64],
        rates: npt.NDArray[np.float64],
        dropout_key: int = 0,
        deadline: float = math.inf,
        report: Callable[[int], Any] = lambda rows: None,
    ) -> Trained:
        """Train on every row once, in ``order``, as far as time allows.

        Parameters
        ----------
        network : Network
            Where the epoch starts: the first one, or that with other weights and state.
        rates : array of shape (updates_per_epoch,)
            Learning rates.
        dropout_key : int
            Another one in every epoch, of 63 bits; what is dropped follows from it.
        report : callable
            Is told of rows that have been trained on, ten times a second or less.
        deadline : float
            Of ``time.perf_counter``: the epoch ends soon after it, but not before its first slice.

        Raises
        ------
        FloatingPointError
            If the loss or a weight is no longer finite.
        """
        job, targets = self._job, self._data.targets
        weights, state = self._weights, self._state
        weights[:], state[:], self._gradients[:] = network.packed, network.state, 0
        self._order[:] = order
        targets.take(order, self._taken)
        self._set_factors(network, rates)
        job.set(total_loss=0, total_score=0, dropout_key=dropout_key)
        done = self._run_slices(deadline, report)
        sums = float(job.runs["total_loss"][0]), float(job.runs["total_score"][0])
        seen = targets if done == len(rates) else targets.part(order[: self._rows(done)])
        loss, metric = self._outputs.summed_up(*sums, seen)
        if not (math.isfinite(loss) and _all_finite(weights) and _all_finite(state)):
            raise FloatingPointError(f"training diverged: the loss of the epoch is {loss}")
        trained = network.trained(weights.copy(), state.copy(), done)
        return Trained(trained, loss, metric, seen.total, done == len(rates))

    def _rows(self, updates: int) -> int:
        """Rows of the first ``updates`` mini-batches."""
        return min(updates * self._batch_size, len(self._data.X))

    def _set_factors(self, network: Network, rates: npt.NDArray[np.float64]) -> None:
        """The factors that differ from epoch to epoch."""
        optimizer, factors = self._settings.optimizer, self._factors
        steps = self._updates + (network.updates + 1)
        step_sizes = RULES[network.rule].step_sizes
        factors["rates"][:] = step_sizes(rates, steps, optimizer.numbers)
        if optimizer.decay > 0:
            factors["decays"][:] = rates * optimizer.decay
        if self._data.targets.weights is not None:
            factors["sample_scales"][:] = self._shares(self._order)

    def _shares(self, order: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Share of a sample in the mean of its batch."""
        if self._data.targets.weights is None:
            totals = np.minimum(len(order) - self._starts, self._batch_size).astype(np.float64)
        else:
            totals = np.add.reduceat(self._data.targets.weights[order], self._starts)
        totals *= self._outputs.averaged
        return np.divide(1.0, totals, out=np.zeros_like(totals), where=totals > 0)

    def _run_slices(self, deadline: float, report: Callable[[int], Any]) -> int:
        """Run the chunks of an epoch; returns how many updates there were."""
        step, job, rows = 0, self._job, 0
        while step < self._n_steps and (step == 0 or time.perf_counter() < deadline):
            stop = min(step + self._slice_steps, self._n_steps)
            start = time.perf_counter()
            self._team[:] = 0
            job.set(first=step, last=stop)
            asked = job.run(alone=not self._company.is_welcome())
            done = int(job.runs["first"][0])
            now = time.perf_counter()
            if asked:
                complete = stayed(self._team, len(job.runs))
                self._company.report(complete)
                if not complete:
                    job.set(credit=CREDIT)
            speed = (done - step) / max(now - start, 1e-6)
            self._slice_steps = max(1, min(int(speed * _SLICE_SECONDS), 4 * self._slice_steps))
            step = done
            seen = self._rows(self._completed(step))
            report(seen - rows)
            rows = seen
        return self._completed(step)

    def _completed(self, steps: int) -> int:
        """Mini-batches that so many chunks complete."""
        if steps == self._n_steps:
            return self.updates_per_epoch
        return steps // int(self._plan.runs["chunks_per_batch"][0])


class _Company:
    """Whether a team is worth a try: not for a while after one that had to wait.

    Beside a busy process one of two threads is put aside for some milliseconds at a time, while the
    other one waits; one thread alone gets a core. A failed try costs some milliseconds.
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
    loss: str = "softmax_cross_entropy",
    scaling: Scaling = AS_THEY_COME,
) -> tuple[Floats, Plan, Job]:
    """Memory, plan and job of a fit on rows of ``dtype``, by the kernel ``loss``; ``scaling`` says
    what kernels do to the input."""
    plan = _plan(network, batch_size, settings, skip_zeros)
    memory = aligned_zeros(plan.memory_size, network.dtype)
    memory[plan.runs["one"][0]] = 1
    in_place = _reads_in_place(network, dtype, settings, scaling)
    job = training_job(
        plan,
        memory,
        reader="scattered" if in_place else copying_reader(dtype, scaling),
        loss=loss,
        activations=network.activations,
        rule=network.rule,
        masked=skip_zeros,
        dropout=settings.dropouts(len(network.activations)),
        before_rule=_before_rule(settings),
    )
    set_scaling(job, scaling, network.dtype)
    job.set(**settings.optimizer.numbers, clip_norm=settings.clip_norm or 0.0)
    return memory, plan, job


def _plan(network: Network, batch_size: int, settings: Settings, skip_zeros: bool) -> Plan:
    return make_plan(
        network.layer_sizes,
        network.dtype,
        chunk=min(batch_size, MAX_CHUNK),
        batch_size=batch_size,
        members=_team_size(network, batch_size, settings.threads),
        state_vectors=RULES[settings.optimizer.rule].state_vectors,
        skip_zeros=skip_zeros,
        clipped=settings.clip_norm is not None,
        activations=network.activations,
    )


def fit_memory(network: Network, settings: Settings) -> int:
    """Bytes that a fit by such settings takes, beside its rows and targets."""
    plan = _plan(network, settings.batch_size, settings, False)
    return plan.memory_size * network.dtype.itemsize


def _before_rule(settings: Settings) -> set[str]:
    chosen = {
        "penalties": settings.l2 > 0 or settings.l1 > 0,
        "decay": settings.optimizer.decay > 0,
        "clipping": settings.clip_norm is not None,
    }
    return {name for name, is_chosen in chosen.items() if is_chosen}


def _reads_in_place(
    network: Network, dtype: np.dtype[np.generic], settings: Settings, scaling: Scaling
) -> bool:
    """Whether rows need no copy: one whose features are dropped does."""
    copies = any(settings.dropouts(len(network.activations))[:1])
    return not copies and reads_in_place(network, dtype, scaling)


def _chunk_flops(network: Network, batch_size: int) -> int:
    weights = sum(a * b for a, b in pairwise(network.layer_sizes))
    return 6 * min(batch_size, MAX_CHUNK) * int(weights)


def _team_size(network: Network, batch_size: int, threads: int | None) -> int:
    """Threads for a run; one without a panel would only wait."""
    if threads is None and _chunk_flops(network, batch_size) < _TEAM_FLOPS:
        return 1
    layers, _ = weight_layout(network.layer_sizes, network.dtype.itemsize)
    return min(usable_threads(threads), int(layers["panels"][1:].max()))


def _all_finite(values: Floats) -> bool:
    return bool(np.isfinite(values).all())


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
