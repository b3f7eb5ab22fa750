"""What one fit was given, checked once; and what further rows must agree with."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .validation import (
    Names,
    Settings,
    check_classes,
    check_features,
    check_names,
    check_pair,
    encode_labels,
    feature_names,
    split_validation,
)

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Signature:
    """What a network takes and gives.

    Parameters
    ----------
    n_features, n_outputs : int
    names : array of str, optional
        What the features are called.
    classes : array of shape (n_outputs,), optional
        Labels of the outputs; None for weights that were given without.
    input_scale : float
        Factor of the features as they are read.
    fitted : bool
        Whether names (or that there are none) come from a fit. Weights that were given go with
        any.
    """

    n_features: int
    n_outputs: int
    names: Names | None = None
    classes: Array | None = None
    input_scale: float = 1.0
    fitted: bool = True

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Signature":
        """The signature with these attributes, all of them."""
        signature = cls(**{field.name: plain[field.name] for field in fields(cls)})
        if signature.names is not None and len(signature.names) != signature.n_features:
            raise ValueError(f"{signature.n_features} features have {len(signature.names)} names")
        if signature.classes is None:
            return signature
        return replace(signature, classes=check_classes(signature.classes, signature.n_outputs))

    @property
    def labels(self) -> Array:
        """The classes, 0, 1, ... where they were never named."""
        return np.arange(self.n_outputs) if self.classes is None else self.classes

    def rows(self, X: Any, dtype: np.dtype[Any], name: str = "X") -> Array:
        """Rows like those of the fit."""
        names = feature_names(X, name)
        if self.fitted:
            check_names(self.names, names, name)
        return check_features(X, dtype, n_features=self.n_features, name=name)

    def labelled_rows(
        self, X: Any, Y: Any, dtype: np.dtype[Any], prefix: str = ""
    ) -> tuple[Array, npt.NDArray[np.int32]]:
        """Rows like those of the fit, and the indices of their classes, which must be known."""
        rows = self.rows(X, dtype, f"{prefix}X")
        return rows, encode_labels(Y, len(rows), classes=self.labels, name=f"{prefix}Y")[0]


@dataclass(frozen=True)
class FitData:
    """Rows and class indices to train on, those to validate on, and what they stand for."""

    X: Array
    labels: npt.NDArray[np.int32]
    signature: Signature
    validation: tuple[Array, npt.NDArray[np.int32]] | None = None


def fit_data(
    X: Any, Y: Any, validation_data: Any, settings: Settings, known: Signature | None
) -> FitData:
    """Check what a fit was given; ``known`` is the signature of a network to be continued.

    Raises
    ------
    TypeError, ValueError
        For whatever cannot be trained on, or does not agree with what is known.
    """
    dtype = settings.dtype
    if known is None:
        names = feature_names(X)
        rows = check_features(X, dtype)
        labels, classes = encode_labels(Y, len(rows))
        known = Signature(rows.shape[1], len(classes), names, classes, settings.input_scale)
    else:
        rows = known.rows(X, dtype)
        labels, classes = _continued_labels(Y, len(rows), known)
        names = known.names if known.fitted else feature_names(X)
        known = replace(
            known, names=names, classes=classes, input_scale=settings.input_scale, fitted=True
        )
    if validation_data is not None:
        pair = check_pair(validation_data, "validation_data")
        held_back = known.labelled_rows(*pair, dtype, "validation ")
        return FitData(rows, labels, known, held_back)
    n_train = split_validation(len(rows), settings.validation_fraction)
    if n_train == len(rows):
        return FitData(rows, labels, known)
    last = rows[n_train:], labels[n_train:]
    return FitData(rows[:n_train], labels[:n_train], known, last)


def _continued_labels(Y: Any, n_rows: int, known: Signature) -> tuple[npt.NDArray[np.int32], Array]:
    """Class indices and classes of a network to be continued."""
    try:
        return encode_labels(Y, n_rows, classes=known.labels)
    except ValueError:
        # Weights that were given do not say what the classes are called.
        if known.classes is None:
            labels, classes = encode_labels(Y, n_rows)
            if len(classes) == known.n_outputs:
                return labels, classes
        raise
