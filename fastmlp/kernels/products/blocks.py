"""Sizes of blocks that kernels work in and the plan has room for."""

from ..language.simd import TILE_ROWS

# Rows of weights whose gradient is finished, in L1, before the update rule runs over it.
UPDATE_ROWS = 4 * TILE_ROWS

# Inputs are transposed, PACKED_INPUTS at a time, for the sums of MANY_SAMPLES samples or more.
MANY_SAMPLES = 256
PACKED_INPUTS = 192
