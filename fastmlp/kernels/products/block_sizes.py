"""Sizes of blocks that kernels work in and the plan has room for."""

from ..language.simd import TILE_ROWS

# Rows of weights whose gradient is finished, in L1, before the update rule runs over it. One tile
# at a time takes 1.02 to 1.04 of the time of an epoch, 2 tiles 1.01 to 1.03, 8 and 16 1.00 to 1.02
# (784-128-10 and 784-512-256-10, Adam, batches of 128).
UPDATE_ROWS = 4 * TILE_ROWS

# Inputs are transposed, PACKED_INPUTS at a time, for the sums of MANY_SAMPLES samples or more. An
# epoch of 1024-2048-2048-10 in batches of 1024 then took 0.93 of the time on another machine,
# 1024-2048-10 in batches of 512 0.90; on an EPYC with 1 MB of L2, batches of 128 to 1024 take 0.94
# to 1.08, and 48 to 384 inputs at a time the same, within 0.06.
MANY_SAMPLES = 256
PACKED_INPUTS = 192

# Bytes of the values at knots of the features that are added together, for half of an L1 cache.
KNOT_BYTES = 40_000
