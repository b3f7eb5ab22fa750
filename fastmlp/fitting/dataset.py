"""Data of a fit: read once, split, and encoded for the kernels as learned from them."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..cached import cached_property
from ..data import (
    AnyFeatures,
    Array,
    EncodedRows,
    Numbers,
    RawTargets,
    Rows,
    SparseFeatures,
    SparseRows,
    Split,
    as_samples,
    check_classes,
    check_row_order,
    choose_split,
    gather_rows,
    open_features,
    read_targets,
    sample_rows,
    split_rows,
    take_rows,
)
from ..data.messages import not_dense
from ..data.targets import Samples
from ..fit_warning import warn
from ..frozen import changed
from ..inputs import Inputs, learn_inputs
from ..losses import Loss
from ..member import decided_loss
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
    with_classes,
)
from ..settings import FitSettings

# Rows in the checksum of data: 64 of 784 features take 0.08 ms.
_ROWS = 64


@dataclass(frozen=True)
class FitData:
    """Encoded training and validation data, their encoding, and the settings resolved for them, the
    loss among them.

    Of rows that are a part of others ``mean_weight`` is the mean weight in the loss of all, and
    ``checksum`` tells other data, where they are known.
    """

    X: EncodedRows
    targets: Targets
    encoding: Encoding
    settings: FitSettings
    validation: tuple[EncodedRows, Targets] | None = None
    split: Split | None = None
    mean_weight: float | None = None
    checksum: int | None = None

    @property
    def array(self) -> Array:
        """The training rows of windows and shards, which are dense."""
        assert not isinstance(self.X, SparseRows)
        return self.X

    def without_rows(self) -> "FitData":
        """A copy without training rows."""
        return replace(self, X=self.X[:0].copy(), targets=self.targets.part([]))

    @cached_property
    def digest(self) -> int:
        """A checksum that tells other data: of all targets, and of some rows."""
        if self.checksum is not None:
            return self.checksum
        digest = 1  # 0 is that of no data
        for X, targets in filter(None, ((self.X, self.targets), self.validation)):
            weights = [w and w.values for w in (targets.weights, targets.loss_weights)]
            rows = X[sample_rows(len(X), _ROWS)]
            own = rows.arrays if isinstance(rows, SparseRows) else (rows,)
            for array in (targets.labels, targets.values, *weights, *own):
                if array is not None:
                    digest = zlib.crc32(np.ascontiguousarray(array).data, digest)
        return digest


def fit_data(
    X: Any,
    Y: Any,
    sample_weight: Any,
    validation_data: Any,
    resolve: Callable[[int], FitSettings],
    known: Encoding | None,
    classes: Any = None,
    split: Split | None = None,
) -> FitData:
    """Check and encode the data of a fit.

    ``resolve`` computes the settings from the number of rows; ``known`` and ``split`` are the
    encoding and the split of the network to continue; ``classes`` are all classes, if Y may lack
    some.

    Raises
    ------
    TypeError, ValueError
        For unusable data, or data that do not fit the network.
    """
    features = _opened(X, known)
    targets = read_targets(Y, len(features), sample_weight)
    check_row_order(X, Y, sample_weight)
    classes = None if classes is None else check_classes(classes)
    settings = resolve(len(targets))
    validated = validation_data is not None
    fraction = 0.0 if validated else settings.validation_fraction
    before = split
    decided = decided_loss(Y)
    loss = known.outputs.loss if known and known.fitted else settings.loss or decided
    are_numbers = loss is not None and loss.is_numeric
    split = choose_split(
        targets, fraction, settings.validation_split, settings.seed, before, are_numbers=are_numbers
    )
    train, held_back = split_rows(targets, split, are_numbers=are_numbers)
    inputs, rows = _inputs(features, targets, train, settings, known)
    outputs = _outputs(targets, train, settings, known, classes, decided)
    encoding = Encoding(inputs, outputs)
    encoded = outputs.encode(targets, settings.dtype)
    class_weight = of_known_classes(settings.class_weight, outputs, encoded)
    validation = None
    if validated:
        samples = as_samples(validation_data, "validation_data")
        validation = encoding.rows_and_targets(*samples, settings.dtype, "validation ")
    elif held_back is not None:
        if not isinstance(features, SparseFeatures):
            inputs.columns.warn_of_unknown(features, targets.rows_in_x(held_back))
        validation = take_rows(rows, held_back), encoded.part(held_back)
        rows, encoded = take_rows(rows, train), encoded.part(train)
    factors = class_factors(class_weight, outputs, encoded)
    if validation is not None:
        weighted = with_class_weights(validation[1], outputs, factors)
        validation = validation[0], weighted.rescaled()
    kept, encoded = trained_on(with_class_weights(encoded, outputs, factors))
    if split not in (None, before) and known is not None and known.fitted:
        warn(
            "the fit continues a network that may have been trained on the rows kept for "
            "validation now, as number of rows, validation_fraction or validation_split differ: "
            "give validation_data, or the same ones"
        )
    # A refit, or further chunks, do not decide on the loss again.
    settings = changed(settings, loss=outputs.loss, class_weight=class_weight)
    return FitData(take_rows(rows, kept), encoded.rescaled(), encoding, settings, validation, split)


def encoded_part(
    samples: Samples, train: Array, encoding: Encoding, settings: FitSettings,
    factors: Numbers | None, name: str,
) -> tuple[Array, Targets]:  # fmt: skip
    """The rows ``train`` of a part, encoded, without rows of no weight in the loss.

    ``factors`` are the weights of the classes, ``name`` is that of the part in messages. Sparse
    matrices are a TypeError.
    """
    if len(train) < len(samples[0]):  # others may have categories that are unknown
        samples = tuple(gather_rows(data, train) for data in samples)
    X, Y, weights = samples
    rows = encoding.rows(X, settings.dtype, f"{name}X")
    if isinstance(rows, SparseRows):
        raise not_dense(X, f"{name}X")
    targets, _ = encoding.targets(Y, len(rows), weights, settings.dtype, name)
    own, targets = trained_on(with_class_weights(targets, encoding.outputs, factors))
    return take_rows(rows, own), targets


def _opened(X: Any, known: Encoding | None) -> AnyFeatures:
    return known.inputs.open(X) if known is not None and known.fitted else open_features(X)


def _inputs(
    features: AnyFeatures, targets: RawTargets, train: Rows, settings: FitSettings,
    known: Encoding | None,
) -> tuple[Inputs, EncodedRows]:  # fmt: skip
    """The inputs, known or learned, and the encoded rows of the targets."""
    if known is not None:
        known.inputs.check_scaling(settings.scaling)
    if known is not None and known.fitted:
        inputs, rows = known.inputs, known.inputs.encode(features, settings.dtype)
    else:
        given = None if known is None else known.inputs
        training, weights = targets.rows_in_x(train), targets.weights_of(train)
        inputs, rows = learn_inputs(features, training, weights, settings, given)
    return inputs, take_rows(rows, targets.kept)


def _outputs(
    targets: RawTargets, train: Rows, settings: FitSettings, known: Encoding | None,
    classes: Array | None, decided: Loss | None,
) -> Outputs:  # fmt: skip
    loss, smoothing = settings.loss, settings.label_smoothing
    if known is None:
        outputs = learn_outputs(
            targets, train, loss or decided, smoothing, classes, open_ended=settings.open_ended
        )
    else:
        outputs = known.outputs if classes is None else with_classes(known.outputs, classes)
        if known.fitted:
            outputs = outputs.continued(loss, smoothing)
        else:
            outputs = match_outputs(outputs, targets, loss, smoothing)
    outputs.check_smoothing()
    return outputs
