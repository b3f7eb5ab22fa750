"""Labels as a fit reads them."""

from typing import Any

from fastmlp import data


def encode_labels(Y: Any, n_rows: int, *, classes: Any = None, name: str = "Y") -> Any:
    """Read Y, then its classes."""
    targets = data.read_targets(Y, n_rows, name=name)
    return data.encode_labels(targets, classes=classes, name=name)
