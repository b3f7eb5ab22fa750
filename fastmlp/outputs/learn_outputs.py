"""Outputs of a network, from the targets of a fit, or for weights given by a user."""

from dataclasses import replace

import numpy as np

from ..data import Array, RawTargets, Rows, some
from ..losses import Loss, SoftmaxCrossEntropy
from .auto_loss import suitable_loss
from .outputs import Outputs


def learn_outputs(
    targets: RawTargets,
    train: Rows,
    loss: Loss | None,
    label_smoothing: float = 0.0,
    classes: Array | None = None,
) -> Outputs:
    """Return the outputs for the targets of a fit.

    Parameters
    ----------
    targets : RawTargets
    train : slice or array of int
        The training rows, which determine centre and spread; classes are those of all rows.
    loss : Loss, optional
        By default one that suits the targets.
    label_smoothing : float
    classes : array, optional
        All classes, if the targets may lack some.

    Raises
    ------
    TypeError, ValueError
        For targets that do not suit the loss.
    """
    if loss is None:
        loss = SoftmaxCrossEntropy() if classes is not None else suitable_loss(targets)
    outputs = Outputs(loss, 1, flat=targets.is_flat, label_smoothing=label_smoothing)
    if classes is not None:
        _check_use(classes, loss)
    if loss.targets == "classes":
        return _of_classes(outputs, targets, classes)
    if loss.targets == "labels":
        return _of_labels(outputs, targets, classes)
    return _of_numbers(outputs, targets, train)


def given_outputs(loss: Loss | None, count: int) -> Outputs:
    """Return the outputs for weights given by a user, before there are targets.

    Raises
    ------
    ValueError
        If the loss is "auto" for one output, which may be a number or a class, or needs another
        number of outputs.
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


def match_outputs(
    given: Outputs, targets: RawTargets, loss: Loss | None, label_smoothing: float
) -> Outputs:
    """Return the outputs for the first fit of weights given by a user.

    Their number, their classes, if any, and the unit of the targets are those of the weights.

    Raises
    ------
    TypeError, ValueError
        For targets that do not suit the loss or the weights.
    """
    # One column of targets for several outputs: classes, not numbers.
    if loss is None and targets.is_flat and given.count > 1:
        loss = SoftmaxCrossEntropy()
    try:
        learned = learn_outputs(targets, slice(None), loss, label_smoothing)
    except ValueError:  # the targets may contain only one of the known classes
        if loss is None or loss.targets == "numbers":
            raise
        learned = replace(given, loss=loss, label_smoothing=label_smoothing)
    count = given.count
    if learned.kind in ("classes", "pair"):
        named = replace(learned, count=count, classes=given.classes)
        try:
            named.encode(targets, np.dtype("float32"))
            return replace(named, classes=named.labels)
        except ValueError:
            # Weights without classes get those of the targets.
            if given.classes is not None or learned.count != count:
                raise
            return learned
    if learned.count != count:
        raise ValueError(
            f"Y needs {learned.count} outputs with loss={learned.loss.name!r}, but the weights "
            f"that were set have {count}"
        )
    return replace(learned, centre=np.zeros(count), spread=np.ones(count))


def _check_use(classes: Array, loss: Loss) -> None:
    if loss.targets in ("numbers", "counts"):
        raise ValueError(f"classes have no effect with loss={loss.name!r}; got {some(classes)}")
    if len(classes) < 2:
        raise ValueError(f"classes must be at least 2; got {some(classes)}")


def _of_classes(outputs: Outputs, targets: RawTargets, classes: Array | None) -> Outputs:
    if classes is None or not targets.is_flat:
        classes = targets.classes
    return replace(outputs, count=len(classes), classes=classes)


def _of_labels(outputs: Outputs, targets: RawTargets, classes: Array | None) -> Outputs:
    if not targets.is_flat:
        return replace(outputs, count=targets.values.shape[1])
    classes = targets.classes if classes is None else classes
    if len(classes) != 2:
        wanted = "2 classes, or a column of 0 and 1 for each label"
        raise ValueError(f"loss='binary_cross_entropy' needs {wanted}; got {len(classes)} classes")
    return replace(outputs, classes=classes)


def _of_numbers(outputs: Outputs, targets: RawTargets, train: Rows) -> Outputs:
    """Outputs centred and scaled by mean and standard deviation of each column, counts by means."""
    are_counts, count = outputs.kind == "counts", outputs.loss.count
    columns = targets.numbers(counts=are_counts)[train]
    if count == 1:
        count = columns.shape[1]
    elif columns.shape[1] > 1:
        raise ValueError(f"several quantiles need one column of targets; got {columns.shape[1]}")
    weights = targets.weights_of(train)
    means = np.average(columns, axis=0, weights=weights)
    if are_counts:
        return replace(outputs, count=count, spread=np.where(means > 0, means, 1.0))
    spread = np.sqrt(np.average((columns - means) ** 2, axis=0, weights=weights))
    spread = np.where(spread > np.finfo(np.float64).eps * np.abs(means), spread, 1.0)
    return replace(outputs, count=count, centre=means, spread=spread)
