"""Finding the zeros of the input, so that the first layer can step over them.

Adding a product with zero changes nothing, so a sum may leave it out. A tile of the forward
product has TILE_ROWS samples and needs every feature that is non-zero in one of them; a tile of the
weight gradient has TILE_ROWS features (a group) and needs every sample that is non-zero in one of
them. Both sets are bit masks: once per fit each row gets a mask of its
features followed by one of its groups; per chunk they are joined over the rows of a tile, and
transposed into a mask of samples for each group.

Masks are words of 64 bits in int64, the lowest bit first.
"""

from ..language.elements import as_element, elements_like, int64s, prefetch, uint8s
from ..language.jit import kernel
from ..language.parameters import Layer, Memory, Run
from ..language.records import layer_at, run_at
from ..language.simd import LINE_BYTES, TILE_ROWS

_BITS = 64
_LINE_WORDS = LINE_BYTES // 8


def mask_words(d: int) -> tuple[int, int]:
    """Words in a mask of ``d`` features, and of their groups of TILE_ROWS."""
    return -(-d // _BITS), -(-d // (_BITS * TILE_ROWS))


@kernel
def scan(memory: Memory, runs: int, member: int):
    """row_masks (n, mask_words) of X (n, d), for the rows from ``run.first`` to ``run.last``."""
    run = run_at(runs, member)
    numbers, pixels = elements_like(run.input, memory), uint8s(run.input)
    row_masks, zero, d = int64s(run.row_masks), as_element(0, memory), layer_at(run.layers, 0).n_out
    for row in range(run.first, run.last):
        for j in range(0, d, _BITS):
            word, start, bits = 0, row * d + j, d - j if d - j < _BITS else _BITS
            if run.is_uint8:
                for bit in range(bits):
                    word |= int(pixels[start + bit] != 0) << bit
            else:
                for bit in range(bits):
                    word |= int(numbers[start + bit] != zero) << bit
            row_masks[row * run.mask_words + j // _BITS] = word
    _scan_groups(run, d)


@kernel
def _scan_groups(run: Run, d: int):
    """Masks of the groups, behind those of the features that they are computed from."""
    row_masks, everything = int64s(run.row_masks), (1 << TILE_ROWS) - 1
    for row in range(run.first, run.last):
        features = row * run.mask_words
        groups = features + run.feature_words
        for g in range((d + TILE_ROWS - 1) // TILE_ROWS):
            word, bit = g * TILE_ROWS // _BITS, g * TILE_ROWS % _BITS
            members = row_masks[features + word] >> bit
            rest = _BITS - bit
            if rest < TILE_ROWS:
                # The shift of a negative word drags ones in, so only the lowest bits count.
                members &= (1 << rest) - 1
                if (word + 1) * _BITS < d:
                    members |= row_masks[features + word + 1] << rest
            if members & everything:
                row_masks[groups + g // _BITS] |= 1 << (g % _BITS)


@kernel
def mask_chunk(memory: Memory, run: Run, layer: Layer):
    """feature_masks and sample_masks of the chunk; prefetches the row masks of the next chunk."""
    _join_rows(run)
    _samples_of_groups(run)
    row_masks, order = int64s(run.row_masks), int64s(run.order)
    ahead = run.row + run.m
    last = ahead + run.m if ahead + run.m < run.n_rows else run.n_rows
    for i in range(ahead, last):
        for word in range(0, run.mask_words, _LINE_WORDS):
            prefetch(row_masks, order[i] * run.mask_words + word)


@kernel
def _join_rows(run: Run):
    """feature_masks (m / TILE_ROWS, feature_words) = the row masks (m, feature_words), joined."""
    row_masks, order, joined = int64s(run.row_masks), int64s(run.order), int64s(run.feature_masks)
    words = run.feature_words
    for s in range(run.m):
        row, tile = order[run.row + s] * run.mask_words, s // TILE_ROWS * words
        for word in range(words):
            before = joined[tile + word] if s % TILE_ROWS else 0
            joined[tile + word] = before | row_masks[row + word]


@kernel
def _transpose(block: int):
    """Transpose 64 words as a matrix of bits (Warren, Hacker's Delight, section 7-3)."""
    words = int64s(block)
    half, low = 32, (1 << 32) - 1
    while half:
        for start in range(0, _BITS, 2 * half):
            for i in range(start, start + half):
                swapped = ((words[i] >> half) ^ words[i + half]) & low
                words[i] ^= swapped << half
                words[i + half] ^= swapped
        half >>= 1
        low ^= low << half


@kernel
def _samples_of_groups(run: Run):
    """sample_masks (groups, m / 64) = masks of groups (m, groups / 64) with bits transposed."""
    row_masks, order = int64s(run.row_masks), int64s(run.order)
    block, found = int64s(run.bit_block), int64s(run.sample_masks)
    sample_words = (run.m + _BITS - 1) // _BITS
    for word in range(run.mask_words - run.feature_words):
        for sample_word in range(sample_words):
            first = run.row + sample_word * _BITS
            for bit in range(_BITS):
                block[bit] = 0
            left = run.row + run.m - first
            for bit in range(left if left < _BITS else _BITS):
                groups = order[first + bit] * run.mask_words + run.feature_words
                block[bit] = row_masks[groups + word]
            _transpose(run.bit_block)
            target = word * _BITS * sample_words + sample_word
            for bit in range(_BITS):
                found[target + bit * sample_words] = block[bit]
