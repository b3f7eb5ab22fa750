"""The memory of a fit: its plan, and the kernels' job on it."""

import math

from ..kernels.plugins.update_rules import RULES
from ..kernels.runs.jobs import training_job
from ..kernels.runs.launch import Job
from ..kernels.runs.plan import MAX_CHUNK, Plan, aligned_zeros, make_plan, weight_layout
from ..kernels.runs.threads import usable_threads
from ..network.input_reader import copying_reader, reads_in_place, set_scaling
from ..network.packed_network import Floats, Network
from ..settings import FitSettings
from .dataset import FitData

# A chunk of less work takes less time than synchronizing a team, and an epoch of less work less
# than starting one; beside a busy process that may take 10 ms, a fit of 100 rows 0.7.
_TEAM_FLOPS, _EPOCH_FLOPS = 1e6, 1e7


def allocate(
    network: Network, data: FitData, *, skip_zeros: bool, keeps_gradient: bool = False
) -> tuple[Floats, Plan, Job]:
    """Allocate the memory of a fit; return it with its plan and the training job.

    With ``keeps_gradient`` the job updates nothing.
    """
    settings, scaling = data.settings, data.encoding.inputs.scaling
    before_rule = _before_rule(settings, keeps_gradient=keeps_gradient)
    batch_size = min(settings.batch_size, len(data.X))
    plan = _plan(network, settings, batch_size, len(data.X), before_rule, skip_zeros=skip_zeros)
    memory = aligned_zeros(plan.memory_size, network.dtype)
    memory[plan.runs["one"][0]] = 1
    job = training_job(
        plan,
        memory,
        reader="scattered" if reads_rows(network, data) else copying_reader(data.X.dtype, scaling),
        loss=data.encoding.outputs.kernel(data.targets),
        activations=network.activations,
        rule=network.rule,
        masked=skip_zeros,
        dropout=settings.dropouts(len(network.activations)),
        before_rule=before_rule,
        weighs=settings.by_batch and settings.l2 > 0,
    )
    set_scaling(job, scaling, network.dtype)
    job.set(**settings.optimizer.numbers, clip_norm=settings.clip_norm or 0.0)
    return memory, plan, job


def reads_rows(network: Network, data: FitData) -> bool:
    """Whether kernels read the rows in place; with dropout of features they copy them."""
    drops_features = any(data.settings.dropouts(len(network.activations))[:1])
    scaling = data.encoding.inputs.scaling
    return not drops_features and reads_in_place(network, data.X.dtype, scaling)


def fit_bytes(network: Network, settings: FitSettings) -> int:
    """Bytes of memory of a fit, without its rows and targets."""
    batch_size, before_rule = settings.batch_size, _before_rule(settings)
    plan = _plan(network, settings, batch_size, math.inf, before_rule, skip_zeros=False)
    return plan.memory_size * network.dtype.itemsize


def chunk_flops(network: Network, batch_size: int) -> int:
    """Floating-point operations of a chunk of rows, forward and backward."""
    return 6 * min(batch_size, MAX_CHUNK) * network.multiply_adds


def _plan(
    network: Network, settings: FitSettings, batch_size: int, rows: float, before_rule: set[str],
    *, skip_zeros: bool,
) -> Plan:  # fmt: skip
    return make_plan(
        network.layer_sizes,
        network.dtype,
        chunk=min(batch_size, MAX_CHUNK),
        batch_size=batch_size,
        members=_team_size(network, batch_size, rows, settings.threads),
        state_vectors=RULES[settings.optimizer.rule].state_vectors,
        skip_zeros=skip_zeros,
        keeps_gradient=not before_rule.isdisjoint({"clipping", "gradient"}),
        activations=network.activations,
    )


def _team_size(network: Network, batch_size: int, rows: float, threads: int | None) -> int:
    """Number of threads, at most one per panel, as others would only wait."""
    work, most = chunk_flops(network, batch_size), 6 * rows * network.multiply_adds
    if threads is None and (work < _TEAM_FLOPS or most < _EPOCH_FLOPS):
        return 1
    layers, _ = weight_layout(network.layer_sizes, network.dtype.itemsize)
    return min(usable_threads(threads), int(layers["panels"][1:].max()))


def _before_rule(settings: FitSettings, *, keeps_gradient: bool = False) -> set[str]:
    chosen = {
        "penalties": settings.l2 > 0 or settings.l1 > 0,
        "decay": settings.optimizer.decay > 0,
        "clipping": settings.clip_norm is not None,
        "gradient": keeps_gradient,
    }
    return {name for name, is_chosen in chosen.items() if is_chosen}
