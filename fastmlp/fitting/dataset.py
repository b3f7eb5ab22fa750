"""Data of a fit: read once, split, and encoded for the kernels as learned from them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..data import (
    Array,
    Features,
    RawTargets,
    Rows,
    as_samples,
    check_classes,
    open_features,
    read_targets,
    split_rows,
)
from ..inputs import Inputs, learn_inputs
from ..network.encoding import Encoding
from ..outputs import (
    Outputs,
    Targets,
    class_factors,
    learn_outputs,
    match_outputs,
    of_known_classes,
    trained_on,
    with_class_weights,
)
from ..settings import FitSettings


@dataclass(frozen=True)
class FitData:
    """Encoded training and validation data, their encoding, and the settings resolved for them."""

    X: Array
    targets: Targets
    encoding: Encoding
    settings: FitSettings
    validation: tuple[Array, Targets] | None = None

    def without_rows(self) -> "FitData":
        """A copy without training rows."""
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
    """Check and encode the data of a fit.

    ``resolve`` computes the settings from the number of rows; ``known`` is the encoding of the
    network to continue; ``classes`` are all classes, if Y may lack some.

    Raises
    ------
    TypeError, ValueError
        For unusable data, or data that do not fit the network.
    """
    features = _opened(X, known)
    targets = read_targets(Y, len(features), sample_weight)
    classes = None if classes is None else check_classes(classes)
    settings = resolve(len(targets))
    validated = validation_data is not None
    fraction = 0.0 if validated else settings.validation_fraction
    train, held_back = split_rows(targets, fraction, settings.validation_split, settings.seed)
    inputs, rows = _inputs(features, targets, train, settings, known)
    outputs = _outputs(targets, train, settings, known, classes)
    encoding = Encoding(inputs, outputs)
    encoded = outputs.encode(targets, settings.dtype)
    class_weight = of_known_classes(settings.class_weight, outputs, encoded)
    settings = replace(settings, class_weight=class_weight)
    validation = None
    if validated:
        samples = as_samples(validation_data, "validation_data")
        validation = encoding.rows_and_targets(*samples, settings.dtype, "validation ")
    elif held_back is not None:
        validation = rows[held_back], encoded.part(held_back)
        rows, encoded = rows[train], encoded.part(train)
    factors = class_factors(class_weight, outputs, encoded)
    if validation is not None:
        weighted = with_class_weights(validation[1], outputs, factors)
        validation = validation[0], weighted.rescaled()
    kept, encoded = trained_on(with_class_weights(encoded, outputs, factors))
    return FitData(rows[kept], encoded.rescaled(), encoding, settings, validation)


def _opened(X: Any, known: Encoding | None) -> Features:
    return known.inputs.open(X) if known is not None and known.fitted else open_features(X)


def _inputs(
    features: Features, targets: RawTargets, train: Rows, settings: FitSettings,
    known: Encoding | None,
) -> tuple[Inputs, Array]:  # fmt: skip
    """The inputs, known or learned, and the encoded rows of the targets."""
    if known is not None:
        known.inputs.check_scaling(settings.scaling)
    if known is not None and known.fitted:
        inputs, rows = known.inputs, known.inputs.encode(features, settings.dtype)
    else:
        given = None if known is None else known.inputs
        training, weights = targets.rows_in_x(train), targets.weights_of(train)
        inputs, rows = learn_inputs(features, training, weights, settings, given)
    return inputs, rows[targets.kept]


def _outputs(
    targets: RawTargets, train: Rows, settings: FitSettings, known: Encoding | None,
    classes: Array | None,
) -> Outputs:  # fmt: skip
    loss, smoothing = settings.loss, settings.label_smoothing
    if known is None:
        outputs = learn_outputs(targets, train, loss, smoothing, classes)
    elif known.fitted:
        outputs = known.outputs.continued(loss, smoothing)
    else:
        outputs = match_outputs(known.outputs, targets, loss, smoothing)
    outputs.check_smoothing()
    return outputs
