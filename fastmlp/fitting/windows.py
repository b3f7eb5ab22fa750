"""Rows of a stream in windows: random groups, encoded, whose rows are shuffled together."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice

import numpy as np

from ..data import Array, Numbers
from ..member import check_interrupt
from ..network.packed_network import Network
from ..outputs import MeanWeight, Targets
from ..streams import RowGroups, Total
from ..streams.spread import spread
from ..streams.survey import training_rows
from .ahead import Ahead
from .dataset import FitData, encoded_part
from .diagnostics import Seen
from .epoch import TrainingRun
from .kept_parts import room_for

# Of a window, about. One is trained on while the next one is made.
_BYTES = 32 << 20
# Longer parts than this share of a window are mixed first.
_PARTS = 16
# Of a row beside its features and targets: its places in the order of the epoch, and its weights.
_BESIDE = 32


class _EndedError(Exception):
    """The fit has ended while a window was made."""


class Windows:
    """A source of the rows of each epoch: windows of groups in random order.

    The order depends on the seed and on the updates done before the epoch, so that a fit that is
    resumed, or starts again, reads the same.

    Parameters
    ----------
    groups : RowGroups
    flags : mapping
        Of the survey: which rows of a group are not trained on.
    data : FitData
        The encoding, the settings, and the sample of the rows, which tells their size.
    trained : Total
        All rows to train on.
    factors : array, optional
        Weights of the classes.

    Attributes
    ----------
    seen : Seen
        What diagnostics need of the rows.
    count : int
        Windows of an epoch.
    """

    can_start_again = True

    def __init__(
        self, groups: RowGroups, flags: Mapping[int, Array], data: FitData, trained: Total,
        factors: Numbers | None,
    ) -> None:  # fmt: skip
        settings = data.settings
        self._groups, self._flags, self._factors = groups, flags, factors
        self._data = replace(data.without_rows(), mean_weight=trained.weight / trained.rows)
        self._numbers = [k for k, size in enumerate(groups.sizes) if size]
        self._seed = secrets.randbits(64) if settings.seed is None else settings.seed
        self.rows: int = trained.rows
        batch = min(settings.batch_size, self.rows)
        self._updates = -(-self.rows // batch)
        most = max(1, _BYTES // (_row_bytes(data) * batch))
        # About the same for all, as a short one would have few groups.
        per_window = -(-self._updates // -(-self._updates // most))
        self.count = -(-self._updates // per_window)
        self._size = per_window * batch
        self._kept = room_for(self.rows * _row_bytes(data)) if self.count > 1 else None
        self.seen = Seen()
        self._memory: list[Array] = []
        self._ahead: Ahead[FitData] | None = None
        self._place = 0, 0  # of the window that comes next: updates before its epoch, its number
        self._end: int | None = None  # updates at the end of the fit

    def planned_updates(self, network: Network, epochs: int) -> int:
        """Updates so far, and the mini-batches of the epochs."""
        return network.updates + epochs * self._updates

    def mean_weight(self, known: MeanWeight) -> MeanWeight:
        """None yet: the windows have that of all rows."""
        return MeanWeight()

    def runs(self, network: Network) -> Iterator[TrainingRun]:
        """A run for each window."""
        updates = network.updates
        if self._end is None:
            self._end = self.planned_updates(network, self._data.settings.epochs)
        self.seen.n_rows = 0
        for number in range(self.count):
            run = TrainingRun(network, self.seen.added(self._next(updates, number)))
            yield run
            run.end()

    def end(self) -> None:
        """End the reading, and remove the rows that were kept."""
        try:
            self._end_reading()
        finally:
            self._read_anew()

    def in_order(self) -> FitData:
        """The rows of the first window of the groups in order."""
        return next(self._windows(self._numbers))

    def _next(self, updates: int, number: int) -> FitData:
        """A window, which mostly has been made by now."""
        if self._ahead is None or self._ahead.is_lost or self._place != (updates, number):
            self._end_reading()
            self._ahead = Ahead(islice(self._from(updates), number, None))
        self._place = (updates, number + 1)
        if number + 1 == self.count:
            self._place = updates + self._updates, 0
        window = self._ahead.take()
        if window is None:
            raise ValueError(
                "groups must hold the same rows in every epoch; got fewer than at first"
            )
        return window

    def _end_reading(self) -> None:
        if self._ahead is not None:
            self._ahead.end()
            self._ahead = None

    def _read_anew(self) -> None:
        """Keep no encoded rows."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _from(self, updates: int) -> Iterator[FitData]:
        """The windows of all epochs from one on."""
        while True:
            rng = np.random.default_rng((self._seed, updates))
            shuffles = self._data.settings.shuffle
            if shuffles:
                yield from self._windows(self._mixed(rng), rng)
            else:
                yield from self._windows(self._numbers)
            updates += self._updates
            if self._end is None or updates >= self._end:
                return

    def _mixed(self, rng: np.random.Generator) -> list[int]:
        """A random order in which each window has groups from all parts of the file, as its rows
        may be sorted."""
        windows = spread(self._numbers, self.count, rng)
        return [number for window in windows for number in rng.permutation(window).tolist()]

    def _windows(
        self, order: list[int], rng: np.random.Generator | None = None
    ) -> Iterator[FitData]:
        """Windows of groups in this order, all but the last one of whole mini-batches."""
        left, filled = self.rows, 0
        window, parts = None, list[Targets]()
        for number in order:
            rows, of_rows = self._part(number)
            if rng is not None and len(rows) > self._size // _PARTS:
                # Several windows get some of these rows, which may be sorted.
                mixed = rng.permutation(len(rows))
                rows, of_rows = rows[mixed], of_rows.part(mixed)
            done = 0
            while done < len(rows):
                window = self._empty(left) if window is None else window
                own = slice(done, done + len(window) - filled)
                part = rows[own]
                window[filled : filled + len(part)] = part
                parts.append(of_rows.part(own))
                done, filled = done + len(part), filled + len(part)
                if filled == len(window):
                    left -= filled
                    targets = Targets.joined(parts).rescaled()
                    yield replace(self._data, X=window, targets=targets)
                    window, parts, filled = None, [], 0

    def _empty(self, left: int) -> Array:
        """Memory for a window: that of the one before the last, which has been trained on."""
        X, size = self._data.array, min(self._size, self.rows)
        if len(self._memory) < 2:
            self._memory.append(np.empty((size, X.shape[1]), X.dtype))
        else:
            self._memory.reverse()
        return self._memory[-1][: min(size, left)]

    def _part(self, number: int) -> tuple[Array, Targets]:
        """The encoded rows of a group, and their targets."""
        check_interrupt()
        if self._ahead is not None and self._ahead.is_ending:
            raise _EndedError
        part = None if self._kept is None else self._kept.get(number)
        if part is None:
            part = self._encoded(number)
            if self._kept is not None and not self._kept.put(number, part):
                self._read_anew()
        return part

    def _encoded(self, number: int) -> tuple[Array, Targets]:
        """The rows of a group that are trained on, read and encoded."""
        train = training_rows(self._flags[number], self._groups.sizes[number])
        if len(train) == 0:
            return self._data.array, self._data.targets
        return encoded_part(
            self._groups.read(number), train, self._data.encoding, self._data.settings,
            self._factors, f"group {number}: ",
        )  # fmt: skip


def _row_bytes(data: FitData) -> int:
    targets, X = data.targets, data.array
    width = 1 if targets.values is None else len(targets.values)
    knots = data.encoding.inputs.of_kernels.knots
    binned = len(knots.features) if knots else 0  # a byte for each
    return int(X.shape[1] * X.itemsize + width * data.settings.dtype.itemsize + _BESIDE + binned)
