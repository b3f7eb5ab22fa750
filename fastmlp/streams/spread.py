"""Random divisions of the parts of a file, which may be sorted."""

from collections.abc import Sequence

import numpy as np


def spread(numbers: Sequence[int], count: int, rng: np.random.Generator) -> list[list[int]]:
    """Divide numbers among ``count`` lists at random, neighbours to different ones."""
    lists: list[list[int]] = [[] for _ in range(count)]
    for neighbours in np.array_split(numbers, -(-len(numbers) // count)):
        for number, k in zip(neighbours.tolist(), rng.permutation(count), strict=False):
            lists[k].append(number)
    return lists
