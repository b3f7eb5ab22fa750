"""What a fitted estimator has: its network, as weights and as predictions."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted, validate_data

from ..data import compressed, some
from ..inference.forward import predict
from ..network.packed_network import Floats
from ..settings.checks import keeps_zeros
from ..trainer import Trainer
from .parameters import Parameters
from .samples import scaled


class _Arrays(list[Floats]):
    """Arrays whose change would not reach the network."""

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError("arrays are assigned as a whole list: model.coefs_ = [...]")


class Fitted(Parameters):
    """The part of an estimator that uses the network of its trainer."""

    trainer_: Trainer

    @property
    def coefs_(self) -> list[Floats]:
        """Weights of each layer, of shape (n_in, n_out), read-only; a list to assign others."""
        return self._weights(0)

    @coefs_.setter
    def coefs_(self, arrays: Sequence[Any]) -> None:
        self._set_weights(0, arrays)

    @property
    def intercepts_(self) -> list[Floats]:
        """Biases of each layer, read-only; a list to assign others."""
        return self._weights(1)

    @intercepts_.setter
    def intercepts_(self, arrays: Sequence[Any]) -> None:
        self._set_weights(1, arrays)

    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the network as an ONNX file, as ``Trainer.to_onnx`` does.

        Raises
        ------
        ValueError
            If all rows of the fit had the same label; and as ``Trainer.to_onnx``.
        """
        check_is_fitted(self)
        if len(labels := getattr(self, "classes_", "ab")) == 1:
            raise ValueError(f"classes_ must be at least two for ONNX; got {some(labels)}")
        self.trainer_.to_onnx(path)

    def _weights(self, first: int) -> list[Floats]:
        arrays = self.trainer_.get_weights()[first::2]
        for array in arrays:
            array.flags.writeable = False
        return _Arrays(arrays)

    def _set_weights(self, first: int, arrays: Sequence[Any]) -> None:
        weights = self.trainer_.get_weights()
        weights[first::2] = arrays
        self.trainer_.model_ = self.trainer_.model_.with_weights(weights)

    def _has_epochs(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError("partial_fit needs the solver 'sgd' or 'adam'; got 'lbfgs'")
        return True

    def __getstate__(self) -> dict[str, Any]:
        """Attributes of a copy, also of one made by a callback: it is not being fitted."""
        state = {**super().__getstate__()}
        state.pop("_is_fitting", None)
        own = {"trainer_", "loss_curve_", "validation_scores_"} & state.keys()
        return state | {name: copy.copy(state[name]) for name in own}

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "trainer_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = keeps_zeros(self.scaling)
        return tags

    def _outputs(self, X: Any) -> Floats:
        """Outputs of the network, activated, in the wider dtype of X and the weights."""
        check_is_fitted(self)
        X = self._check(X, reset=False)
        network, encoding = self.trainer_.model_.network, self.trainer_.model_.encoding
        scaling, loss = encoding.inputs.scaling, encoding.outputs.loss
        if X.shape[1] != encoding.inputs.columns.n_given:  # two fits of one estimator at a time
            raise ValueError(f"X must have {encoding.inputs.columns.n_given} features")
        rows = scaled(X, scaling, network.dtype)
        outputs = predict(network, rows, self.threads, scaling, loss.name)
        return outputs.astype(np.result_type(X.dtype, network.dtype), copy=False)

    def _check(self, X: Any, *y: Any, **checks: Any) -> Any:
        """X, an array or a CSR matrix, and y, if given, as scikit-learn checks them."""
        if y:
            checks["multi_output"] = True
        if issparse(X):  # SciPy's code, which is called below, relies on its indices
            X = compressed(X, "X")
        return validate_data(
            self, X, *y, accept_sparse="csr", dtype=(np.float64, np.float32), **checks
        )
