"""The memory of a fit: its plan, and the kernels' job on it."""

import math
import os
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np

from ..data import SparseRows
from ..kernels.plugins.update_rules import RULES
from ..kernels.products.block_sizes import MANY_SAMPLES
from ..kernels.runs.binned import Binned
from ..kernels.runs.jobs import training_job
from ..kernels.runs.layout import aligned_zeros, weight_layout
from ..kernels.runs.plan import MAX_CHUNK, Plan, make_plan
from ..kernels.runs.sparse_plan import plan_entries
from ..kernels.runs.threads import usable_threads
from ..network.input_reader import (
    copying_reader,
    entries_of_chunk,
    knots_in,
    multiply_adds,
    reads_in_place,
    set_scaling,
)  # fmt: skip
from ..network.packed_network import Network
from ..settings import FitSettings
from .dataset import FitData

# A chunk of less work takes less time than synchronizing a team, and an epoch of less work less
# than starting one; beside a busy process that may take 10 ms, a fit of 100 rows 0.7.
_TEAM_FLOPS, _EPOCH_FLOPS = 1e6, 1e7
# The most work of a chunk, as Python handles interrupts between chunks: 0.3 s on two AVX-512 cores.
# With fewer rows than MANY_SAMPLES an epoch of 20000-4096-10 took 1.5 times as long.
_CHUNK_FLOPS, _LEAST_CHUNK = 1e11, MANY_SAMPLES


class Shape(NamedTuple):
    """What determines the memory of a fit, its plan and its kernels."""

    layer_sizes: tuple[int, ...]
    dtype: np.dtype[Any]
    activations: tuple[str, ...]
    batch_size: int
    chunk: int
    members: int
    reader: str
    loss: str
    rule: str
    dropout: tuple[float, ...]
    before_rule: frozenset[str]
    weighs: bool
    skip_zeros: bool
    entries: int  # of sparse rows in a chunk, at most; 0 for dense ones
    binned: Binned | None

    @property
    def is_whole(self) -> bool:
        """Whether updates need the whole gradient, of sparse weights too."""
        before = self.before_rule
        return "gradient" in before or {"clipping", "penalties"} <= before

    @property
    def replays(self) -> bool:
        """Whether updates that sparse weights missed are made up for."""
        moves = RULES[self.rule].missed.fades or {"penalties", "decay"} & self.before_rule
        return bool(self.entries and moves and not self.is_whole)

    def plan(self) -> Plan:
        """A plan of the memory."""
        plan = make_plan(
            self.layer_sizes, self.dtype, chunk=self.chunk, batch_size=self.batch_size,
            members=self.members, state_vectors=RULES[self.rule].state_vectors,
            skip_zeros=self.skip_zeros, activations=self.activations, entries=self.entries,
            keeps_gradient=not self.before_rule.isdisjoint({"clipping", "gradient"}),
            binned=self.binned,
        )  # fmt: skip
        if self.entries:
            unites = "clipping" in self.before_rule or self.batch_size > self.chunk
            unites = unites and not self.is_whole
            plan_entries(
                plan, self.entries, trains=True, remembers=unites or self.replays, unites=unites
            )
        return plan


class Workspace:
    """The memory of a fit, its plan and its job, as if they were new after :meth:`clear`."""

    def __init__(self, shape: Shape) -> None:
        self.shape, self.plan = shape, shape.plan()
        self.memory = aligned_zeros(self.plan.memory_size, shape.dtype)
        self.job = training_job(
            self.plan, self.memory, reader=shape.reader, loss=shape.loss,
            activations=shape.activations, rule=shape.rule, masked=shape.skip_zeros,
            dropout=shape.dropout, before_rule=shape.before_rule, weighs=shape.weighs,
            replays=shape.replays,
        )  # fmt: skip
        self._records = [
            (records.view(np.uint8), records.view(np.uint8).copy())
            for records in (self.plan.runs, self.plan.layers)
        ]
        tables = sum(table.nbytes for table in self.plan.tables)
        self.nbytes = self.memory.nbytes + tables
        self._one = int(self.plan.runs["one"][0])
        self.memory[self._one] = 1

    def clear(self) -> None:
        """Remove what a fit has left."""
        self.memory.fill(0)
        self.memory[self._one] = 1
        for records, first in self._records:
            records[:] = first


# Workspaces for the next fits of their shapes, each of at most 4 MB: a new one takes 0.1 ms of the
# 0.5 of a short fit. A fit takes one out, so that two never share it; a child process has none.
_KEPT, _KEPT_BYTES = 16, 4 << 20
_kept: OrderedDict[Shape, Workspace] = OrderedDict()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_kept.clear)


def take_workspace(shape: Shape) -> Workspace:
    """A workspace for one fit."""
    workspace = _kept.pop(shape, None)
    if workspace is None:
        return Workspace(shape)
    workspace.clear()
    return workspace


def keep_workspace(workspace: Workspace) -> None:
    """Keep a workspace for another fit, if it is small."""
    if workspace.nbytes <= _KEPT_BYTES:
        _kept[workspace.shape] = workspace
        while len(_kept) > _KEPT:
            _kept.popitem(last=False)


def workspace_of(
    network: Network, data: FitData, *, skip_zeros: bool, keeps_gradient: bool = False
) -> Workspace:
    """Prepare the memory of a fit, with the training job.

    With ``keeps_gradient`` the job updates nothing.
    """
    settings, scaling = data.settings, data.encoding.inputs.of_kernels
    batch_size, is_sparse = min(settings.batch_size, len(data.X)), isinstance(data.X, SparseRows)
    dropout = settings.dropouts(len(network.activations))
    # Segments are found in rows as kernels read them.
    as_is = data.X.dtype == network.dtype and scaling.kernel_factor == 1
    knots = knots_in(network, scaling, drops_inputs=any(dropout[:1])) if as_is else None
    # With dropout of features kernels copy the rows.
    in_place = not is_sparse and not any(dropout[:1])
    in_place = in_place and reads_in_place(network, data.X.dtype, scaling, knots)
    binned = knots.sizes if knots else None
    row_work = multiply_adds(network, data.X, binned)
    chunk = _chunk(row_work, batch_size)
    members = _team_size(network, row_work, batch_size, len(data.X), settings.threads)
    workspace = take_workspace(
        Shape(
            network.layer_sizes, network.dtype, network.activations, batch_size,
            chunk=chunk,
            members=1 if is_sparse and not network.activations else members,
            reader=(
                "scattered" if in_place
                else copying_reader(data.X.dtype, scaling, knots, is_sparse=is_sparse)
            ),
            loss=data.encoding.outputs.kernel(data.targets),
            rule=network.rule,
            dropout=dropout,
            before_rule=_before_rule(settings, keeps_gradient=keeps_gradient),
            weighs=settings.by_batch and settings.l2 > 0,
            skip_zeros=skip_zeros, entries=entries_of_chunk(data.X, chunk),
            binned=binned,
        )
    )  # fmt: skip
    set_scaling(workspace.job, scaling, network.dtype, knots)
    workspace.job.set(**settings.optimizer.numbers, clip_norm=settings.clip_norm or 0.0)
    return workspace


def fit_bytes(network: Network, settings: FitSettings) -> int:
    """Bytes of memory of a fit of many rows, without its rows and targets."""
    batch_size = min(settings.batch_size, MAX_CHUNK + 1)  # larger ones take no more
    shape = Shape(
        network.layer_sizes, network.dtype, network.activations, batch_size,
        chunk=_chunk(network.multiply_adds, batch_size),
        members=_team_size(
            network, network.multiply_adds, batch_size, math.inf, settings.threads
        ),
        reader="", loss="", rule=settings.optimizer.rule, dropout=(),
        before_rule=_before_rule(settings), weighs=False, skip_zeros=False, entries=0, binned=None,
    )  # fmt: skip
    return shape.plan().memory_size * network.dtype.itemsize


def chunk_flops(row_work: float, batch_size: int) -> float:
    """Floating-point operations of a chunk of rows, forward and backward, each of which takes
    ``row_work`` multiply-adds forward."""
    return 6 * _chunk(row_work, batch_size) * row_work


def _chunk(row_work: float, batch_size: int) -> int:
    """Rows of a chunk."""
    affordable = int(_CHUNK_FLOPS / (6 * row_work))
    return min(batch_size, MAX_CHUNK, max(affordable, _LEAST_CHUNK))


def _team_size(
    network: Network, row_work: float, batch_size: int, rows: float, threads: int | None
) -> int:
    """Number of threads, at most one per panel, as others would only wait."""
    work, most = chunk_flops(row_work, batch_size), 6 * rows * row_work
    if threads is None and (work < _TEAM_FLOPS or most < _EPOCH_FLOPS):
        return 1
    layers, _ = weight_layout(network.layer_sizes, network.dtype.itemsize)
    return min(usable_threads(threads), int(layers["panels"][1:].max()))


def _before_rule(settings: FitSettings, *, keeps_gradient: bool = False) -> frozenset[str]:
    chosen = {
        "penalties": settings.l2 > 0 or settings.l1 > 0,
        "decay": settings.optimizer.decay > 0,
        "clipping": settings.clip_norm is not None,
        "gradient": keeps_gradient,
    }
    return frozenset(name for name, is_chosen in chosen.items() if is_chosen)
