"""Rows spread over the workers of a cluster, as the source of a fit."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..fitting.dataset import FitData
from ..fitting.epoch import Statistics
from ..member import check_interrupt
from ..network.packed_network import Network
from ..outputs import MeanWeight
from .pace import measured_sync_every
from .placed import PlacedShards, Shard
from .rounds import Share, Start, key_of
from .tasks import Tasks
from .worker_settings import worker_settings


class DistributedSource:
    """Trains on each shard where it lies, and averages the networks every few updates.

    In a round, all shards start from the same network and do ``sync_every`` updates, each on its
    own rows; the mean of the results, by the rows of each, starts the next round. A shard with
    fewer rows than the largest one does proportionally fewer updates in an epoch, spread evenly.
    The result does not depend on the workers that the shards are on.

    A worker that dies costs what it did since the last average: Dask repeats its tasks, and those
    that its rows come from, on the others. Each epoch starts with the shards spread over the
    present workers, so one that joins is used if another has several shards.

    Parameters
    ----------
    client : Tasks
    shards : sequence of Shard
        Of one row or more.
    data : FitData
        Without rows.
    sync_every : int or "auto"
        Updates in a round. By default measured before the first one, in rounds of which nothing is
        kept: the same number gives the same network.

    Attributes
    ----------
    sync_every : int or "auto"
        The number that is used, from the first round on: at most the updates of an epoch.
    """

    can_start_again = True

    def __init__(
        self, client: Tasks, shards: Sequence[Shard], data: FitData,
        sync_every: int | Literal["auto"] = "auto",
    ) -> None:  # fmt: skip
        self.sync_every = sync_every
        counts = [shard.rows for shard in shards]
        self.rows: int | None = sum(counts)
        self._mean_weight = MeanWeight(
            sum(counts), sum(shard.weight for shard in shards) / sum(counts)
        )
        settings, self._rate_factor = worker_settings(data.settings, len(shards))
        self._updates = [-(-count // settings.batch_size) for count in counts]
        self.updates_per_epoch = max(self._updates)
        self._drops = bool(settings.dropout)
        self._shards = PlacedShards(client, shards, replace(data, settings=settings))

    def mean_weight(self, known: MeanWeight) -> MeanWeight:
        """That of all rows."""
        return self._mean_weight

    def planned_updates(self, network: Network, epochs: int) -> int:
        """Updates so far, and those of the largest shard."""
        return network.updates + epochs * self.updates_per_epoch

    def runs(self, network: Network) -> Iterator["DistributedSource"]:
        """This object itself, for all rounds of an epoch."""
        if self.sync_every == "auto":
            self._shards.begin_epoch(0)
            self.sync_every = measured_sync_every(
                lambda updates: self._rehearsed(network, updates), self.updates_per_epoch
            )
        self.sync_every = min(self.sync_every, self.updates_per_epoch)
        yield self

    def _rehearsed(self, network: Network, updates: int) -> float:
        """Seconds in which the slowest worker trains on a round, of which nothing is kept."""
        rates = np.zeros(self.updates_per_epoch)
        start = self._start(network, 0, math.inf)
        shares = self._shares(range(updates), rates, 0)
        part = self._shards.round(network.flat(), start, shares, check_interrupt)
        return max(statistics.seconds for statistics in part.statistics)

    def draw(self, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], int]:
        """Draw the keys from which workers draw the orders of their rows, and dropout."""
        return rng.integers(1 << 62, size=1), int(rng.integers(1 << 62)) if self._drops else 0

    def epoch(
        self, network: Network, order: npt.NDArray[np.int64], rates: npt.NDArray[np.float64],
        dropout_key: int, deadline: float, report: Callable[[int], Any], before: MeanWeight,
    ) -> tuple[Network, Statistics]:  # fmt: skip
        """Train on every row once, round by round; see :meth:`TrainingRun.epoch`."""
        began, flat = time.perf_counter(), network.flat()
        statistics: list[Statistics] = []
        self._shards.begin_epoch(int(order[0]))
        step, total, done = int(self.sync_every), self.updates_per_epoch, 0
        while done < total and (done == 0 or time.perf_counter() < deadline):
            updates = range(done, min(done + step, total))
            start = self._start(network, done, deadline)
            shares = self._shares(updates, rates, dropout_key)
            part = self._shards.round(flat, start, shares, lambda: report(0))
            report(part.rows)
            flat, done = part.flat, updates.stop
            statistics += part.statistics
        joined = Statistics.joined(statistics)._replace(
            mean_weight=before, learning_rate=float(rates[done - 1]),
            is_complete=done == total and all(part.is_complete for part in statistics),
            seconds=time.perf_counter() - began,
        )  # fmt: skip
        network = Network.from_flat(
            flat, network.layer_sizes, network.activations, network.rule, network.updates + done
        )
        return network, joined

    def _start(self, network: Network, done: int, deadline: float) -> Start:
        return Start(
            network.layer_sizes, network.activations, network.rule, network.updates + done,
            self._mean_weight.mean, deadline - time.perf_counter(),
        )  # fmt: skip

    def _shares(
        self, updates: range, rates: npt.NDArray[np.float64], dropout_key: int
    ) -> dict[int, Share]:
        """What each shard does of the updates of a round, by its number."""
        shares = {}
        for number, own in enumerate(self._updates):
            first, last = (
                end * own // self.updates_per_epoch for end in (updates.start, updates.stop)
            )
            if count := last - first:
                places = updates.start + np.arange(count) * len(updates) // count
                key = dropout_key and key_of(dropout_key, updates.start, number)
                shares[number] = Share(first, self._rate_factor * rates[places], key)
        return shares

    def end(self) -> None:
        """Nothing: Dask frees the rows with this object."""
