"""Choice of the kernel that reads rows, by the scaling of the features."""

from typing import Any

import numpy as np

from ..inputs import Scaling
from ..inputs.bins import REACH
from ..kernels.plugins.readers import reader_of
from ..kernels.runs.launch import Job
from .packed_network import Network


def reads_in_place(network: Network, dtype: np.dtype[Any], scaling: Scaling) -> bool:
    """Whether kernels can read rows of ``dtype`` from the caller's array.

    Not for a linear model, whose output layer reads whole vectors, beyond the end of a row. And
    rows of a multiple of 512 bytes would compete for the same few sets of the cache: 1024 features
    took 1.4 times as long.
    """
    row_bytes = network.layer_sizes[0] * network.dtype.itemsize
    suitable = len(network.layer_sizes) > 2 and row_bytes % 512 != 0
    return scaling.reads_as_is and dtype == network.dtype and suitable


def copying_reader(dtype: np.dtype[Any], scaling: Scaling) -> str:
    """Name of the reader that copies rows of ``dtype``."""
    return reader_of(dtype) if scaling.bins is None else "bins"


def set_scaling(job: Job, scaling: Scaling, dtype: np.dtype[Any]) -> None:
    """Set the scaling that the reader of a job applies, for a network of ``dtype``."""
    job.set(input_factor=scaling.kernel_factor)
    if scaling.bins is not None:
        job.keep(**scaling.bins.arrays(dtype))
        job.set(features=scaling.bins.n_features, bin_reach=REACH)
