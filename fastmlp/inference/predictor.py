"""The methods of a trainer that need a trained network: predictions, scores, weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..inputs import Scaling
from ..network.model import Model
from ..network.packed_network import Floats
from ..settings import Settings, check_setting
from .compiled import CompiledPredictor
from .exists_if import exists_if
from .forward import predict
from .scores import Metrics, check_metrics, scores


class NotFittedError(ValueError, AttributeError):
    """The trainer has no weights yet: call ``fit`` or ``set_weights`` first."""


class Predictor(Settings):
    """The part of a trainer that uses weights and does not train."""

    _model: Model | None = None

    @property
    def model_(self) -> Model:
        """The network, the encoding of inputs and outputs, and the state of training.

        Immutable. Setting it replaces all of these.

        Raises
        ------
        NotFittedError
            Before there are weights.
        """
        if self._model is None:
            raise NotFittedError("this Trainer has no weights yet: call fit or set_weights first")
        return self._model

    @model_.setter
    def model_(self, model: Model) -> None:
        if not isinstance(model, Model):
            wanted = "a Model, as that of a trainer"
            raise TypeError(f"model_ must be {wanted}; got {type(model).__name__}")
        self._model = model

    @property
    def classes_(self) -> npt.NDArray[Any]:
        """Labels of the classes, sorted; 0, 1, ... for columns of labels."""
        outputs = self.model_.encoding.outputs
        return np.arange(outputs.count) if outputs.kind == "labels" else outputs.labels

    @property
    def n_features_in_(self) -> int:
        """Number of columns of X."""
        return self.model_.encoding.inputs.columns.n_given

    @property
    def feature_names_in_(self) -> npt.NDArray[np.object_]:
        """Names of the columns of X, if it was a table with names."""
        names = self.model_.encoding.inputs.names
        if names is None:
            raise AttributeError("X of the fit had no column names")
        return names

    @property
    def scaling_(self) -> Scaling:
        """Scaling of the features."""
        return self.model_.encoding.inputs.scaling

    @property
    def layer_sizes_(self) -> tuple[int, ...]:
        """Numbers of inputs, hidden units of each layer, and outputs."""
        return self.model_.network.layer_sizes

    def _check_probabilities(self) -> None:
        model = self._model
        loss = check_setting("loss", self.loss) if model is None else model.encoding.outputs.loss
        if loss is not None and loss.is_numeric:
            raise AttributeError(f"there are no probabilities with loss={loss.name!r}")

    @exists_if(_check_probabilities)
    def predict_proba(self, X: npt.ArrayLike) -> Floats:
        """Return the probability of each class or label, shape (n, c), in the network's dtype.

        Two classes have two columns, even if the network has one output.

        Raises
        ------
        TypeError, ValueError
            For unusable X, or before the first fit.
        FloatingPointError
            When an output is not finite, as weights or values of X are too large.
        AttributeError
            For a loss of numbers, with which this method does not exist.
        """
        model = self.model_
        outputs = model.encoding.outputs
        return outputs.probabilities(self._forward(model, X, outputs.loss.name))

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return predicted labels or numbers.

        The most probable label of each row, shape (n,); for columns of labels the more probable of
        0 and 1, shape (n, c); numbers as float64, shape (n,), or (n, columns) if Y had columns.

        Raises
        ------
        TypeError, ValueError, FloatingPointError
            As ``predict_proba``.
        """
        model = self.model_
        outputs = model.encoding.outputs
        return outputs.predictions(self._forward(model, X, outputs.loss.name))

    def decision_function(self, X: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """Return the outputs before softmax, logistic or exp; raises as ``predict``.

        The logits, shape (n, c); of two classes the log-odds of ``classes_[1]``, shape (n,); for
        counts the logarithms of the expected counts; other numbers as from ``predict``.
        """
        model = self.model_
        return model.encoding.outputs.decisions(self._forward(model, X, "identity"))

    def _forward(self, model: Model, X: npt.ArrayLike, output: str) -> Floats:
        network, encoding = model.network, model.encoding
        rows = encoding.rows(X, network.dtype)
        return predict(network, rows, self.threads, encoding.inputs.of_kernels, output)

    def evaluate(
        self, X: npt.ArrayLike, Y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> dict[str, float]:
        """Return the mean ``loss`` and the ``metrics`` on rows X with targets Y, by name.

        Labels must be known. Accuracy counts rows that are correct in every column; R² is the mean
        over the columns.

        Raises
        ------
        TypeError, ValueError
            For unusable or unknown input, or before the first fit.
        FloatingPointError
            When the loss is not finite.
        """
        metrics = check_setting("metrics", self.metrics)
        return self._scores(self.model_, X, Y, sample_weight, metrics)

    def score(
        self, X: npt.ArrayLike, Y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """Return accuracy, or R² for numbers, on rows X with targets Y; raises as ``evaluate``."""
        model = self.model_
        metric = model.encoding.outputs.metric
        return self._scores(model, X, Y, sample_weight, None)[metric]

    def _scores(
        self, model: Model, X: Any, Y: Any, sample_weight: Any, metrics: Metrics
    ) -> dict[str, float]:
        network, encoding = model.network, model.encoding
        rows = encoding.rows_and_targets(X, Y, sample_weight, network.dtype)
        check_metrics(metrics, encoding.outputs)
        return scores(network, encoding, rows, metrics, self.threads)[0]

    def compiled(self) -> CompiledPredictor:
        """Return the network as a function for code that Numba compiles: ``p = predict(x)``.

        It gives what ``predict_proba`` gives, or for numbers ``predict``, for one row or several.
        It has the present weights: later fits do not change it. See
        ``docs/how-to/compiled-calls.md``.

        Raises
        ------
        ValueError
            Before there are weights; for a network with columns of categories, or medians for
            missing numbers.
        """
        model = self.model_
        return CompiledPredictor(model.network, model.encoding)

    def get_weights(self) -> list[Floats]:
        """Return copies of the weights [W1, b1, W2, b2, ...], W of shape (n_in, n_out).

        The last W and b give outputs in the unit of the targets. They are float64 if training
        scaled those, as float32 may be too coarse: it rounds a mean of 1.7e9 by 64. The first W
        applies to features scaled by ``scaling_``: weights alone do not determine the
        predictions, ``get_state`` does.
        """
        model = self.model_
        return model.encoding.outputs.in_units(model.network.get_weights())
