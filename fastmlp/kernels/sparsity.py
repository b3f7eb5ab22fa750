"""Finding the zeros of the input, so that the first layer can step over them.

Adding a product with zero changes nothing, so a sum may leave it out. A tile of the forward
product takes TILE_ROWS samples at once and needs every feature that is non-zero in one of them; a
tile of the weight gradient takes TILE_ROWS features at once (a group) and needs every sample that
is non-zero in one of them. Both sets are bit masks: once per fit each row gets a mask of its
features followed by one of its groups; per chunk they are joined over the rows of a tile, and
transposed into a mask of samples for each group.

Masks are words of 64 bits in int64, the lowest bit first.
"""

from numba import types

from . import job as args
from .batches import share
from .elements import as_element, pointer, pointer_like, prefetch
from .jit import jit, unit
from .plan import FEATURE_WORDS, GROUP_WORDS, N_OUT, SAMPLE_WORDS
from .simd import TILE_ROWS

_BITS = 64
_LINE_WORDS = 8


@jit
def _scan_row(memory, address, is_uint8, start, d, row_masks, f0, g0):
    """Masks, at ``f0`` and ``g0``, of the ``d`` features from element ``start`` of the input on."""
    pixels, numbers = pointer(address, types.uint8), pointer_like(address, memory)
    zero = as_element(0, memory)
    for first in range(0, d, _BITS):
        word = 0
        for bit in range(min(_BITS, d - first)):
            if is_uint8:
                hit = pixels[start + first + bit] != 0
            else:
                hit = numbers[start + first + bit] != zero
            word |= int(hit) << bit
        row_masks[f0 + first // _BITS] = word
    everything = (1 << TILE_ROWS) - 1
    for g in range((d + TILE_ROWS - 1) // TILE_ROWS):
        word, bit = g * TILE_ROWS // _BITS, g * TILE_ROWS % _BITS
        members = row_masks[f0 + word] >> bit
        rest = _BITS - bit
        if rest < TILE_ROWS:
            # The shift of a negative word drags ones in, so only the lowest bits count.
            members &= (1 << rest) - 1
            if (word + 1) * _BITS < d:
                members |= row_masks[f0 + word + 1] << rest
        if members & everything:
            row_masks[g0 + g // _BITS] |= 1 << (g % _BITS)


@unit
def scan(memory, job, member):
    """Masks of one thread's share of the rows."""
    layers, sizes, _ = args.tables(job)
    row_masks = pointer(job[args.ROW_MASKS], types.int64)
    words = sizes[FEATURE_WORDS] + sizes[GROUP_WORDS]
    d = layers[N_OUT]
    first, last = share(job[args.N_ROWS], member, job[args.N_THREADS])
    for row in range(first, last):
        features = row * words
        _scan_row(
            memory, job[args.RAW], job[args.IS_UINT8], row * d, d,
            row_masks, features, features + sizes[FEATURE_WORDS],
        )  # fmt: skip


@unit
def join_rows(index, joined, row_masks, sizes, order, row0, m):
    """For each TILE_ROWS rows of ``order[row0 : row0 + m]``, the features of any of them."""
    words = sizes[FEATURE_WORDS]
    step = words + sizes[GROUP_WORDS]
    for s in range(m):
        row, tile = order[row0 + s] * step, joined + s // TILE_ROWS * words
        for word in range(words):
            before = index[tile + word] if s % TILE_ROWS else 0
            index[tile + word] = before | row_masks[row + word]


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


@unit
def samples_of_groups(index, found, block, row_masks, sizes, order, row0, m):
    """For each group of features, the rows of ``order[row0 : row0 + m]`` that have any of it.

    ``block`` is the offset of 64 words to work in.
    """
    step = sizes[FEATURE_WORDS] + sizes[GROUP_WORDS]
    for word in range(sizes[GROUP_WORDS]):
        for sample_word in range(sizes[SAMPLE_WORDS]):
            first = sample_word * _BITS
            for bit in range(_BITS):
                index[block + bit] = 0
            for bit in range(min(_BITS, m - first)):
                row = order[row0 + first + bit]
                index[block + bit] = row_masks[row * step + sizes[FEATURE_WORDS] + word]
            _transpose(index, block)
            target = found + word * _BITS * sizes[SAMPLE_WORDS] + sample_word
            for bit in range(_BITS):
                index[target + bit * sizes[SAMPLE_WORDS]] = index[block + bit]


@jit
def prefetch_masks(row_masks, sizes, order, first, last):
    """Ask for the masks of the rows ``order[first:last]``."""
    step = sizes[FEATURE_WORDS] + sizes[GROUP_WORDS]
    for i in range(first, last):
        for word in range(0, step, _LINE_WORDS):
            prefetch(row_masks, order[i] * step + word)
