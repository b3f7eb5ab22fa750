"""Outputs of a network, from the targets of a fit, or for weights given by a user."""

from dataclasses import replace

import numpy as np

from ..data import Array, Numbers, RawTargets, Rows, check_classes, some
from ..losses import Loss, SoftmaxCrossEntropy
from ..settings.combinations import other_network
from .auto_loss import suitable_loss
from .outputs import Outputs


def learn_outputs(
    targets: RawTargets,
    train: Rows,
    loss: Loss | None,
    label_smoothing: float = 0.0,
    classes: Array | None = None,
    *,
    open_ended: bool = False,
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
    open_ended : bool
        Whether more targets may follow.

    Raises
    ------
    TypeError, ValueError
        For targets that do not suit the loss, or constant numbers in a first chunk of many.
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
    return _of_numbers(outputs, targets, train, open_ended=open_ended)


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


def with_classes(known: Outputs, classes: Array) -> Outputs:
    """Return known outputs, whose classes, if any, must be these; weights without get them.

    Raises
    ------
    ValueError
        If there are other classes, or none with this loss.
    """
    if known.kind not in ("classes", "pair"):
        raise _without_effect(classes, f"loss={known.loss.name!r}")
    if known.classes is None:
        return replace(known, classes=check_classes(classes, len(known.labels)))
    old, new = known.classes.tolist(), classes.tolist()
    lists = {
        "unknown": [label for label in new if label not in old],
        "missing": [label for label in old if label not in new],
    }
    if any(lists.values()):
        differences = "; ".join(
            f"{what}: {some(labels)}" for what, labels in lists.items() if labels
        )
        raise ValueError(f"classes must be those of the network; {differences}")
    return known


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
    if given.kind == "numbers" and learned.kind != "numbers":
        raise other_network(
            f"loss={learned.loss.name!r}, but its weights were set with {given.loss!r}"
        )
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
    return replace(learned, centre=given.centre, spread=given.spread)


def _without_effect(classes: Array, beside: str) -> ValueError:
    return ValueError(f"classes have no effect with {beside}; got {some(classes)}")


def _check_use(classes: Array, loss: Loss) -> None:
    if loss.is_numeric:
        raise _without_effect(classes, f"loss={loss.name!r}")
    if len(classes) < 2:
        raise ValueError(f"classes must name at least 2; got {classes.tolist()}")


def _of_classes(outputs: Outputs, targets: RawTargets, classes: Array | None) -> Outputs:
    own = targets.classes if classes is None or not targets.is_flat else classes
    if classes is not None and classes.tolist() != own.tolist():
        got = f"{len(own)} columns, which are classes 0 to {len(own) - 1}"
        raise ValueError(f"{targets.name} has {got}; got classes {some(classes)}")
    return replace(outputs, count=len(own), classes=own)


def _of_labels(outputs: Outputs, targets: RawTargets, classes: Array | None) -> Outputs:
    if not targets.is_flat:
        if classes is not None:
            raise _without_effect(classes, "several columns of labels")
        return replace(outputs, count=targets.values.shape[1])
    classes = targets.classes if classes is None else classes
    if len(classes) != 2:
        wanted = "2 classes, or a column of 0 and 1 for each label"
        raise ValueError(f"loss='binary_cross_entropy' needs {wanted}; got {len(classes)} classes")
    return replace(outputs, classes=classes)


def _of_numbers(
    outputs: Outputs, targets: RawTargets, train: Rows, *, open_ended: bool
) -> Outputs:  # fmt: skip
    """Outputs centred and scaled by mean and standard deviation of each column, counts by means."""
    are_counts, count = outputs.kind == "counts", outputs.loss.count
    columns = targets.numbers(counts=are_counts)[train]
    if count == 1:
        count = columns.shape[1]
    elif columns.shape[1] > 1:
        raise ValueError(f"several quantiles need one column of targets; got {columns.shape[1]}")
    weights = targets.weights_of(train)
    means = np.average(columns, axis=0, weights=weights)
    spread, varies = means, means > 0
    if not are_counts:
        ranges = _ranges(columns, targets.name)
        spread = np.sqrt(np.average((columns - means) ** 2, axis=0, weights=weights))
        # Constants may have a spread, of the size of the mean's rounding error.
        varies = spread > np.finfo(np.float64).eps * np.abs(means)
        varies &= ranges > 0
    if open_ended and not varies.all():
        got = "zeros only" if are_counts else "a single value"
        where = "" if targets.is_flat else f" in columns {some(np.flatnonzero(~varies))}"
        raise ValueError(
            f"{targets.name} must vary in the first chunk, from which the unit of the targets is "
            f"learned for all chunks; got {got}{where}: give a larger first chunk"
        )
    spread = np.where(varies, spread, 1.0)
    return replace(outputs, count=count, centre=0 * means if are_counts else means, spread=spread)


def _ranges(columns: Numbers, name: str) -> Numbers:
    """Largest minus smallest value of each column.

    Raises
    ------
    ValueError
        If float64 cannot hold their squares, as variances need them.
    """
    known = np.finfo(np.float64)
    with np.errstate(all="ignore"):
        ranges = np.ptp(columns, axis=0)
        squares = ranges**2
    bad = (ranges > 0) & ~((squares >= known.tiny) & (squares < known.max / len(columns)))
    if bad.any():
        got = f"got {float(ranges[bad][0]):.3g}: choose another unit"
        raise ValueError(f"{name} must have a range whose square float64 can hold; {got}")
    return np.asarray(ranges)
