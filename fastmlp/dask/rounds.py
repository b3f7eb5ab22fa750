"""Tasks of workers: train on a shard's rows of a round, average the results of several shards."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from distributed import get_worker

from ..data import Array
from ..fitting.dataset import FitData
from ..fitting.epoch import Statistics, TrainingRun
from ..kernels.runs.layout import aligned_zeros
from ..network.encoding import Encoding
from ..network.packed_network import Floats, Network
from ..outputs import MeanWeight, Targets
from ..settings import FitSettings

# Rows are copied in the order of training, to memory that each thread keeps: Dask's workers return
# free memory at once, and to get 90 MB again took 50 times as long as the copy.
_COPIED_BYTES = 64 << 20
_memory = threading.local()

Order = npt.NDArray[np.int64]


class Start(NamedTuple):
    """The network at the start of a round, without its numbers, and the mean weight of all rows."""

    layer_sizes: tuple[int, ...]
    activations: tuple[str, ...]
    rule: str
    updates: int
    mean_weight: float
    seconds: float  # that are left until the deadline


class Share(NamedTuple):
    """A shard's share of a round: its updates, and their learning rates."""

    first: int  # number of the first update in the epoch of the shard
    rates: npt.NDArray[np.float64]
    dropout_key: int


class Part(NamedTuple):
    """Results of some shards after a round."""

    flat: Floats  # mean of weights and state, see :meth:`Network.flat`
    rows: int
    statistics: tuple[Statistics, ...]  # of each shard
    addresses: tuple[str, ...]  # of the workers that trained on them


def whole_shard(rows: tuple[Array, Targets], encoding: Encoding, settings: FitSettings) -> FitData:
    """The rows of a shard as the data of a fit, on the threads of the worker."""
    threads = settings.threads or get_worker().state.nthreads
    return FitData(*rows, encoding, replace(settings, threads=threads))


def order_of(rows: int, shuffle: bool, seed: Sequence[int]) -> Order:
    """The order of a shard's rows in an epoch."""
    if not shuffle:
        return np.arange(rows)
    return np.random.Generator(np.random.PCG64(seed)).permutation(rows)


def carried(piece: Floats) -> Floats:
    """A piece of the network, as a task that Dask can repeat on another worker."""
    return piece


def train(data: FitData, order: Order, pieces: list[Floats], start: Start, share: Share) -> Part:
    """Train on a shard's rows of a round."""
    network = Network.from_flat(
        np.concatenate(pieces), start.layer_sizes, start.activations, start.rule, start.updates
    )
    deadline = time.perf_counter() + start.seconds
    before = MeanWeight(np.inf, start.mean_weight)
    batch_size, statistics = data.settings.batch_size, []
    step = max(1, _COPIED_BYTES // (batch_size * data.array[:1].nbytes))
    for first in range(0, len(share.rates), step):
        rates = share.rates[first : first + step]
        rows = order[(share.first + first) * batch_size :][: len(rates) * batch_size]
        part = replace(data, X=_copied(data.array, rows), targets=data.targets.part(rows))
        run = TrainingRun(network, part)
        key = share.dropout_key and key_of(share.dropout_key, first)
        network, own = run.epoch(
            network, np.arange(len(rows)), rates, key, deadline, before=before
        )  # fmt: skip
        run.end()
        statistics.append(own)
        if not own.is_complete:
            break
    joined = Statistics.joined(statistics)
    return Part(network.flat(), joined.rows, (joined,), (get_worker().address,))


def _copied(X: Array, rows: Order) -> Array:
    """``X[rows]``, valid until the next call in this thread."""
    size = len(rows) * X[:1].nbytes
    if not hasattr(_memory, "rows") or _memory.rows.size < size:
        _memory.rows = aligned_zeros(size, np.dtype(np.uint8))
    copy = _memory.rows[:size].reshape(len(rows), -1)
    # As bytes, since arrays from other processes may not be aligned.
    np.ascontiguousarray(X).view(np.uint8).take(rows, axis=0, out=copy, mode="clip")
    rows_of_x: Array = copy.view(X.dtype)
    return rows_of_x


def key_of(*numbers: int) -> int:
    """63 bits that depend on all of some numbers."""
    return int(np.random.PCG64(numbers).random_raw() >> 1)


def averaged(parts: list[Part]) -> Part:
    """The mean of some parts by their rows, in their order."""
    if len(parts) == 1:
        return parts[0]
    total = sum(part.rows for part in parts)
    mean = np.zeros(parts[0].flat.shape)
    for part in parts:
        mean += part.flat * (part.rows / total)
    return Part(
        mean.astype(parts[0].flat.dtype), total,
        sum((part.statistics for part in parts), ()),
        sum((part.addresses for part in parts), ()),
    )  # fmt: skip
