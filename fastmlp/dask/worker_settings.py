"""Settings of each worker, so that all together train as one process."""

import math
from dataclasses import replace

from ..optimizers import SGD
from ..settings import FitSettings

# Smaller batches take much longer for each row.
LEAST_BATCH = 16


def worker_settings(settings: FitSettings, shards: int) -> tuple[FitSettings, float]:
    """Settings of a worker, and the factor of its learning rates.

    Batches of all workers together have the rows of one process's. The mean of SGD's steps on them
    is that of the joined batch. Other optimizers divide gradients by a measure of their size, which
    is mostly noise: with b rows in place of B, steps are shorter by the root of b / B.
    """
    whole, optimizer = settings.batch_size, settings.optimizer
    batch_size = min(whole, max(LEAST_BATCH, -(-whole // shards)))
    factor = 1.0 if isinstance(optimizer, SGD) else math.sqrt(whole / batch_size)
    if optimizer.decay > 0:  # rates multiply it
        optimizer = replace(optimizer, weight_decay=optimizer.decay / factor)  # type: ignore
    # The client decides on the rest, and callbacks may be anything.
    own = replace(
        settings, batch_size=batch_size, optimizer=optimizer, callbacks=(), metrics=None,
        schedule=None,
    )  # fmt: skip
    return own, factor
