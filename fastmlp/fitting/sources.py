"""Sources of the rows of each epoch: memory, or a stream."""

from collections.abc import Callable, Iterator
from typing import Protocol

from ..network.packed_network import Network
from .dataset import FitData
from .epoch import TrainingRun


class Source(Protocol):
    """Supplies the training runs of each epoch."""

    @property
    def is_in_memory(self) -> bool:
        """Whether all rows are in memory."""

    @property
    def rows(self) -> int | None:
        """Rows of an epoch; None if unknown."""

    def runs(self, network: Network) -> Iterator[TrainingRun]:
        """The runs that make up an epoch; the first one begins with ``network``."""

    def end(self) -> None:
        """Leave the memory to another fit, after the last epoch."""

    def planned_updates(self, network: Network, epochs: int) -> int:
        """The network's number of updates after further ``epochs``; 0 if unknown."""


class InMemory:
    """All rows in memory: one run for every epoch."""

    is_in_memory = True

    def __init__(self, data: FitData) -> None:
        self._data, self.rows = data, len(data.X)
        self._run: TrainingRun | None = None

    def runs(self, network: Network) -> Iterator[TrainingRun]:
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


class Streamed:
    """Rows in parts: a run for each part.

    Parameters
    ----------
    parts : callable
        Returns the parts of the next epoch.
    """

    is_in_memory = False
    rows = None

    def __init__(self, parts: Callable[[], Iterator[FitData]]) -> None:
        self._parts = parts

    def runs(self, network: Network) -> Iterator[TrainingRun]:
        """A run for each part; a ValueError if there is none."""
        data = None
        for data in self._parts():
            run = TrainingRun(network, data)
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
