"""Labels and categories that occur in some rows."""

from typing import Any, NamedTuple

import numpy as np

from ..data import Array, Features, Key, Numbers, RawTargets, open_dense

# Of more labels there are no totals.
MOST_LABELS = 10_000


class Total(NamedTuple):
    """Training rows and their total weight."""

    rows: int = 0
    weight: float = 0.0


def firsts(
    X: Any, targets: RawTargets, rows: Array | None = None
) -> list[tuple[tuple[int, Key], int]]:
    """The first of some rows with each label (of column -1) and each category of a column."""
    features: Features = open_dense(X)
    found = []
    labels = _labels(targets)
    if labels is not None:
        names, positions = np.unique(labels, return_index=True)
        if len(names) <= MOST_LABELS:
            found += [
                ((-1, name), row)
                for name, row in zip(names.tolist(), positions.tolist(), strict=True)
            ]
    for j in features.categories:
        coded = features.coded(j)
        codes = coded.codes if rows is None else coded.codes[rows]
        first = np.zeros((int(codes.max()) if len(codes) else 0) + 2, np.intp)
        first[codes[::-1]] = np.arange(len(codes))[::-1]
        present = coded.present_in(slice(None) if rows is None else rows)
        found += [((j, key), int(first[code])) for code, key in present.items()]
    return found


def _labels(targets: RawTargets) -> Array | None:
    """The label of each row, or the column of its 1; None for other targets."""
    if targets.is_flat:
        return targets.values if targets.are_whole else None
    if len(targets) == 0:
        return np.zeros(0, np.intp)
    return np.asarray(targets.values.argmax(axis=1)) if targets.is_one_hot else None


def label_totals(
    targets: RawTargets, train: Array, weights: Numbers | None
) -> dict[Key, Total] | None:
    labels = _labels(targets)
    if labels is None:
        return None
    names, indices = np.unique(labels, return_inverse=True)
    if len(names) > MOST_LABELS:
        return None
    rows = np.bincount(indices[train], minlength=len(names))
    own = rows if weights is None else np.bincount(indices[train], weights[train], len(names))
    totals = zip(names.tolist(), rows.tolist(), own.tolist(), strict=True)
    return {name: Total(n_rows, float(weight)) for name, n_rows, weight in totals}
