"""What one fit was given, checked once; and what further rows must agree with."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import (
    Features,
    check_classes,
    check_validation_data,
    class_weights,
    feature_names,
    read_targets,
    split_rows,
    split_validation,
)
from ..inputs import Scaling, given_scaling, learn_inputs
from ..losses import Loss, SoftmaxCrossEntropy
from ..network.encoding import Encoding, weighted_rows
from ..outputs import Outputs, Targets, learn_outputs
from ..settings import FitSettings

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FitData:
    """Rows and targets to train on, those to validate on, and what they stand for; settings, of
    which none is "auto" any more."""

    X: Array
    targets: Targets
    encoding: Encoding
    settings: FitSettings
    validation: tuple[Array, Targets] | None = None

    def without_rows(self) -> "FitData":
        """The same, with nothing to train on."""
        return replace(self, X=self.X[:0].copy(), targets=self.targets.part([]))


def fit_data(
    X: Any,
    Y: Any,
    sample_weight: Any,
    validation_data: Any,
    resolve: Callable[[int], FitSettings],
    known: Encoding | None,
    classes: Any = None,
) -> FitData:
    """Check what a fit was given; ``known`` is the encoding of a network to be continued.

    ``resolve`` gives the settings for a number of rows; ``classes`` are those that Y may hold,
    where it need not hold all.

    Raises
    ------
    TypeError, ValueError
        For whatever cannot be trained on, or does not agree with what is known.
    """
    fitted = known.inputs if known is not None and known.fitted else None
    features = fitted.features(X) if fitted else Features(X)
    Y = read_targets(Y, len(features))
    kept, weights = weighted_rows(len(features), sample_weight)
    Y = Y[kept]
    if classes is not None:
        classes = check_classes(classes, np.shape(classes)[0] if np.ndim(classes) else 0)
    settings = resolve(len(Y))
    dtype = settings.dtype
    if known is not None:
        _check_scaling(settings.scaling, known.inputs.scaling)
    n_train = len(Y)
    if validation_data is None:
        n_train = split_validation(len(Y), settings.validation_fraction)
    train, rest = split_rows(Y, n_train, settings.validation_split, settings.seed)
    own = None if weights is None else weights[train]
    if fitted:
        inputs, rows = fitted, fitted.read(features, dtype)
    else:
        training = train if isinstance(kept, slice) else kept[train]
        given = known.inputs if known else None
        inputs, rows = learn_inputs(features, feature_names(X), training, own, settings, given)
    rows = rows[kept]
    if known is None:
        outputs = learn_outputs(Y, weights, settings.loss, settings.label_smoothing, train, classes)
    else:
        outputs = _continued(known, Y, weights, settings)
    _check_smoothing(settings, outputs)
    encoding = Encoding(inputs, outputs)
    targets = outputs.encoded(Y, weights, dtype)
    held_back = None
    if validation_data is not None:
        held_back = encoding.rows_and_targets(
            *check_validation_data(validation_data), dtype, "validation "
        )
    elif n_train < len(rows):
        held_back = rows[rest], targets.part(rest)
        rows, targets = rows[train], targets.part(train)
    targets = _with_class_weights(targets, outputs, settings.class_weight)
    return FitData(rows, targets, encoding, settings, held_back)


def _check_scaling(setting: Any, known: Scaling) -> None:
    """A network that is continued has its scaling, with which "auto" agrees."""
    given = given_scaling(setting)
    if given is None:
        agrees = setting in ("auto", known.kind)
    else:
        agrees = given.kind == known.kind and np.array_equal(given.factor, known.factor)
    if not agrees:
        raise ValueError(
            "warm_start continues a network as it is; got "
            f"scaling={setting!r}, but the network has {known}"
        )


def _continued(known: Encoding, Y: Array, weights: Any, settings: FitSettings) -> Outputs:
    """What targets stand for, for a network to be continued."""
    outputs, loss = known.outputs, settings.loss
    if loss is not None and known.fitted and not loss.has_outputs_of(outputs.loss):
        raise ValueError(
            f"warm_start continues a network as it is; got loss={loss!r}, but the network was "
            f"trained with {outputs.loss!r}"
        )
    smoothing = settings.label_smoothing
    if known.fitted:
        return replace(outputs, loss=loss or outputs.loss, label_smoothing=smoothing)
    # One output for each class, so these are no numbers.
    if loss is None and Y.ndim == 1 and outputs.count > 1:
        loss = SoftmaxCrossEntropy()
    return _of_given_weights(outputs, Y, loss, smoothing)


def _of_given_weights(given: Outputs, Y: Array, loss: Loss | None, smoothing: float) -> Outputs:
    """What targets stand for, for weights that say how many outputs there are, and perhaps what
    their classes are called; outputs are in the unit of the targets."""
    try:
        learned = learn_outputs(Y, None, loss, smoothing, slice(None))
    except ValueError:  # of the known classes, Y may have one only
        if loss is None or loss.targets == "numbers":
            raise
        learned = replace(given, loss=loss, label_smoothing=smoothing)
    count = given.count
    if learned.kind in ("classes", "pair"):
        named = replace(learned, count=count, classes=given.classes)
        try:
            named.encoded(Y, None, np.dtype("float32"))
            return replace(named, classes=named.labels)
        except ValueError:
            # Weights that were given do not say what the classes are called.
            if given.classes is not None or learned.count != count:
                raise
            return learned
    if learned.count != count:
        raise ValueError(
            f"Y needs {learned.count} outputs with loss={learned.loss.name!r}, but the weights "
            f"that were set have {count}"
        )
    return replace(learned, centre=np.zeros(count), spread=np.ones(count))


def _check_smoothing(settings: FitSettings, outputs: Outputs) -> None:
    if settings.label_smoothing > 0 and outputs.loss.targets not in ("classes", "labels"):
        raise ValueError(
            f"label_smoothing has no effect with loss={outputs.loss.name!r}; "
            f"got {settings.label_smoothing}"
        )


def _with_class_weights(targets: Targets, outputs: Outputs, setting: Any) -> Targets:
    if setting is None:
        return targets
    if outputs.kind == "pair":
        indices = (targets.values[0] > 0.5).astype(np.int32)  # type: ignore[index]
    elif targets.labels is not None:
        indices = targets.labels
    else:
        raise ValueError(
            f"class_weight needs a class for each row; got {setting!r} with loss="
            f"{outputs.loss.name!r} and other targets"
        )
    weights = targets.weights_of(np.arange(len(targets)))
    totals = np.bincount(indices, weights, len(outputs.labels)).astype(np.float64)
    weights = weights * class_weights(setting, outputs.labels, totals)[indices]
    if not weights.any():
        raise ValueError(f"class_weight must leave a weight > 0; got {setting!r}")
    return replace(targets, weights=weights)
