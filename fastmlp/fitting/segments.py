"""Segments between knots in which the values of binned features lie, found once for a fit."""

import numpy as np
import numpy.typing as npt

from ..kernels.runs.jobs import segments_job
from ..kernels.runs.plan import Plan
from ..network.packed_network import Floats


def find_segments(
    X: npt.NDArray[np.generic], plan: Plan, memory: Floats, segments: npt.NDArray[np.uint8]
) -> None:
    """Set the segments (n, binned) of the features that have bins."""
    job = segments_job(plan, memory)
    job.point(input=X, segments=segments)
    job.divide(len(X))
    job.run()
