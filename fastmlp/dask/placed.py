"""Shards on workers, and the rounds of training on them."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from distributed import Future

from ..fitting.dataset import FitData
from ..network.packed_network import Floats
from .rounds import Part, Share, Start, averaged, carried, order_of, train, whole_shard
from .tasks import Tasks
from .waiting import clear_errors, gathered

# Results that one process averages; of more, groups of this size are averaged on workers first.
_FAN_IN = 8
# Dask warns of tasks of 10 MB, and pieces may go different ways.
_PIECE_BYTES = 8 << 20


class Shard(NamedTuple):
    """Encoded rows on a worker."""

    future: Future  # of (X, Targets), encoded; Dask must be able to compute it again
    rows: int
    weight: float  # the sum of the weights in the loss
    address: str  # of the worker


class PlacedShards:
    """Shards on workers.

    Tasks prefer the worker of their shard, but Dask may run them on any, as it must if that dies.

    Parameters
    ----------
    client : Tasks
    shards : sequence of Shard
    data : FitData
        Encoding and settings of the workers.
    """

    def __init__(self, client: Tasks, shards: Sequence[Shard], data: FitData) -> None:
        self._client, self._data = client, data
        self._counts = [shard.rows for shard in shards]
        self._addresses = [shard.address for shard in shards]
        self._shards = [
            self._submit(number, whole_shard, shard.future, data.encoding, data.settings)
            for number, shard in enumerate(shards)
        ]
        self._orders: list[Future] = []

    def _submit(self, number: int, task: Callable[..., Any], *arguments: Any) -> Future:
        """Run a task, preferably on the worker of a shard."""
        return self._client.submit(
            task, *arguments, workers=[self._addresses[number]], allow_other_workers=True,
            pure=False,
        )  # fmt: skip

    def begin_epoch(self, key: int) -> None:
        """Draw the orders of the rows, on shards that are spread over the present workers."""
        with clear_errors(self._client):
            self._spread()
            self._orders = [
                self._submit(number, order_of, count, self._data.settings.shuffle, (key, number))
                for number, count in enumerate(self._counts)
            ]

    def _spread(self) -> None:
        """Move shards of workers that are gone, or have several, to workers that have the least."""
        shards = dict.fromkeys(sorted(self._client.nthreads()), 0)
        if not shards:  # one may come back
            return
        for address in self._addresses:
            if address in shards:
                shards[address] += 1
        for number, address in enumerate(self._addresses):
            other = min(shards, key=lambda worker: shards[worker])
            if address not in shards or (shards[address] > 1 and shards[other] == 0):
                self._addresses[number] = other
                shards[other] += 1
                if address in shards:
                    shards[address] -= 1

    def round(
        self, flat: Floats, start: Start, shares: dict[int, Share], tick: Callable[[], Any]
    ) -> Part:
        """Train on the shares of shards from the same network; return the mean.

        Tasks carry the network themselves: Dask can repeat each without any of the rounds before.
        """
        with clear_errors(self._client):
            pieces = [
                self._client.submit(carried, piece, pure=False)
                for piece in np.array_split(flat, math.ceil(flat.nbytes / _PIECE_BYTES))
            ]
            parts = [
                self._submit(
                    number, train, self._shards[number], self._orders[number], pieces, start, share
                )
                for number, share in shares.items()
            ]
            while len(parts) > _FAN_IN:
                groups = [parts[first : first + _FAN_IN] for first in range(0, len(parts), _FAN_IN)]
                parts = [self._client.submit(averaged, group, pure=False) for group in groups]
            part = averaged(gathered(self._client, parts, tick))
        for number, address in zip(shares, part.addresses, strict=True):
            self._addresses[number] = address
        return part
