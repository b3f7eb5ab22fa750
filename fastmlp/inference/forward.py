"""Forward passes of a network over arrays: outputs, or loss and metric."""

import math
import time
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import EncodedRows, SparseRows, all_finite
from ..inputs import Scaling
from ..kernels.plugins.losses import LOSSES, OUTPUTS
from ..kernels.runs.jobs import prediction_job, values_job
from ..kernels.runs.layout import aligned_zeros
from ..kernels.runs.plan import make_plan
from ..kernels.runs.sparse_plan import plan_entries
from ..kernels.runs.threads import usable_threads
from ..member import check_interrupt
from ..network.encoding import Encoding
from ..network.input_reader import (
    copying_reader,
    entries_of_chunk,
    knots_in,
    multiply_adds,
    reads_in_place,
    set_rows,
    set_scaling,
)  # fmt: skip
from ..network.packed_network import Floats, Network
from ..outputs import Means, Scores, Targets

# Rows that pass through the network at a time: from 24 to 384, 10,000 rows of 784-128-10 took the
# same time on one thread, 20.3 to 20.5 ms, and on two.
_CHUNK = 96

# Length of a kernel call, as Python handles interrupts between calls; work of the first one, before
# its speed is known: twice that of 10,000 rows of 784-128-10.
SLICE_SECONDS, _FIRST_SLICE_FLOPS = 0.1, 4e9
# Overhead of a chunk beside its products: about a microsecond.
_FLOPS_BESIDE = 1e4

# Fewer operations run in the calling thread: they take some milliseconds, as long as another
# thread may need to start beside a busy process.
_TEAM_FLOPS = 5e8


class _Workspace:
    """Memory and job for the predictions of many rows, used by one call at a time."""

    def __init__(
        self, network: Network, chunk: int, n_threads: int, dtype: np.dtype, scaling: Scaling,
        kernel: Any, totals: bool, entries: int = 0,
    ) -> None:  # fmt: skip
        knots = knots_in(network, scaling)
        in_place = not entries and reads_in_place(network, dtype, scaling, knots)
        plan = make_plan(
            network.layer_sizes, network.dtype, chunk=chunk, members=n_threads, together=False,
            consecutive=in_place, activations=network.activations, entries=entries,
            binned=knots.sizes if knots else None,
        )  # fmt: skip
        if entries:
            plan_entries(plan, entries)
        memory = aligned_zeros(plan.memory_size, network.dtype)
        self._weights = memory[: network.packed.size]
        self._held: Floats | None = None
        self.in_place, self.entries = in_place, entries
        self.job = prediction_job(
            plan, memory, kernel=kernel, activations=network.activations, totals=totals,
            reader=(
                "consecutive" if in_place
                else copying_reader(dtype, scaling, knots, is_sparse=entries > 0)
            ),
        )  # fmt: skip
        set_scaling(self.job, scaling, network.dtype, knots)
        self._values = values_job(plan, memory) if knots else None

    def hold(self, packed: Floats) -> None:
        """Copy the weights, unless they are the same array: a network's never change in place."""
        if self._held is not packed:
            self._weights[:] = self._held = packed
            if self._values:
                self._values.run(alone=True)


class _RowWorkspace:
    """Workspace for single rows, which are copied so that addresses stay the same."""

    entries = 0

    def __init__(
        self, network: Network, n_features: int, dtype: np.dtype, scaling: Scaling, kernel: Any
    ) -> None:
        space = _Workspace(network, 1, 1, dtype, scaling, kernel, False)
        self._job, self.hold = space.job, space.hold
        self._order = np.zeros(1, np.int64)
        self._row = np.empty((1, n_features), dtype)
        self._outputs = np.empty((1, network.layer_sizes[-1]), network.dtype)
        self._job.set_rows(self._row, self._order, in_place=space.in_place)
        self._job.set(first=0, last=1)
        self._job.point(predictions=self._outputs)

    def run(self, X: npt.NDArray[np.generic]) -> Floats:
        self._row[...] = X
        self._job.run()
        return self._outputs.copy()


def _borrow(network: Network, key: tuple[Any, ...], entries: int = 0) -> tuple[Any, list[Any]]:
    """Take a free workspace for ``key`` from the network, or make one; return it and the list to
    append it to after use. Concurrent calls get different ones.

    One with room for more ``entries`` of sparse rows replaces another, as each has a copy of the
    weights.
    """
    free, space = network.workspaces.setdefault((*key, entries > 0), []), None
    with suppress(IndexError):
        space = free.pop()
    if space is None or space.entries < entries:
        kind, *arguments = key
        space = kind(network, *arguments, *[entries] * (entries > 0))
    return space, free


def _predict_row(
    network: Network, X: npt.NDArray[np.generic], scaling: Scaling, kernel: Any
) -> Floats:
    space, free = _borrow(network, (_RowWorkspace, X.shape[1], X.dtype, scaling, kernel))
    space.hold(network.packed)
    outputs: Floats = space.run(X)
    free.append(space)
    return outputs


def _team_size(row_work: float, n: int, threads: int | None) -> int:
    """Number of threads for the predictions of ``n`` rows of so many multiply-adds each."""
    if threads is None and 2 * n * row_work < _TEAM_FLOPS:
        return 1
    return min(usable_threads(threads), -(-n // _CHUNK))


class _Rows:
    """A forward pass over rows, in a borrowed workspace."""

    def __init__(
        self, network: Network, X: EncodedRows, threads: int | None,
        scaling: Scaling, kernel: Any, totals: bool,
    ) -> None:  # fmt: skip
        knots = knots_in(network, scaling)
        self.X, row_work = X, multiply_adds(network, X, knots.sizes if knots else None)
        self.chunks = -(-len(X) // _CHUNK)
        self._parts = np.arange(_team_size(row_work, len(X), threads) + 1)
        chunk_flops = 2 * _CHUNK * row_work + _FLOPS_BESIDE
        self._slice = max(1, int(_FIRST_SLICE_FLOPS / chunk_flops))  # chunks of a kernel call
        n_threads = len(self._parts) - 1
        key = _Workspace, _CHUNK, n_threads, X.dtype, scaling, kernel, totals
        self._space, self._free = _borrow(network, key, entries_of_chunk(X, _CHUNK))
        self.job, self.order = self._space.job, np.arange(len(X))
        set_rows(self.job, X, self.order, in_place=self._space.in_place)

    def run(self, network: Network) -> None:
        """Pass the rows through a network of the same shape, in short kernel calls."""
        self._space.hold(network.packed)
        done = 0
        while done < self.chunks:
            check_interrupt()
            count = min(self._slice, self.chunks - done)
            bounds = done + self._parts * count // self._parts[-1]
            self.job.set(first=bounds[:-1], last=bounds[1:])
            start = time.perf_counter()
            self.job.run()
            done += count
            speed = count / max(time.perf_counter() - start, 1e-6)
            self._slice = max(1, min(int(speed * SLICE_SECONDS), 4 * self._slice))

    def give_back(self) -> None:
        """Return the workspace, after the last run."""
        self._free.append(self._space)


def _check_finite(finite: bool) -> None:
    if not finite:
        raise FloatingPointError(
            "the network's output is not finite: its weights or the values of X are too large"
        )


def predict(
    network: Network, X: EncodedRows, threads: int | None, scaling: Scaling,
    output: str,
) -> Floats:  # fmt: skip
    """Outputs of shape (n, outputs) in the network's dtype, after the output function of the loss
    ``output``, or logits for "identity"."""
    kernel = OUTPUTS[output]
    if len(X) == 1 and not isinstance(X, SparseRows):
        outputs = _predict_row(network, X, scaling, kernel)
    else:
        outputs = np.empty((len(X), network.layer_sizes[-1]), network.dtype)
        rows = _Rows(network, X, threads, scaling, kernel, False)
        rows.job.point(predictions=outputs)
        rows.run(network)
        rows.give_back()
    if output != "softmax_cross_entropy":
        _check_finite(all_finite(outputs))
    else:  # if one probability of a row is NaN, all of that row are
        _check_finite(math.isfinite(outputs.item(0) if len(X) == 1 else outputs[:, 0].sum()))
    return outputs


class Evaluation:
    """Loss and metric of rows against their targets, for networks of one shape.

    Parameters
    ----------
    network : Network
        One of them.
    encoding : Encoding
    rows : (array, Targets)
        Encoded rows.
    threads : int, optional
    """

    def __init__(
        self, network: Network, encoding: Encoding,
        rows: tuple[EncodedRows, Targets], threads: int | None,
    ) -> None:  # fmt: skip
        (X, self._targets), self._outputs = rows, encoding.outputs
        kernel = LOSSES[self._outputs.kernel(self._targets)].loss
        self._rows = run = _Rows(network, X, threads, encoding.inputs.of_kernels, kernel, True)
        shape = run.chunks, self._outputs.averaged, 2, int(run.job.runs["lanes"][0])
        self._totals = np.zeros(shape)
        self._arrays, numbers = self._outputs.run_fields(self._targets, run.order, network.dtype)
        run.job.set(**numbers, sum_count=self._totals[0].size)
        run.job.point(**self._arrays, totals=self._totals)

    def scores(self, network: Network) -> Scores:
        """Mean loss and metric of a network."""
        return self._outputs.summed_up(self.means(network))

    def means(self, network: Network) -> Means:
        """Means of a network, which add up over parts of the rows."""
        self._totals.fill(0)
        self._rows.run(network)
        sums = self._totals.sum(axis=(0, 3))
        _check_finite(all_finite(sums[:, 0]))
        return self._outputs.means(sums, self._targets)

    def give_back(self) -> None:
        """Return the workspace, after the last network."""
        self._rows.give_back()


def evaluate(
    network: Network,
    encoding: Encoding,
    rows: tuple[EncodedRows, Targets],
    threads: int | None,
) -> Scores:
    """Mean loss and metric of rows against their targets."""
    evaluation = Evaluation(network, encoding, rows, threads)
    scores = evaluation.scores(network)
    evaluation.give_back()
    return scores
