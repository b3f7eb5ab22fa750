"""How kernels read rows, by what is done to features."""

from typing import Any

import numpy as np

from .inputs import Scaling
from .inputs.pieces import REACH
from .kernels.plugins.readers import reader_of
from .kernels.runs.launch import Job
from .network import Network


def reads_in_place(network: Network, dtype: np.dtype[Any], scaling: Scaling) -> bool:
    """Whether kernels can read rows of ``dtype`` where the caller keeps them."""
    return scaling.reads_as_is and network.reads_in_place(dtype)


def copying_reader(dtype: np.dtype[Any], scaling: Scaling) -> str:
    """Name of the reader that copies rows of ``dtype``."""
    return reader_of(dtype) if scaling.pieces is None else "bins"


def set_scaling(job: Job, scaling: Scaling, dtype: np.dtype[Any]) -> None:
    """Tell a job, for a network of ``dtype``, what its reader does to features."""
    job.set(input_factor=scaling.kernel_factor)
    if scaling.pieces is not None:
        job.keep(**scaling.pieces.arrays(dtype))
        job.set(features=len(scaling.pieces.ends) - 1, bin_reach=REACH)
