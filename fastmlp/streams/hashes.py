"""Hashes of rows, by which validation rows are held out."""

from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from ..data import Array, Features, Key, Numbers, RawTargets, blocks

Hashes = npt.NDArray[np.uint64]

_GAP = np.uint64(0x7FF8_0000_0000_0000)
_HALF = np.uint64(32)


def row_hashes(features: Features, targets: RawTargets) -> Hashes:
    """Hash each row of the targets: its features and its targets.

    Equal values have equal hashes in any dtype and package, on any machine. The hash is a sum over
    the columns, each times a random odd number, which is then mixed.
    """
    skip = features.categories
    numbers, _ = features.numbers(None, skip)
    n_columns = features.shape[1]
    values = targets.values[:, None] if targets.is_flat else targets.values
    factors = _factors(n_columns + values.shape[1])
    plain = np.setdiff1d(np.arange(n_columns), skip)
    sums = _of_numbers(numbers, factors[plain])
    for j in skip:
        coded = features.coded(j)
        table = np.full(int(coded.codes.max()) + 2, _folded(np.full(1, np.nan))[0])
        for code, key in coded.present.items():
            table[code] = _of_key(key)
        sums += table[coded.codes] * factors[j]  # -1, a gap, is the last one
    sums = sums[targets.kept]
    if values.dtype.kind in "OU":
        labels, inverse = np.unique(values.ravel(), return_inverse=True)
        sums += np.array(list(map(_of_key, labels)), np.uint64)[inverse] * factors[-1]
    else:
        sums += _of_numbers(values, factors[n_columns:])
    return _mixed(sums)


def _of_numbers(numbers: Array, factors: Hashes) -> Hashes:
    sums = np.zeros(len(numbers), np.uint64)
    for rows in blocks(*numbers.shape):
        bits = _folded(numbers[rows].astype(np.float64))
        sums[rows] = np.einsum("ij,j->i", bits, factors)
    return sums


def _folded(numbers: Numbers) -> Hashes:
    """Bits of numbers; those of small whole numbers are the high ones, which products lose."""
    numbers = numbers + 0.0  # -0 becomes 0
    bits = numbers.view(np.uint64)
    bits[np.isnan(numbers)] = _GAP
    bits ^= bits >> _HALF
    return bits


def _of_key(key: Key) -> int:
    if isinstance(key, str):
        digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "little")
    return int(_folded(np.array([key], np.float64))[0])


def _factors(count: int) -> Hashes:
    return _mixed(np.arange(1, count + 1, dtype=np.uint64)) | np.uint64(1)


def _mixed(values: Hashes) -> Hashes:
    """Steele, Lea and Flood (2014): SplitMix64."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        values = (values ^ (values >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(values ^ (values >> np.uint64(31)))
