"""Where the rows of each epoch come from: from memory, or from a stream."""

from collections.abc import Callable, Iterator
from typing import Protocol

from ..network.network import Network
from ..settings import FitSettings
from .dataset import FitData
from .epoch import TrainingRun


class Source(Protocol):
    """Gives the rows of each epoch, in runs of kernels."""

    @property
    def is_in_memory(self) -> bool:
        """Whether all rows are at hand."""

    @property
    def rows(self) -> int | None:
        """Rows of an epoch, where that is known."""

    def runs(self, network: Network) -> Iterator[TrainingRun]:
        """The runs that make an epoch; the first one begins with ``network``."""

    def planned_updates(self, network: Network) -> int:
        """Updates at the end of the fit, counted from the first of all; 0 if that is unknown."""


class InMemory:
    """All rows at once: one run serves every epoch."""

    is_in_memory = True

    def __init__(self, data: FitData) -> None:
        self._data, self.rows = data, len(data.X)
        self._run: TrainingRun | None = None

    def runs(self, network: Network) -> Iterator[TrainingRun]:
        """The one run."""
        if self._run is None:
            self._run = TrainingRun(network, self._data, self._data.settings)
        yield self._run

    def planned_updates(self, network: Network) -> int:
        """The epochs' mini-batches, the last of which may be short."""
        settings = self._data.settings
        return network.updates + settings.epochs * -(-self.rows // settings.batch_size)


class Streamed:
    """Rows that come in parts: a run for each of them.

    Parameters
    ----------
    parts : callable
        Makes the parts of the next epoch.
    settings : FitSettings
    """

    is_in_memory = False
    rows = None

    def __init__(self, parts: Callable[[], Iterator[FitData]], settings: FitSettings) -> None:
        self._parts, self._settings = parts, settings

    def runs(self, network: Network) -> Iterator[TrainingRun]:
        """A run for each part."""
        for data in self._parts():
            yield TrainingRun(network, data, self._settings)

    def planned_updates(self, network: Network) -> int:
        """How many rows will come is unknown."""
        return 0
