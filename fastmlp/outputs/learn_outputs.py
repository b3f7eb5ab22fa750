"""What outputs stand for, learned from the targets of a fit or guessed for given weights."""

from dataclasses import replace

import numpy as np

from ..data import (
    check_labels,
    check_numbers,
    check_shares,
    encode_labels,
    guess_loss,
    is_one_hot,
    some,
)
from ..losses import LOSSES, Loss, SoftmaxCrossEntropy
from .encoded import Array, Numbers
from .outputs import Outputs


def given_outputs(loss: Loss | None, count: int) -> Outputs:
    """What the outputs of given weights stand for, as far as one can tell.

    Raises
    ------
    ValueError
        If a loss has to be named: one output may be a number or a class, or if the loss has
        another number of outputs.
    """
    if loss is None:
        if count == 1:
            raise ValueError("loss must be named for weights with one output; got 'auto'")
        loss = SoftmaxCrossEntropy()
    if count == 1 and loss.targets == "classes":
        raise ValueError(f"loss={loss.name!r} needs an output for each class; got weights with 1")
    if loss.count > 1 and count != loss.count:
        raise ValueError(f"{loss!r} needs {loss.count} outputs; got weights with {count}")
    flat = loss.targets == "classes" or count == loss.count
    return Outputs(loss, count, centre=np.zeros(count), spread=np.ones(count), flat=flat)


def learn_outputs(
    Y: Array,
    weights: Numbers | None,
    loss: Loss | None,
    label_smoothing: float,
    train: slice | Array,
    classes: Array | None = None,
) -> Outputs:
    """What targets stand for, as ``read_targets`` has read them.

    Parameters
    ----------
    loss : Loss, optional
        By default what ``guess_loss`` says.
    train : slice or array of int
        Of these rows centre and spread are learned, of all rows the classes.
    classes : array, optional
        All classes there are, where Y may lack some.

    Raises
    ------
    TypeError, ValueError
        For what the loss cannot take.
    """
    if loss is None:
        loss = LOSSES[guess_loss(Y)]() if classes is None else SoftmaxCrossEntropy()
    flat = Y.ndim == 1
    outputs = Outputs(loss, 1, flat=flat, label_smoothing=label_smoothing)
    if classes is not None:
        if loss.targets in ("numbers", "counts"):
            raise ValueError(f"classes have no effect with loss={loss.name!r}; got {some(classes)}")
        if len(classes) < 2:
            raise ValueError(f"classes must be at least 2; got {some(classes)}")
        if flat and loss.targets == "classes":
            return replace(outputs, count=len(classes), classes=classes)
    if loss.targets == "classes":
        if flat or is_one_hot(Y).all():
            classes = encode_labels(Y)[1]
        else:
            classes = np.arange(check_shares(Y, None).shape[1])
        return replace(outputs, count=len(classes), classes=classes)
    if loss.targets == "labels":
        if not flat:
            return replace(outputs, count=check_labels(Y, None).shape[1])
        classes = encode_labels(Y)[1] if classes is None else classes
        if len(classes) != 2:
            wanted = "2 classes, or a column of 0 and 1 for each label"
            raise ValueError(
                f"loss='binary_cross_entropy' needs {wanted}; got {len(classes)} classes"
            )
        return replace(outputs, classes=classes)
    columns = check_numbers(Y, None, counts=loss.targets == "counts")[train]
    count = columns.shape[1]
    if loss.count > 1:
        if count > 1:
            raise ValueError(f"several quantiles need one column of targets; got {count}")
        count = loss.count
    weights = None if weights is None else weights[train]
    means = np.average(columns, axis=0, weights=weights)
    if loss.targets == "counts":
        return replace(outputs, count=count, spread=np.where(means > 0, means, 1.0))
    spread = np.sqrt(np.average((columns - means) ** 2, axis=0, weights=weights))
    spread = np.where(spread > np.finfo(np.float64).eps * np.abs(means), spread, 1.0)
    return replace(outputs, count=count, centre=means, spread=spread)
