"""Classes and labels: their encoding as targets of a network."""

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils.multiclass import unique_labels

from ..data import Array, some
from ..losses import BinaryCrossEntropy, SoftmaxCrossEntropy
from ..outputs import Outputs
from .base import BaseMLP

# The activation of the output layer, by the kind of targets.
_ACTIVATIONS = {"classes": "softmax", "pair": "logistic", "labels": "logistic"}


class OfClasses(BaseMLP):
    """An estimator whose targets are classes, or any number of labels in a row."""

    class_weight: Any
    # "classes"; "pair", of at most two classes; "labels", of which a row may have several.
    _kind: str
    _is_sparse: bool

    def _read(self, X: Any, y: Any, *, is_first: bool, incremental: bool) -> tuple[Any, Array]:
        X, y = self._check(X, y, reset=is_first)
        y = _flat(y)
        labels = _distinct(y)
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            self.classes_ = labels
        elif self.warm_start and set(labels) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {labels}"
            )
        if is_first:
            few = "pair" if len(self.classes_) <= 2 else "classes"
            self._kind, self._is_sparse = "labels" if y.ndim == 2 else few, issparse(y)
        return X, self._indices(y, labels)

    def _encoded(self, y: Any) -> Array:
        y = _flat(y)
        return self._indices(y, _distinct(y))

    def _indices(self, y: Any, labels: Array) -> Array:
        """Indices of classes, or columns of flags, for the distinct ``labels`` of y."""
        if (y.ndim == 2) != (self._kind == "labels"):
            wanted = "a column for each label" if y.ndim == 1 else "one class for each row"
            raise ValueError(f"y must have {wanted}, as in the first fit; got shape {y.shape}")
        if not np.isin(labels, self.classes_).all():
            raise ValueError(
                "`y` has classes not in `self.classes_`. `self.classes_` has "
                f"{self.classes_}. 'y' has {labels}."
            )
        if self._kind == "labels":
            return np.asarray((y.toarray() if issparse(y) else y) != 0)
        indices: Array = np.searchsorted(self.classes_, y).astype(np.int32)
        return indices if self._kind == "classes" else indices[:, None] > 0

    def _first_outputs(self, y: Array) -> Outputs:
        self.out_activation_ = _ACTIVATIONS[self._kind]
        if self._kind == "labels":
            return Outputs(BinaryCrossEntropy(), len(self.classes_), flat=False)
        classes = self.classes_ if len(self.classes_) > 1 else None
        if self._kind == "pair":
            return Outputs(BinaryCrossEntropy(), 1, classes)
        return Outputs(SoftmaxCrossEntropy(), len(self.classes_), classes)

    def _class_weights(self, y: Array) -> Array | None:
        if self.class_weight is None:
            return None
        labels = y.astype(np.int64)
        every = np.array([[0], [1]]).repeat(labels.shape[-1], axis=1)
        if self._kind != "labels":
            labels, every = self.classes_[labels.ravel()], self.classes_
        if not isinstance(self.class_weight, str):  # these rows may lack a class that is named
            labels = np.concatenate([labels, every])
        weights = np.asarray(compute_sample_weight(self.class_weight, labels)[: len(y)])
        if not (np.isfinite(weights).all() and (weights >= 0).all()):
            raise ValueError(f"class_weight must be finite and >= 0; got {self.class_weight}")
        return weights

    def _check_fitted(self) -> None:
        super()._check_fitted()
        own, outputs = vars(self), self.trainer_.model_.encoding.outputs
        labels = np.arange(outputs.count) if outputs.kind == "labels" else outputs.labels
        classes: Any = own.get("classes_")
        is_array = isinstance(classes, np.ndarray) and classes.ndim == 1
        if not is_array or own.get("_kind") != outputs.kind:
            raise ValueError("its classes_ are not those of a network")
        is_single = len(classes) == 1 and outputs.kind == "pair"
        if not (is_single or np.array_equal(classes, labels)):
            raise ValueError(f"its classes_ are {some(classes)}, of a network {some(labels)}")
        if type(own.get("_is_sparse")) is not bool:
            raise ValueError("it does not say whether y was sparse")

    def _strata(self, y: Array) -> Array | None:
        return y if self._kind == "pair" else None


def _flat(y: Any) -> Any:
    """A single column as one dimension, with scikit-learn's warning."""
    is_column = y.ndim == 2 and y.shape[1] == 1
    return column_or_1d(y, warn=True) if is_column else y


def _distinct(y: Any) -> Array:
    """Distinct labels; of whole numbers and strings without the checks of others, 0.1 ms."""
    is_plain = y.ndim == 1 and y.dtype.kind in "biuU"
    return np.unique(y) if is_plain else np.asarray(unique_labels(y))
