"""Choice of the kernel that reads rows, by the scaling of the features."""

from typing import Any

import numpy as np

from ..inputs import Scaling
from ..inputs.bins import REACH
from ..kernels.plugins.readers import reader_of
from ..kernels.runs.launch import Job
from .network import Network


def reads_in_place(network: Network, dtype: np.dtype[Any], scaling: Scaling) -> bool:
    """Whether kernels can read rows of ``dtype`` from the caller's array."""
    return scaling.reads_as_is and network.reads_in_place(dtype)


def copying_reader(dtype: np.dtype[Any], scaling: Scaling) -> str:
    """Name of the reader that copies rows of ``dtype``."""
    return reader_of(dtype) if scaling.bins is None else "bins"


def set_scaling(job: Job, scaling: Scaling, dtype: np.dtype[Any]) -> None:
    """Set the scaling that the reader of a job applies, for a network of ``dtype``."""
    job.set(input_factor=scaling.kernel_factor)
    if scaling.bins is not None:
        job.keep(**scaling.bins.arrays(dtype))
        job.set(features=scaling.bins.n_features, bin_reach=REACH)
