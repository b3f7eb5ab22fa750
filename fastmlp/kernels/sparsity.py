"""Finding the zeros of the input, so that the first layer can step over them.

Adding a product with zero changes nothing, so a sum may leave it out. A tile of the forward
product takes TILE_ROWS samples at once and needs every feature that is non-zero in one of them; a
tile of the weight gradient takes TILE_ROWS features at once (a group) and needs every sample that
is non-zero in one of them. Both sets are bit masks: once per fit each row gets a mask of its
features and one of its groups; per chunk they are joined over the rows of a tile, and transposed
into a mask of samples for each group.

Masks are words of 64 bits in int64, the lowest bit first.
"""

from numba import types

from . import job as args
from .batches import share
from .jit import jit
from .plan import N_OUT
from .simd import TILE_ROWS, load, load_as

_BITS = 64


@jit
def _scan_row(raw, memory, is_uint8, start, d, features, f0, groups, g0):
    """Masks of the row of ``d`` features that begins at element ``start`` of ``raw``."""
    zero = memory.dtype.type(0)
    for first in range(0, d, _BITS):
        word = 0
        for bit in range(min(_BITS, d - first)):
            if is_uint8:
                hit = load(raw, start + first + bit) != 0
            else:
                hit = load_as(raw, start + first + bit, memory) != zero
            word |= int(hit) << bit
        features[f0 + first // _BITS] = word
    everything = (1 << TILE_ROWS) - 1
    for g in range((d + TILE_ROWS - 1) // TILE_ROWS):
        word, bit = g * TILE_ROWS // _BITS, g * TILE_ROWS % _BITS
        members = features[f0 + word] >> bit
        rest = _BITS - bit
        if rest < TILE_ROWS:
            # The shift of a negative word drags ones in, so only the lowest bits count.
            members &= (1 << rest) - 1
            if (word + 1) * _BITS < d:
                members |= features[f0 + word + 1] << rest
        if members & everything:
            groups[g0 + g // _BITS] |= 1 << (g % _BITS)


def scan(memory_pointer, job_pointer, member):
    """Masks of one thread's share of the rows (exported)."""
    job = args.array_of(job_pointer, len(args.NAMES))
    layers, _, _ = args.tables(job)
    raw, _, _ = args.rows(job)
    memory = args.array_of(memory_pointer, 1)
    features = args.array(job, args.FEATURE_MASKS, types.int64)
    groups = args.array(job, args.GROUP_MASKS, types.int64)
    d = layers[0, N_OUT]
    first, last = share(job[args.N_ROWS], member, job[args.N_THREADS])
    for row in range(first, last):
        _scan_row(
            raw, memory, job[args.IS_UINT8], row * d, d,
            features, row * job[args.FEATURE_WORDS], groups, row * job[args.GROUP_WORDS],
        )  # fmt: skip


@jit
def join_rows(index, masks, features, words, order, row0, m):
    """For each TILE_ROWS rows of ``order[row0 : row0 + m]``, the features of any of them."""
    for s in range(0, m, TILE_ROWS):
        joined = masks + s // TILE_ROWS * words
        for word in range(words):
            index[joined + word] = features[order[row0 + s] * words + word]
        for row in range(s + 1, min(s + TILE_ROWS, m)):
            for word in range(words):
                index[joined + word] |= features[order[row0 + row] * words + word]


@jit
def _transpose(index, block):
    """Transpose 64 words as a matrix of bits (Warren, Hacker's Delight, section 7-3)."""
    half, low = 32, (1 << 32) - 1
    while half:
        for start in range(block, block + _BITS, 2 * half):
            for k in range(start, start + half):
                swapped = ((index[k] >> half) ^ index[k + half]) & low
                index[k] ^= swapped << half
                index[k + half] ^= swapped
        half >>= 1
        low ^= low << half


@jit
def samples_of_groups(index, masks, sample_words, block, groups, words, order, row0, m):
    """For each group of features, the rows of ``order[row0 : row0 + m]`` that have any of it.

    ``block`` is the offset of 64 words to work in.
    """
    for word in range(words):
        for sample_word in range(sample_words):
            first = sample_word * _BITS
            for bit in range(_BITS):
                index[block + bit] = 0
            for bit in range(min(_BITS, m - first)):
                index[block + bit] = groups[order[row0 + first + bit] * words + word]
            _transpose(index, block)
            for bit in range(_BITS):
                index[masks + (word * _BITS + bit) * sample_words + sample_word] = index[
                    block + bit
                ]
