"""Forward passes of a network over arrays: outputs, or loss and metric."""

import math
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import EncodedRows, SparseRows, all_finite
from ..inputs import Scaling
from ..kernels.plugins.losses import LOSSES, OUTPUTS
from ..kernels.runs.threads import usable_threads
from ..member import check_interrupt
from ..network.encoding import Encoding
from ..network.input_reader import entries_of_chunk, knots_in, multiply_adds, set_rows
from ..network.packed_network import Floats, Network
from ..outputs import Means, Scores, Targets
from .workspaces import RowWorkspace, Workspace, borrow

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


def _predict_row(
    network: Network, X: npt.NDArray[np.generic], scaling: Scaling, kernel: Any
) -> Floats:
    space, free = borrow(network, (RowWorkspace, X.shape[1], X.dtype, scaling, kernel))
    space.hold(network.packed)
    outputs: Floats = space.run(X)
    free.append(space)
    return outputs


def _team_size(row_work: float, n: int, threads: int | None) -> int:
    """Number of threads for the predictions of ``n`` rows of ``row_work`` multiply-adds each."""
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
        key = Workspace, _CHUNK, n_threads, X.dtype, scaling, kernel, totals
        self._space, self._free = borrow(network, key, entries_of_chunk(X, _CHUNK))
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
