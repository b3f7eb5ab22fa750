"""MLPClassifier."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, issparse
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target, unique_labels

from ..data import Array
from ..losses import BinaryCrossEntropy, SoftmaxCrossEntropy
from ..network.packed_network import Floats
from ..outputs import Outputs
from .base import BaseMLP
from .parameters import CONSTRAINTS
from .scikit_learn import StrOptions, fit_context, is_first_partial_fit

# The activation of the output layer, by the kind of targets.
_ACTIVATIONS = {"classes": "softmax", "pair": "logistic", "labels": "logistic"}


class MLPClassifier(ClassifierMixin, BaseMLP):
    """TODO"""

    classes_: Array
    class_weight: Any
    # "classes"; "pair", of at most two classes; "labels", of which a row may have several.
    _kind: str
    _is_sparse: bool

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        class_weight: Any = None,
        dropout: Any = 0.0,
        scaling: Any = None,
        scoring: Any = None,
        time_budget: float | None = None,
        threads: int | None = None,
        dtype: Any = None,
        callbacks: Any = None,
    ) -> None:
        self._store(locals())

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        X_val: npt.ArrayLike | None = None,
        y_val: npt.ArrayLike | None = None,
        sample_weight_val: npt.ArrayLike | None = None,
    ) -> MLPClassifier:
        """TODO"""
        self._fit((X, y, sample_weight), (X_val, y_val, sample_weight_val))
        return self

    @available_if(lambda self: self._has_epochs())
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        classes: npt.ArrayLike | None = None,
    ) -> MLPClassifier:
        """TODO"""
        if is_first_partial_fit(self, classes):
            is_multilabel = type_of_target(y, input_name="y").startswith("multilabel")
            self._learn_kind(y if is_multilabel else classes)
        self._fit((X, y, sample_weight), incremental=True)
        return self

    def _learn_kind(self, y: Any) -> None:
        is_multilabel = type_of_target(y, input_name="y").startswith("multilabel")
        few = "pair" if len(unique_labels(y)) <= 2 else "classes"
        self._kind, self._is_sparse = "labels" if is_multilabel else few, issparse(y)

    def _read(self, X: Any, y: Any, *, is_first: bool, incremental: bool) -> tuple[Array, Array]:
        X, y = self._check(X, y, reset=is_first)
        y = _flat(y)
        labels = unique_labels(y)
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            self.classes_ = labels
            self._learn_kind(y)
        elif self.warm_start and set(labels) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {labels}"
            )
        return X, self._encoded(y)

    def _encoded(self, y: Any) -> Array:
        y = _flat(y.toarray() if issparse(y) else y)
        if (y.ndim == 2) != (self._kind == "labels"):
            wanted = "a column for each label" if y.ndim == 1 else "one class for each row"
            raise ValueError(f"y must have {wanted}, as in the first fit; got shape {y.shape}")
        if self._kind == "labels":
            return np.asarray(y != 0)
        if len(unknown := np.setdiff1d(y, self.classes_)):
            raise ValueError(
                "`y` has classes not in `self.classes_`. `self.classes_` has "
                f"{self.classes_}. 'y' has {unknown}."
            )
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
        if self._kind != "labels":
            labels = self.classes_[labels.ravel()]
        return np.asarray(compute_sample_weight(self.class_weight, labels))

    def _strata(self, y: Array) -> Array | None:
        return y if self._kind == "pair" else None

    def predict(self, X: npt.ArrayLike) -> Array:
        """TODO"""
        outputs = self._outputs(X)
        if self._kind == "classes":
            return np.asarray(self.classes_[outputs.argmax(axis=1)])
        indices = (outputs > 0.5).astype(np.int64)
        if self._kind == "labels":
            return csr_matrix(indices) if self._is_sparse else indices
        # A single class has one name for both.
        return np.asarray(self.classes_[indices[:, 0] % len(self.classes_)])

    def predict_proba(self, X: npt.ArrayLike) -> Floats:
        """TODO"""
        outputs = self._outputs(X)
        return np.hstack([1 - outputs, outputs]) if self._kind == "pair" else outputs

    def predict_log_proba(self, X: npt.ArrayLike) -> Floats:
        """TODO"""
        probabilities = self.predict_proba(X)
        return np.log(probabilities, out=probabilities)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _flat(y: Any) -> Any:
    """A single column as one dimension, with scikit-learn's warning."""
    is_column = y.ndim == 2 and y.shape[1] == 1
    return column_or_1d(y, warn=True) if is_column else y
