"""Labels as a fit reads them."""

from typing import Any

from fastmlp.data import read_targets


def encode_labels(Y: Any, n_rows: int, *, classes: Any = None, name: str = "Y") -> Any:
    """The index of each row's class, and the classes: given, or found in Y."""
    targets = read_targets(Y, n_rows, prefix=name.removesuffix("Y"))
    classes = targets.classes if classes is None else classes
    return targets.class_indices(classes), classes
