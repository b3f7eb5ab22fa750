"""Selection of the kernels of a run; others are not compiled."""

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..plugins import regularisation
from ..plugins.activations import ACTIVATIONS
from ..plugins.decoding import keep_decoded
from ..plugins.dropout import drop_deltas, drop_entries, drop_inputs, drop_outputs, thresholds
from ..plugins.given_rows import read_given
from ..plugins.losses import LOSSES
from ..plugins.places import find_places, find_segments, link_places
from ..plugins.readers import READERS
from ..plugins.replay import REPLAYS
from ..plugins.sparse_entries import sort_entries
from ..plugins.update_rules import RULES
from ..plugins.zeros import mask_chunk, scan
from ..products import bins, dense, output, sparse, sparse_output
from ..products.block_sizes import MANY_SAMPLES
from ..products.gather import GATHER
from ..products.knot_sums import ADD_KNOTS, SUM_BINS
from ..products.knot_values import set_all_values
from ..products.tiles import OUTER, OUTER_MASKED
from .gradients import keep_gradient, update_clipped, weigh
from .launch import Job
from .plan import Plan
from .predict import keep_outputs, keep_totals, predict
from .train import settle, train

Floats = npt.NDArray[np.floating]


def scan_job(plan: Plan, memory: Floats) -> Job:
    """A job that finds the zeros of the input, before training with the same plan."""
    return Job(scan, plan, memory)


def segments_job(plan: Plan, memory: Floats) -> Job:
    """A job that finds the segments of all values with bins, before training with the same plan."""
    return Job(find_segments, plan, memory)


def values_job(plan: Plan, memory: Floats) -> Job:
    """A job that computes values at knots from the weights, before predictions with the plan."""
    return Job(set_all_values, plan, memory, as_team=True)


def training_job(
    plan: Plan,
    memory: Floats,
    *,
    reader: str,
    loss: str,
    activations: tuple[str, ...],
    rule: str,
    masked: bool,
    dropout: tuple[float, ...] = (),
    before_rule: Collection[str] = (),
    weighs: bool = False,
    replays: bool = False,
) -> Job:
    """A job that trains with the kernels of these names; ``masked`` if the first layer skips zeros.

    ``activations`` has a name for each hidden layer, as in the plan; ``dropout`` the fractions
    dropped of the input, which needs a reader that copies, and of each hidden layer;
    ``before_rule`` the names of steps before the update rule: "penalties", "decay", "clipping"; or
    "gradient", which stays in memory, with its penalties, and nothing is updated. ``weighs`` if the
    penalty of the weights is summed up; ``replays`` if updates that sparse weights missed are made
    up for.
    """
    job, layers = Job(train, plan, memory, as_team=True), plan.layers
    job.choose(read=READERS[reader], loss=LOSSES[loss].loss)
    if reader == "scattered":
        layers["rows"][:, 0] = plan.runs["row_offsets"]
    chunks = int(plan.runs["chunks_per_batch"][0])
    plain = RULES[rule].plain and not before_rule
    job.set(plain=plain)
    if not plain or chunks > 1:  # else all updates are straight
        job.choose(rule=RULES[rule].kernel)
        _choose_before_rule(job, before_rule)
    if weighs:
        job.choose(weigh=weigh, weigh_block=regularisation.weighed)
        _choose_blocks(job)
    if _is_sparse(job):
        _choose_sparse(job, rule if replays else None)
    if plan.runs["chunk"][0] >= MANY_SAMPLES and layers.shape[1] > 2:
        job.choose(pack=dense.transpose_inputs)
    _choose_forward(job, activations, training=True)
    if _has_bins(job):
        job.set(sum_bins=_tiles(job, SUM_BINS, layers[0, 1:2]))
    if any(dropout):
        _choose_dropout(job, dropout)
    _choose_backward(job, activations)
    if activations or not _is_sparse(job):
        job.set(outer=_tiles(job, OUTER, layers[0, 1:]))
    if masked:
        layers["masked"][:, 1] = True
        job.choose(mask=mask_chunk)
        job.set(outer_masked=_tiles(job, OUTER_MASKED, layers[0, 1:2]))
    return job


def _choose_before_rule(job: Job, names: Collection[str]) -> None:
    job.set(step_kernel=job.runs["rule"])
    if "penalties" in names:
        job.choose(penalise=regularisation.penalise)
    if "decay" in names:
        job.choose(shrink=regularisation.decay)
    if "clipping" in names or "gradient" in names:
        job.choose(
            step_kernel=regularisation.clipped, measure=regularisation.measured,
            end_batch=keep_gradient if "gradient" in names else update_clipped,
        )  # fmt: skip
        _choose_blocks(job)
        layers = job.plan.layers
        for index in range(1, layers.shape[1]):
            layers["squares"][:, index] = job.plan.table(np.zeros(layers["panels"][0, index]))
    elif names:
        job.choose(step_kernel=regularisation.regularised)


def settling_job(plan: Plan, memory: Floats) -> Job:
    """A job that brings sparse weights up to date, after training with the same plan."""
    return Job(settle, plan, memory)


def _choose_sparse(job: Job, rule: str | None) -> None:
    """The kernels of training that only sparse rows need; those that make up for missed updates of
    a rule."""
    layers, first = job.plan.layers, _products(job)[0]
    job.choose(mask=sort_entries)
    if layers["united"][0, 1]:
        layers["each_block"][:, 1] = job.address(first.each_block)
    if rule is not None:
        layers["replay"][:, 1] = job.address(REPLAYS[rule])
        layers["settle"][:, 1] = job.address(first.settle)


def _choose_blocks(job: Job) -> None:
    layers = job.plan.layers
    layers["each_block"][:, -1] = job.address(output.each_block)
    if layers.shape[1] > 2:
        layers["each_block"][:, 1:-1] = job.address(dense.each_block)


def prediction_job(
    plan: Plan, memory: Floats, *, reader: str, kernel: Any, activations: tuple[str, ...],
    totals: bool,
) -> Job:  # fmt: skip
    """A job that predicts: ``kernel`` is an output function or, for ``totals``, which are loss and
    score of each chunk, a loss."""
    job = Job(predict, plan, memory)
    job.choose(read=READERS[reader], loss=kernel, finish=keep_totals if totals else keep_outputs)
    _choose_forward(job, activations, training=False)
    job.set(outer=_tiles(job, OUTER, plan.layers[0, 1:-1]))
    return job


def called_job(plan: Plan, memory: Floats, *, kernel: Any, activations: tuple[str, ...]) -> Job:
    """A job whose records ``call_network`` copies; ``kernel`` is an output function."""
    job = Job(predict, plan, memory)
    job.choose(read=read_given, loss=kernel, finish=keep_decoded)
    _choose_forward(job, activations, training=False)
    job.set(outer=_tiles(job, OUTER, plan.layers[0, 1:-1]))
    return job


def _choose_forward(job: Job, activations: tuple[str, ...], *, training: bool) -> None:
    layers = job.plan.layers
    assert len(activations) == layers.shape[1] - 2
    for index, products in enumerate(_products(job), 1):
        layers["forward"][:, index] = job.address(products.forward)
    for index, name in enumerate(activations, 1):
        chosen = ACTIVATIONS[name]
        layers["rectified"][:, index] = chosen.rectified
        values = chosen.values_and_slopes if training and chosen.keeps_slopes else chosen.values
        if values is not None:
            layers["activate"][:, index] = job.address(values)
    if _is_sparse(job) and activations:
        job.set(gather=_tiles(job, GATHER, layers[0, 1:2]))
    if _has_bins(job):
        job.choose(place=link_places if training else find_places)
        job.set(add_knots=_tiles(job, ADD_KNOTS, layers[0, 1:2]))


def _has_bins(job: Job) -> bool:
    """Whether the first layer is one of ``products.bins``."""
    return bool(job.runs["n_knots"][0])


def _is_sparse(job: Job) -> bool:
    """Whether the first layer is one of ``products.sparse`` or ``products.sparse_output``."""
    return bool(job.plan.layers["units"][0, 1])


def _products(job: Job) -> list[Any]:
    """The module of each layer."""
    n_hidden, is_sparse = job.plan.layers.shape[1] - 2, _is_sparse(job)
    if n_hidden == 0:
        return [sparse_output if is_sparse else output]
    first = sparse if is_sparse else bins if _has_bins(job) else dense
    return [first, *[dense] * (n_hidden - 1), output]


def _choose_backward(job: Job, activations: tuple[str, ...]) -> None:
    layers = job.plan.layers
    for index, products in enumerate(_products(job), 1):
        layers["update"][:, index] = job.address(products.update)
    if activations:
        layers["backward"][:, -1] = job.address(output.backward)
    for index, name in enumerate(activations, 1):
        layers["derive"][:, index] = job.address(ACTIVATIONS[name].derivative)
    if layers.shape[1] > 3:
        layers["backward"][:, 2:-1] = job.address(dense.backward)


def _choose_dropout(job: Job, dropout: tuple[float, ...]) -> None:
    layers, of_inputs = job.plan.layers, drop_entries if _is_sparse(job) else drop_inputs
    layers["kept"][:, :-1] = 1.0 - np.array(dropout)
    layers["threshold"][:, :-1] = thresholds(dropout)
    for number, fraction in enumerate(dropout):
        if fraction > 0:
            layers["drop"][:, number] = job.address(drop_outputs if number else of_inputs)
            layers["drop_deltas"][:, number] = job.address(drop_deltas) if number else 0


def _tiles(job: Job, kernels: dict[int, Any], layers: Iterable[Any]) -> int:
    """Table of the tiles that the panels of ``layers`` need, by their number of vectors."""
    lanes = int(job.runs["lanes"][0])
    widths = {int(layer["panel"]) // lanes for layer in layers}
    widths |= {int(layer["last_vectors"]) for layer in layers}
    table = np.zeros(max(kernels) + 1, np.int64)
    for width in widths:
        table[width] = job.address(kernels[width])
    return job.plan.table(table)
