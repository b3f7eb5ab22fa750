"""The memory of a fit: its plan, and the job of kernels that works on it."""

from itertools import pairwise

import numpy as np

from ..inputs import AS_THEY_COME, Scaling
from ..kernels.plugins.rules import RULES
from ..kernels.runs.jobs import training_job
from ..kernels.runs.launch import Job
from ..kernels.runs.plan import MAX_CHUNK, Plan, aligned_zeros, make_plan, weight_layout
from ..kernels.runs.threads import usable_threads
from ..network.input_reader import copying_reader, reads_in_place, set_scaling
from ..network.network import Floats, Network
from ..settings import FitSettings

# A chunk of less work is done sooner than a team has met.
_TEAM_FLOPS = 1e6


def training_parts(
    network: Network,
    dtype: np.dtype[np.generic],
    batch_size: int,
    settings: FitSettings,
    skip_zeros: bool = False,
    loss: str = "softmax_cross_entropy",
    scaling: Scaling = AS_THEY_COME,
) -> tuple[Floats, Plan, Job]:
    """Memory, plan and job of a fit on rows of ``dtype``, by the kernel ``loss``; ``scaling`` says
    what kernels do to the input."""
    plan = _plan(network, batch_size, settings, skip_zeros)
    memory = aligned_zeros(plan.memory_size, network.dtype)
    memory[plan.runs["one"][0]] = 1
    in_place = reads_rows_in_place(network, dtype, settings, scaling)
    job = training_job(
        plan,
        memory,
        reader="scattered" if in_place else copying_reader(dtype, scaling),
        loss=loss,
        activations=network.activations,
        rule=network.rule,
        masked=skip_zeros,
        dropout=settings.dropouts(len(network.activations)),
        before_rule=_before_rule(settings),
    )
    set_scaling(job, scaling, network.dtype)
    job.set(**settings.optimizer.numbers, clip_norm=settings.clip_norm or 0.0)
    return memory, plan, job


def _plan(network: Network, batch_size: int, settings: FitSettings, skip_zeros: bool) -> Plan:
    return make_plan(
        network.layer_sizes,
        network.dtype,
        chunk=min(batch_size, MAX_CHUNK),
        batch_size=batch_size,
        members=_team_size(network, batch_size, settings.threads),
        state_vectors=RULES[settings.optimizer.rule].state_vectors,
        skip_zeros=skip_zeros,
        clipped=settings.clip_norm is not None,
        activations=network.activations,
    )


def fit_memory(network: Network, settings: FitSettings) -> int:
    """Bytes that a fit by such settings takes, beside its rows and targets."""
    plan = _plan(network, settings.batch_size, settings, False)
    return plan.memory_size * network.dtype.itemsize


def _before_rule(settings: FitSettings) -> set[str]:
    chosen = {
        "penalties": settings.l2 > 0 or settings.l1 > 0,
        "decay": settings.optimizer.decay > 0,
        "clipping": settings.clip_norm is not None,
    }
    return {name for name, is_chosen in chosen.items() if is_chosen}


def reads_rows_in_place(
    network: Network, dtype: np.dtype[np.generic], settings: FitSettings, scaling: Scaling
) -> bool:
    """Whether rows need no copy: one whose features are dropped does."""
    copies = any(settings.dropouts(len(network.activations))[:1])
    return not copies and reads_in_place(network, dtype, scaling)


def chunk_flops(network: Network, batch_size: int) -> int:
    weights = sum(a * b for a, b in pairwise(network.layer_sizes))
    return 6 * min(batch_size, MAX_CHUNK) * int(weights)


def _team_size(network: Network, batch_size: int, threads: int | None) -> int:
    """Threads for a run; one without a panel would only wait."""
    if threads is None and chunk_flops(network, batch_size) < _TEAM_FLOPS:
        return 1
    layers, _ = weight_layout(network.layer_sizes, network.dtype.itemsize)
    return min(usable_threads(threads), int(layers["panels"][1:].max()))
