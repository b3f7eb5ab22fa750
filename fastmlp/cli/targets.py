"""What the targets of a file are: classes or quantities, and how that is said."""

from typing import Any

import numpy as np

from ..data import Array
from ..settings import check_setting

# Whole numbers are taken for classes up to this count, as in Python.
_MANY = 30
_SHOWN = 6
_LOSSES = {"classification": "softmax_cross_entropy", "regression": "squared_error"}


def loss_of(name: str, y: Array, kind: str | None, loss: Any) -> Any:
    """The loss for the column ``name``: as given, by the ``kind`` given, or by its values.

    Raises
    ------
    ValueError
        For text as quantities, and for many whole numbers that may be either.
    """
    if kind is not None:
        if loss not in (None, "auto"):
            raise ValueError(f"--{kind} has no effect beside --loss; got {loss!r}")
        loss = _LOSSES[kind]
    is_text = y.dtype.kind not in "iuf"
    if loss is not None and loss != "auto":
        given = check_setting("loss", loss)
        if is_text and given.is_numeric:
            raise ValueError(f"target {name!r} holds text, which is classes; got {loss!r}")
        return loss
    is_whole = is_text or y.dtype.kind != "f" or bool((y == np.trunc(y)).all())
    if not is_whole:
        return _LOSSES["regression"]
    count = len(np.unique(y))
    if not is_text and count > _MANY:
        raise ValueError(
            f"target {name!r} holds {count:,} different whole numbers, which may be classes or "
            "quantities: add --classification, --regression, or --loss poisson for counts"
        )
    return _LOSSES["classification"]


def described(y: Array, loss: Any) -> str:
    """What targets are taken for, with the classes and their rows, or the range."""
    taken = check_setting("loss", loss)
    if taken.is_numeric:
        unit = "counts" if taken.targets == "counts" else "numbers"
        return f"{unit} from {y.min():g} to {y.max():g}, mean {y.mean():.4g}; loss {taken.name}"
    labels, counts = np.unique(y, return_counts=True)
    if len(labels) < 2:
        raise ValueError(f"there must be two classes or more; got only {labels.tolist()}")
    order = np.argsort(-counts, kind="stable")[:_SHOWN]
    some = ", ".join(f"{labels[k]} ({counts[k]:,})" for k in order)
    more = "" if len(labels) <= _SHOWN else f", and {len(labels) - _SHOWN} more"
    hint = "" if y.dtype.kind not in "iuf" else "; --regression takes it for a quantity"
    return f"{len(labels)} classes (rows): {some}{more}{hint}"
