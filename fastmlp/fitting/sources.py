"""Sources of the rows of each epoch: memory, or chunks."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..network.packed_network import Network
from ..outputs import MeanWeight
from .dataset import FitData
from .diagnostics import Seen
from .epoch import Statistics, TrainingRun


class Run(Protocol):
    """Trains on the rows of an epoch, or of a part of it, as :class:`TrainingRun` does."""

    @property
    def updates_per_epoch(self) -> int:
        """Number of mini-batches."""

    def draw(self, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], int]:
        """Draw the order of the rows, and the key of dropout."""

    def epoch(
        self, network: Network, order: npt.NDArray[np.int64], rates: npt.NDArray[np.float64],
        dropout_key: int, deadline: float, report: Callable[[int], Any], before: MeanWeight,
    ) -> tuple[Network, Statistics]:  # fmt: skip
        """Train on every row once; see :meth:`TrainingRun.epoch`."""

    def end(self) -> None:
        """Leave the memory to another fit."""


class Source(Protocol):
    """Supplies the runs of each epoch."""

    @property
    def can_start_again(self) -> bool:
        """Whether a fit that diverges may start again with the first epoch."""

    @property
    def rows(self) -> int | None:
        """Rows of an epoch; None if unknown."""

    def mean_weight(self, known: MeanWeight) -> MeanWeight:
        """The mean weight with which an epoch begins, after epochs that left ``known``."""

    def runs(self, network: Network) -> Iterator[Run]:
        """The runs that make up an epoch; the first one begins with ``network``."""

    def end(self) -> None:
        """Leave the memory to another fit, after the last epoch."""

    def planned_updates(self, network: Network, epochs: int) -> int:
        """The network's number of updates after further ``epochs``; 0 if unknown."""


class InMemory:
    """All rows in memory: one run for every epoch."""

    can_start_again = True

    def __init__(self, data: FitData) -> None:
        self._data, self.rows = data, len(data.X)
        self._run: TrainingRun | None = None

    def mean_weight(self, known: MeanWeight) -> MeanWeight:
        """None yet, as the run has all rows."""
        return MeanWeight()

    def runs(self, network: Network) -> Iterator[Run]:
        """The one run."""
        if self._run is None:
            self._run = TrainingRun(network, self._data)
        yield self._run

    def end(self) -> None:
        """End the run."""
        if self._run is not None:
            self._run.end()
            self._run = None

    def planned_updates(self, network: Network, epochs: int) -> int:
        """Updates so far, and the mini-batches of the epochs."""
        return network.updates + epochs * -(-self.rows // self._data.settings.batch_size)


class Chunked:
    """Rows in chunks: a run for each chunk.

    Parameters
    ----------
    chunks : callable
        Returns the chunks of the next epoch.
    seen : Seen, optional
        Gets what diagnostics need of the rows.
    """

    can_start_again = False
    rows = None

    def __init__(self, chunks: Callable[[], Iterator[FitData]], seen: Seen | None = None) -> None:
        self._chunks, self.seen = chunks, seen

    def mean_weight(self, known: MeanWeight) -> MeanWeight:
        """That of all rows so far."""
        return known

    def runs(self, network: Network) -> Iterator[Run]:
        """A run for each chunk; a ValueError if there is none."""
        data = None
        if self.seen is not None:
            self.seen.n_rows = 0
        for data in self._chunks():
            run = TrainingRun(network, data if self.seen is None else self.seen.added(data))
            yield run
            run.end()
        if data is None:
            raise ValueError(
                "chunks must hold at least one (X, Y) in every epoch; got none: a callable must "
                "return a new iterable each time"
            )

    def end(self) -> None:
        """Nothing, as each run has ended."""

    def planned_updates(self, network: Network, epochs: int) -> int:
        """0, as the number of rows is unknown."""
        return 0
