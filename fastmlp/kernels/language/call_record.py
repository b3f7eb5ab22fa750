"""The record of a call by other compiled code, see ``runs.calls``."""

import numpy as np

from .backend import from_dtype
from .records import record_at, record_dtype

_I = np.int64

# A network as other compiled code calls it. The records of the run and of the layers follow; a call
# works on a copy of all these. A distance is in bytes.
CALL = record_dtype(
    [
        # What the caller reads.
        ("entry", _I),  # address of the kernel ``call_network``
        ("features", _I), ("columns", _I),  # of x, and of the result
        # Memory.
        ("memory", _I),  # address of the weights
        ("itemsize", _I),  # of their dtype
        ("predict", _I),  # address of the kernel that predicts
        ("records", _I),  # bytes of all records
        ("run", _I), ("layers", _I),  # distances to those of the run and of the input
        ("finite", _I),  # distance to a table: whether the numbers of a row are finite
        ("row", _I),  # distance to a row of float64 numbers
        ("scratch", _I),  # distance to the scratch memory, and
        ("scratch_start", _I),  # where its offsets begin
        ("stack", _I), ("heap", _I),  # bytes of records and scratch on one of these
        # Scaling of the features: addresses of float64 arrays; 0 where kernels only apply a factor.
        ("factors", _I), ("centres", _I),  # of each feature
        ("points", _I), ("levels", _I), ("n_points", _I),  # of "quantile", feature by feature
        ("clips", _I),  # whether values are smoothly clipped
        # Decoding of the outputs.
        ("spreads", _I), ("means", _I),  # addresses of float64 arrays; 0 for probabilities
        ("sorts", _I),  # whether the numbers of a row are sorted
        # The arguments of the present call.
        ("kind", _I),  # of the numbers of x, see ``given_rows``
        ("row_step", _I), ("column_step", _I),  # bytes between rows, and between columns
        ("as_float64", _I),  # whether the result is of float64, not of the network's dtype
    ]
)  # fmt: skip

call_at = record_at(from_dtype(CALL), CALL.itemsize)
