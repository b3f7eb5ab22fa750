"""Random samples of rows."""

import numpy as np

from .arrays import Numbers, Rows


def sample_rows(n_rows: int, count: int, weights: Numbers | None = None) -> Rows:
    """At most ``count`` random rows in rising order, the same in every call.

    Not evenly spaced ones, which all have the same place in a period of the data. Of more rows with
    ``weights``, those are drawn with these probabilities, some repeatedly.
    """
    if n_rows <= count:
        return slice(None)
    rng = np.random.default_rng(0)
    if weights is None:
        return np.sort(rng.choice(n_rows, count, replace=False, shuffle=False))
    return np.sort(rng.choice(n_rows, count, p=weights / weights.sum()))
