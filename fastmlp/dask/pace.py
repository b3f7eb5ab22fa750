"""How many updates lie between two averages, by measured times."""

import math
import time
from collections.abc import Callable
from statistics import median

# The share of the time that rounds may take beside training.
_SHARE = 0.15
# Updates of a round that is measured.
MEASURED_UPDATES = 8
_ROUNDS = 3


def measured_sync_every(train: Callable[[int], float], most: int) -> int:
    """Updates in a round, so that all but ``_SHARE`` of the time is training.

    Parameters
    ----------
    train : callable
        Runs a round of some updates, and returns the seconds that the slowest worker trained.
    most : int
        Updates in an epoch.
    """
    updates = min(MEASURED_UPDATES, most)
    train(1)  # compiles
    steps, rounds = [], []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        seconds = train(updates)
        steps.append(seconds / updates)
        rounds.append(time.perf_counter() - start - seconds)
    return chosen_sync_every(median(steps), median(rounds), most)


def chosen_sync_every(step: float, overhead: float, most: int) -> int:
    """Updates in a round, from the seconds of an update and those of a round beside updates.

    As many as are needed, or more, so that all rounds of an epoch are of about the same length.
    """
    needed = min(most, max(1, math.ceil(overhead / step * (1 - _SHARE) / _SHARE)))
    return math.ceil(most / (most // needed))
