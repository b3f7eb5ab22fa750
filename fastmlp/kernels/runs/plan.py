"""Memory plan: the records of a run with sizes, offsets and tables.

All floating-point numbers of a run are in one flat array, ``memory``: weights, optimiser state,
gradient, then scratch.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..language.records import LAYER, RUN
from ..language.simd import lanes
from ..plugins.activations import ACTIVATIONS
from ..products.block_sizes import MANY_SAMPLES, PACKED_INPUTS, UPDATE_ROWS
from .binned import Binned, plan_binned, plan_values, set_inputs
from .layout import SHAPES, Allocator, aligned_zeros, round_up, row_stride, weight_layout
from .tables import plan_own_tables, plan_tables

# Copies of the activations: a thread may compute those of the next chunk while another one still
# reads those of the present chunk.
SLOTS = 2

# Rows that pass through the network at a time, at most. Larger batches accumulate their gradient
# over several chunks, which bounds the memory; 256 to 2048 rows take 0.99 to 1.04 of the time
# (784-512-10, batches of 4096).
MAX_CHUNK = 1024

Table = npt.NDArray[np.int64]


@dataclass
class Plan:
    """The records of each member, the tables that they point to, and the elements of memory."""

    runs: npt.NDArray[Any]  # RUN, of shape (members,)
    layers: npt.NDArray[Any]  # LAYER, of shape (members, layers + 1)
    scratch_start: int = 0
    memory_size: int = 0
    tables: list[Table] = field(default_factory=list)
    # Updates that each unit of sparse weights has had in an epoch, see ``products.strips``.
    present: Table = field(default_factory=lambda: np.zeros(0, np.int64))

    def table(self, values: npt.ArrayLike) -> int:
        """Keep a table; returns its address."""
        self.tables.append(np.ascontiguousarray(values, np.int64))
        return self.tables[-1].ctypes.data


def make_plan(
    layer_sizes: tuple[int, ...],
    dtype: np.dtype,
    *,
    chunk: int,
    batch_size: int = 0,
    members: int = 1,
    together: bool = True,
    state_vectors: int = 0,
    skip_zeros: bool = False,
    consecutive: bool = False,
    keeps_gradient: bool = False,
    activations: tuple[str, ...] = (),
    entries: int = 0,
    binned: Binned | None = None,
) -> Plan:
    """Plan the memory of a network and the records of the members of a team.

    Parameters
    ----------
    layer_sizes : tuple of int
        Features, hidden units of each layer, classes.
    dtype : numpy.dtype
        float32 or float64.
    chunk : int
        Rows that pass through the network at a time.
    batch_size : int
        Rows of a mini-batch; 0 for prediction.
    members : int
        Threads at the most.
    together : bool
        Whether they work on the same chunks, as in training, or on chunks of their own.
    state_vectors : int
        Vectors of optimiser state, each as large as the weights.
    skip_zeros : bool
        Whether the first layer skips zeros of the input.
    consecutive : bool
        Whether consecutive input rows are read from the caller's array.
    keeps_gradient : bool
        Whether the whole gradient of a batch is needed, as for clipping.
    activations : tuple of str
        Names, one for each hidden layer, as some keep slopes in training.
    entries : int
        Of sparse input rows that pass through the network at a time, at most; 0 for dense ones.
    binned : Binned, optional
        If the first layer is one of ``products.bins``, whose inputs are the features alone.
    """
    shape = _planned(
        layer_sizes, dtype.itemsize, chunk, batch_size, members, together, state_vectors,
        consecutive, keeps_gradient, activations, entries, binned,
    )  # fmt: skip
    runs, layers = _aligned_copy(shape.runs), _aligned_copy(shape.layers)
    plan = Plan(runs, layers, shape.scratch_start, shape.memory_size, [*shape.tables])
    n_knots = binned.knots if binned and together else 0
    plan_own_tables(runs, layers, plan.table, skip_zeros=skip_zeros, n_knots=n_knots)
    first = layers.ctypes.data
    runs["layers"] += first
    layers["below"][:, 1:] += first
    return plan


@lru_cache(maxsize=SHAPES)
def _planned(
    layer_sizes: tuple[int, ...], itemsize: int, chunk: int, batch_size: int, members: int,
    together: bool, state_vectors: int, consecutive: bool, keeps_gradient: bool,
    activations: tuple[str, ...], entries: int, binned: Binned | None,
) -> Plan:  # fmt: skip
    """A plan to copy: it lacks the tables that kernels write to, and the address of its layers."""
    layers, weight_count = weight_layout(layer_sizes, itemsize)
    plan = Plan(np.zeros(members, RUN), np.zeros((members, len(layers)), LAYER))
    plan.layers[:] = layers
    if entries and len(layers) == 2:  # one thread has all inputs
        output = plan.layers[:, 1]
        output["panels"], output["last_vectors"] = 1, output["stride"] // lanes(itemsize)
    if binned:
        set_inputs(plan.layers, binned, itemsize)
    if consecutive:
        plan.layers["stride"][:, 0] = plan.layers["n_out"][:, 0]
    plan.layers["kept"] = 1
    runs = plan.runs
    memory, own = Allocator(itemsize), Allocator(itemsize)
    memory.take((1 + state_vectors) * weight_count)
    runs["gradient"] = memory.take(weight_count if keeps_gradient or batch_size > chunk else 0)
    if binned and not together:
        plan_values(plan.layers, memory, binned)
    plan.scratch_start = memory.used

    samples = round_up(chunk, memory.line)
    runs["member"], runs["lanes"] = np.arange(members), lanes(itemsize)
    runs["line"] = memory.line
    runs["n_layers"], runs["weight_count"] = len(layers) - 1, weight_count
    runs["chunk"], runs["samples"], runs["asked"] = chunk, samples, members
    runs["state_vectors"] = state_vectors
    if batch_size:
        runs["batch_size"], runs["chunks_per_batch"] = batch_size, -(-batch_size // chunk)
    _plan_scratch(plan, memory, own, together, itemsize, entries, binned)
    plan.layers["outputs"][:, 0] = runs["copy"]
    if together:
        _plan_slopes(plan, memory, activations)
    plan_tables(runs, plan.layers, plan.table, is_sparse=entries > 0)
    _link_layers(plan)
    plan.memory_size = memory.used
    return plan


def _plan_scratch(
    plan: Plan, memory: Allocator, own: Allocator, together: bool, itemsize: int, entries: int,
    binned: Binned | None,
) -> None:  # fmt: skip
    """Offsets of activations, deltas and logits, and of the scratch memory of each member."""
    runs, layers = plan.runs, plan.layers
    run, first = runs[0], layers[0]
    chunk, samples = int(run["chunk"]), int(run["samples"])
    copies, shared = (SLOTS, memory) if together else (1, own)
    for index in range(1, len(first) - 1):
        layer = first[index]
        layer["slot"] = chunk * layer["stride"]
        layer["activations"] = shared.take(copies * layer["slot"])
        if together:
            layer["delta_panel"] = row_stride(int(chunk * layer["panel"]), itemsize)
            layer["deltas"] = memory.take(layer["panels"] * layer["delta_panel"])
    classes, widest = int(first["n_out"][-1]), int(first["panel"].max())
    runs["zeros"], runs["one"] = memory.take(widest), memory.take(1)
    runs["partial_slot"] = first["panels"][-1] * classes * samples
    runs["partial"] = shared.take(copies * int(run["partial_slot"]))

    if binned:
        plan_binned(runs, own, binned, int(first["panel"][1]), together=together)
    runs["logits"] = own.take((classes + 3) * samples)
    runs["copy"] = own.take(entries or chunk * first["stride"][0])
    runs["sorted"] = own.take(entries * together)
    if together:
        pairs = pairwise(first[1:-1])
        weights = max((l["panels"] * l["panel"] * b["panel"] for b, l in pairs), default=0)
        packed = PACKED_INPUTS * samples if chunk >= MANY_SAMPLES else 0
        runs["transposed"] = own.take(max(int(weights), packed))
        runs["tile"] = own.take(max(UPDATE_ROWS * widest, classes))

    starts = memory.take(len(runs) * own.used) + own.used * np.arange(len(runs))
    for name in (
        "logits", "copy", "sorted", "transposed", "tile", "places", "row_sums", "links", "values",
        "total", "bin_tile",
    ):  # fmt: skip
        runs[name] += starts
    layers[1:] = first
    if not together:
        runs["partial"] += starts
        layers["activations"][:, 1:-1] += starts[:, None]


def _plan_slopes(plan: Plan, memory: Allocator, activations: tuple[str, ...]) -> None:
    """Offsets of the slopes of layers whose activations keep them."""
    for index, name in enumerate(activations, 1):
        if ACTIVATIONS[name].keeps_slopes:
            plan.layers["slopes"][:, index] = memory.take(int(plan.layers["slot"][0, index]))


def _link_layers(plan: Plan) -> None:
    """Distances of the layers' records from the first one, their numbers, and the barriers of the
    team."""
    layers, count = plan.layers, plan.layers.shape[1] - 1
    distances = LAYER.itemsize * np.arange(layers.size).reshape(layers.shape)
    plan.runs["layers"] = distances[:, 0]
    layers["below"][:, 1:] = distances[:, :-1]
    numbers = np.arange(count + 1)
    # Logits need only the member's own activations of the last hidden layer.
    layers["forward_waits"] = numbers != count - 1
    # The layer below needs all deltas, and these need the weights before the update.
    layers["backward_waits"] = (numbers > 1) & (count > 2)
    layers["first"], layers["last"] = 0, layers["panels"]
    layers["number"] = numbers


def _aligned_copy(records: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A copy that is aligned as :func:`aligned_zeros`, byte by byte: by fields it takes 20 us."""
    copy = aligned_zeros(records.size, records.dtype)
    copy.view(np.uint8)[:] = records.reshape(-1).view(np.uint8)
    return copy.reshape(records.shape)
