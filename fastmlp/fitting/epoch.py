"""One epoch: training on every row once, in short kernel calls that allow interrupts."""

import math
import time
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..data import SparseRows, all_finite
from ..inference.forward import SLICE_SECONDS
from ..kernels.plugins.update_rules import RULES
from ..kernels.runs.layout import aligned_zeros
from ..kernels.runs.team import CREDIT, stayed, team_array_size
from ..network.input_reader import multiply_adds, set_rows
from ..network.packed_network import Floats, Network
from ..outputs import Means, MeanWeight
from .batches import Batches, OverAllRows, OverEachBatch
from .contention import Contention
from .dataset import FitData
from .memory import chunk_flops, keep_workspace, workspace_of
from .missed_updates import MissedUpdates
from .segments import find_segments
from .zeros import scan, skips_zeros

# Work of the first call, before its speed has been measured.
_FIRST_SLICE_FLOPS = 1e9
# For all fits whose threads are not given: of short ones, each would try a team in vain.
_contention = Contention()
# Overhead of a chunk beside its products: about a microsecond.
_FLOPS_BESIDE = 1e4


class Statistics(NamedTuple):
    """Losses, scores and size of an epoch, or of a part of it."""

    means: Means  # over the samples, each when its batch was trained on
    mean_weight: MeanWeight  # after this epoch or part
    is_complete: bool  # False if the time ran out before
    rows: int
    learning_rate: float  # of the last update
    seconds: float

    @classmethod
    def joined(cls, parts: "Sequence[Statistics]") -> "Statistics":
        """The statistics of an epoch from those of its parts, in order."""
        if len(parts) == 1:
            return parts[0]
        return parts[-1]._replace(
            means=reduce(Means.with_part, (part.means for part in parts)),
            rows=sum(part.rows for part in parts),
            seconds=sum(part.seconds for part in parts),
        )


class TrainingRun:
    """The memory of one fit, and its epochs.

    Parameters
    ----------
    network : Network
        The network at the start, with the state of the settings' update rule.
    data : FitData
    keeps_gradient : bool
        Whether to compute gradients alone, see :meth:`loss_and_gradient`.
    """

    def __init__(self, network: Network, data: FitData, *, keeps_gradient: bool = False) -> None:
        self._data = data
        self.rows, self._batch_size = len(data.X), min(data.settings.batch_size, len(data.X))
        starts = np.arange(0, self.rows, self._batch_size)
        self._batch_rows = np.minimum(self.rows - starts, self._batch_size)
        skip_zeros = skips_zeros(network, data)
        self._space = workspace_of(
            network, data, skip_zeros=skip_zeros, keeps_gradient=keeps_gradient
        )
        self._plan, self._job, memory = self._space.plan, self._space.job, self._space.memory
        count = network.packed.size
        self._trained = memory[: count + network.state.size]
        self._weights, self._state = self._trained[:count], self._trained[count:]
        self._left: Network | None = None  # whose weights and state are in memory
        # Empty where batches are not divided and gradients not kept.
        whole = memory[self._plan.runs["gradient"][0] : self._plan.scratch_start]
        self._gradients = whole[:count]
        self._contention = _contention if data.settings.threads is None else Contention()
        optimizer = data.settings.optimizer
        self._numbers, self._decay = optimizer.numbers, optimizer.decay
        self._team = np.zeros(team_array_size(len(self._plan.runs)), np.int64)
        if skip_zeros:
            assert not isinstance(data.X, SparseRows)
            words = self._plan.runs["mask_words"][0]
            self._row_masks = np.zeros((self.rows, words), np.int64)
            scan(data.X, self._plan, memory, self._row_masks)
            self._job.point(row_masks=self._row_masks)
        if self._space.shape.binned:
            assert not isinstance(data.X, SparseRows)
            self._segments = np.empty((self.rows, self._space.shape.binned.binned), np.uint8)
            find_segments(data.X, self._plan, memory, self._segments)
            self._job.point(segments=self._segments)
        chunk = int(self._plan.runs["chunk"][0])
        full, rest = divmod(self.rows, self._batch_size)
        self._n_steps = full * -(-self._batch_size // chunk) + -(-rest // chunk)
        row_work = multiply_adds(network, data.X, self._space.shape.binned)
        step_flops = chunk_flops(row_work, self._batch_size) + _FLOPS_BESIDE
        self._slice_steps = max(1, int(_FIRST_SLICE_FLOPS / step_flops))
        self._point(network)

    def _point(self, network: Network) -> None:
        """Pass the kernels the addresses of the arrays of an epoch, which are updated in place."""
        data, job = self._data, self._job
        settings, outputs = data.settings, data.encoding.outputs
        self._batches: Batches = OverAllRows(
            data.targets, outputs, self._batch_rows, data.mean_weight
        )
        if settings.by_batch:
            layers = self._plan.layers
            ends = np.cumsum(layers["panels"][0, 1:])
            by_batch = OverEachBatch(
                data.targets, outputs, self._batch_rows, settings, int(ends[-1])
            )
            starts = by_batch.penalties.ctypes.data + 8 * (ends - layers["panels"][0, 1:])
            layers["penalties"][:, 1:] = starts
            self._batches = by_batch
        self._order = np.arange(self.rows)
        self._updates = np.arange(self.updates_per_epoch, dtype=np.float64)
        # Batch by batch; an address takes 2 us, so only what kernels read.
        self._factors = {"rates": self._updates.copy(), "sample_scales": self._updates.copy()}
        if settings.by_batch or settings.l2 > 0 or settings.l1 > 0 or self._space.shape.replays:
            self._factors["l2s"] = np.full_like(self._updates, settings.l2)
            self._factors["l1s"] = np.full_like(self._updates, settings.l1)
        if self._decay > 0 or self._space.shape.replays:
            self._factors["decays"] = np.zeros_like(self._updates)
        targets = self._batches.targets
        self._targets, numbers = outputs.run_fields(targets, self._order, network.dtype)
        set_rows(job, data.X, self._order, in_place=self._space.shape.reader == "scattered")
        lanes, members = int(job.runs["lanes"][0]), len(job.runs)
        # In whole cache lines, as each member of a team writes to its own sums.
        shape = members, outputs.averaged, 2, lanes
        self._totals = aligned_zeros(math.prod(shape), np.dtype(np.float64)).reshape(shape)
        job.point(**self._targets, **self._factors, team=self._team, totals=self._totals)
        job.set(**numbers, credit=CREDIT, sum_count=self._totals[0].size)
        self._missed = MissedUpdates(self._space, self.updates_per_epoch, self._numbers)
        self._first, self._last = job.runs["first"], job.runs["last"]

    @property
    def updates_per_epoch(self) -> int:
        """Number of mini-batches; the last one may be short."""
        return len(self._batch_rows)

    def draw(self, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], int]:
        """Draw the order of the rows in an epoch, and the key of its dropout."""
        settings = self._data.settings
        if settings.random_state is not None:
            return self._shuffled(settings.random_state)
        order = rng.permutation(self.rows) if settings.shuffle else np.arange(self.rows)
        return order, int(rng.integers(1 << 63)) if settings.dropout else 0

    def _shuffled(self, rng: np.random.RandomState) -> tuple[npt.NDArray[np.int64], int]:
        """The same as scikit-learn draws it: each epoch shuffles the order of the one before."""
        order, settings = self._order, self._data.settings
        if settings.shuffle:
            places = np.arange(self.rows)
            rng.shuffle(places)
            order = order[places]
        return order, int(rng.randint(1 << 62)) if settings.dropout else 0

    def epoch(
        self,
        network: Network,
        order: npt.NDArray[np.int64],
        rates: npt.NDArray[np.float64],
        dropout_key: int = 0,
        deadline: float = math.inf,
        report: Callable[[int], Any] = lambda rows: None,
        before: MeanWeight | None = None,
    ) -> tuple[Network, Statistics]:
        """Train on every row once, in ``order``, until the deadline; return network and statistics.

        Parameters
        ----------
        network : Network
            The network at the start: the first one, or that with other weights and state.
        rates : array of shape (updates_per_epoch,)
            Learning rates.
        dropout_key : int
            63 bits, different in every epoch, that determine which units are dropped.
        deadline : float
            By ``time.perf_counter``: the epoch ends soon after it, but not before its first batch.
        report : callable
            Called with the number of rows trained on since the last call, about every 0.1 s.
        before : MeanWeight, optional
            The mean weight of earlier rows; losses are divided by the mean over those and these.

        Raises
        ------
        FloatingPointError
            If the loss or a weight is no longer finite.
        """
        start = time.perf_counter()
        weights, state = self._weights, self._state
        if network is not self._left:
            weights[:], state[:] = network.packed, network.state
        self._left = None
        mean_weight = self._begin(order, before or MeanWeight())
        self._set_factors(network, rates)
        if self._data.settings.dropout:
            self._job.set(dropout_key=dropout_key)
        self._missed.begin(self._factors)
        done = self._run_slices(deadline, report)
        self._missed.settle(done)
        means = self._means(done)
        if not (all(map(math.isfinite, means.losses.tolist())) and all_finite(self._trained)):
            loss = self._data.encoding.outputs.summed_up(means).loss
            raise FloatingPointError(f"training diverged: the loss of the epoch is {loss}")
        statistics = Statistics(
            means, mean_weight, done == len(rates), self.rows, float(rates[-1]),
            time.perf_counter() - start,
        )  # fmt: skip
        self._left = network.trained(weights.copy(), state.copy(), done)
        return self._left, statistics

    def end(self) -> None:
        """Leave the memory to another fit, after the last epoch."""
        keep_workspace(self._space)

    def loss_and_gradient(self, packed: Floats) -> tuple[float, Floats]:
        """Return loss and gradient of all rows, which must be one batch, at packed weights.

        The gradient has the layout of the weights. Nothing is trained; neither need be finite.
        """
        self._weights[:] = packed
        self._begin(self._order, MeanWeight())
        self._run_slices(math.inf, lambda rows: None)
        loss = self._data.encoding.outputs.summed_up(self._means(1)).loss
        return loss, self._gradients.copy()

    def _begin(self, order: npt.NDArray[np.int64], before: MeanWeight) -> MeanWeight:
        """Set rows, factors and sums for an epoch; return the mean weight with its rows."""
        self._order[:] = order
        self._batches.targets.gather(order, self._targets)
        self._totals.fill(0)
        self._gradients.fill(0)
        return self._batches.begin(self._factors, self._targets, before)

    def _means(self, done: int) -> Means:
        """Means over the rows of the first ``done`` mini-batches."""
        sums, order = np.add.reduce(self._totals[0], -1), self._order
        if done < self.updates_per_epoch:
            order = order[: self._rows(done)]
        return self._batches.means(sums, order, self._targets)

    def _rows(self, updates: int) -> int:
        """Rows of the first ``updates`` mini-batches."""
        return min(updates * self._batch_size, self.rows)

    def _set_factors(self, network: Network, rates: npt.NDArray[np.float64]) -> None:
        """Set the factors of each update that change from epoch to epoch."""
        steps = self._updates + (network.updates + 1.0)
        step_sizes = RULES[network.rule].step_sizes
        self._factors["rates"][:] = step_sizes(rates, steps, self._numbers)
        if self._decay > 0:
            self._factors["decays"][:] = rates * self._decay

    def _run_slices(self, deadline: float, report: Callable[[int], Any]) -> int:
        """Run the chunks of an epoch until the deadline; return the number of updates done."""
        step, job, rows = 0, self._job, 0
        while step < self._n_steps and (
            self._completed(step) == 0 or time.perf_counter() < deadline
        ):
            stop = min(step + self._slice_steps, self._n_steps)
            start = time.perf_counter()
            self._team.fill(0)
            self._first.fill(step)
            self._last.fill(stop)
            asked = job.run(alone=not self._contention.allows_team())
            done = self._first.item(0)
            now = time.perf_counter()
            if asked:
                complete = stayed(self._team, int(job.runs["asked"][0]))
                self._contention.report(complete)
                if not complete:
                    job.set(credit=CREDIT)
            speed = (done - step) / max(now - start, 1e-6)
            self._slice_steps = max(1, min(int(speed * SLICE_SECONDS), 4 * self._slice_steps))
            step = done
            seen = self._rows(self._completed(step))
            report(seen - rows)
            rows = seen
        return self._completed(step)

    def _completed(self, steps: int) -> int:
        """Number of mini-batches that ``steps`` chunks complete."""
        if steps == self._n_steps:
            return self.updates_per_epoch
        return steps // int(self._plan.runs["chunks_per_batch"][0])
