"""Rows as kernels read them: the kernel, by their kind and scaling, and its arrays."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import EncodedRows, SparseRows
from ..inputs import Scaling
from ..inputs.bins import REACH
from ..inputs.knots import Knots
from ..kernels.plugins.readers import reader_of
from ..kernels.runs.binned import Binned
from ..kernels.runs.launch import Job
from .packed_network import Network

_LEAST_ENTRIES = 63
# A feature with bins takes as long as this many inputs, by cycles of the kernels on two panels.
_BINNED_INPUTS = 3


def knots_in(network: Network, scaling: Scaling, *, drops_inputs: bool = False) -> Knots | None:
    """The knots of the features, if kernels compute the first layer from them; if they copy rows
    with an input for each bin, None: in linear models, and where inputs are dropped one by one."""
    return None if drops_inputs or len(network.layer_sizes) == 2 else scaling.knots


def reads_in_place(
    network: Network, dtype: np.dtype[Any], scaling: Scaling, knots: Knots | None = None
) -> bool:
    """Whether kernels can read rows of ``dtype`` from the caller's array.

    Not for a linear model, whose output layer reads whole vectors, beyond the end of a row. And
    rows of a multiple of 512 bytes would compete for the same few sets of the cache: 1024 features
    took 1.4 times as long.
    """
    columns = network.layer_sizes[0] if knots is None else knots.sizes.features
    suitable = len(network.layer_sizes) > 2 and columns * network.dtype.itemsize % 512 != 0
    as_is = scaling.kernel_factor == 1 and (scaling.bins is None or knots is not None)
    return as_is and dtype == network.dtype and suitable


def copying_reader(
    dtype: np.dtype[Any], scaling: Scaling, knots: Knots | None = None, *, is_sparse: bool = False
) -> str:
    """Name of the reader that copies rows of ``dtype``."""
    if is_sparse:
        return "sparse"
    return reader_of(dtype) if scaling.bins is None or knots is not None else "bins"


def entries_of_chunk(X: EncodedRows, rows: int) -> int:
    """Room for the entries of any ``rows`` rows of X, a power of two, as others then have the same
    room; 0 for dense rows."""
    if not isinstance(X, SparseRows):
        return 0
    lengths, rows = np.diff(X.ends), min(rows, len(X))
    longest = np.partition(lengths, len(X) - rows)[len(X) - rows :]
    return 1 << max(int(longest.sum()) - 1, _LEAST_ENTRIES).bit_length()


def multiply_adds(network: Network, X: EncodedRows, binned: Binned | None = None) -> float:
    """Multiply-adds of a forward pass of one row of X, in the mean."""
    if isinstance(X, SparseRows):
        inputs = len(X.columns) / max(len(X), 1)
    elif binned:
        inputs = binned.features + (_BINNED_INPUTS - 1) * binned.binned
    else:
        return network.multiply_adds
    missing = network.layer_sizes[0] - inputs
    return float(max(network.multiply_adds - missing * network.layer_sizes[1], 1))


def set_rows(
    job: Job, X: EncodedRows, order: npt.NDArray[np.int64], *, in_place: bool = False
) -> None:
    """Set the rows of X that a job processes, in ``order``."""
    if isinstance(X, SparseRows):
        job.set_rows(X.values, order, in_place=False)
        job.point(row_ends=X.ends, entry_columns=X.columns)
    else:
        job.set_rows(X, order, in_place=in_place)


def set_scaling(
    job: Job, scaling: Scaling, dtype: np.dtype[Any], knots: Knots | None = None
) -> None:
    """Set the scaling that the reader of a job applies, for a network of ``dtype``."""
    job.set(input_factor=scaling.kernel_factor)
    if knots is not None:
        job.keep(**knots.arrays(dtype))
        job.set(bin_reach=REACH, **knots.numbers(dtype))
    elif scaling.bins is not None:
        job.keep(**scaling.bins.arrays(dtype))
        job.set(features=scaling.bins.n_features, bin_reach=REACH)
