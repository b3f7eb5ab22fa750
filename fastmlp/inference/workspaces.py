"""Memory for predictions, kept by a network between calls."""

from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from ..inputs import Scaling
from ..kernels.runs.jobs import prediction_job, values_job
from ..kernels.runs.layout import aligned_zeros
from ..kernels.runs.plan import make_plan
from ..kernels.runs.sparse_plan import plan_entries
from ..network.input_reader import copying_reader, knots_in, reads_in_place, set_scaling
from ..network.packed_network import Floats, Network


class Workspace:
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


class RowWorkspace:
    """Workspace for single rows, which are copied so that addresses stay the same."""

    entries = 0

    def __init__(
        self, network: Network, n_features: int, dtype: np.dtype, scaling: Scaling, kernel: Any
    ) -> None:
        space = Workspace(network, 1, 1, dtype, scaling, kernel, False)
        self._job, self.hold = space.job, space.hold
        self._order = np.zeros(1, np.int64)
        self._row = np.empty((1, n_features), dtype)
        self._outputs = np.empty((1, network.layer_sizes[-1]), network.dtype)
        self._job.set_rows(self._row, self._order, in_place=space.in_place)
        self._job.set(first=0, last=1)
        self._job.point(predictions=self._outputs)

    def run(self, X: npt.NDArray[np.generic]) -> Floats:
        """The outputs of one row."""
        self._row[...] = X
        self._job.run()
        return self._outputs.copy()


def borrow(network: Network, key: tuple[Any, ...], entries: int = 0) -> tuple[Any, list[Any]]:
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
        space = kind(network, *arguments, **({"entries": entries} if entries else {}))
    return space, free
