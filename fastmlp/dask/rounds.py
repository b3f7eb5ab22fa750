"""Tasks of workers: train on a shard's rows of a round, average the results of several shards."""

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
from ..network.encoding import Encoding
from ..network.packed_network import Floats, Network
from ..outputs import MeanWeight, Targets
from ..settings import FitSettings

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
    size = data.settings.batch_size
    rows = order[share.first * size :][: len(share.rates) * size]
    if len(rows) < len(order):
        data = replace(data, X=data.X[rows], targets=data.targets.part(rows))
        rows = np.arange(len(rows))
    # Kernels count from their memory to rows; arrays from another process may lie at odd addresses.
    data = replace(data, X=np.require(data.X, requirements=["C", "A"]))
    run = TrainingRun(network, data)
    network, statistics = run.epoch(
        network, rows, share.rates, share.dropout_key, time.perf_counter() + start.seconds,
        before=MeanWeight(np.inf, start.mean_weight),
    )  # fmt: skip
    run.end()
    return Part(network.flat(), len(rows), (statistics,), (get_worker().address,))


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
