"""What a trained network answers: predictions, scores, weights."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..inputs import Scaling
from ..network.model import Model
from ..network.network import Floats
from ..settings import check_setting
from .forward import predict
from .scores import check_metrics, scores


class NotFittedError(ValueError, AttributeError):
    """The trainer has no weights yet: call ``fit`` or ``set_weights`` first."""


class Predictor:
    """The part of a trainer that needs weights, and no data to train on."""

    threads: int | None
    metrics: Any
    _model: Model | None

    def _fitted(self) -> Model:
        if self._model is None:
            raise NotFittedError("this Trainer has no weights yet: call fit or set_weights first")
        return self._model

    @property
    def classes_(self) -> npt.NDArray[Any]:
        return self._fitted().encoding.outputs.labels

    @property
    def n_features_in_(self) -> int:
        return self._fitted().encoding.inputs.columns.n_given

    @property
    def feature_names_in_(self) -> npt.NDArray[np.object_]:
        names = self._fitted().encoding.inputs.names
        if names is None:
            raise AttributeError("X of the fit had no column names")
        return names

    @property
    def scaling_(self) -> Scaling:
        return self._fitted().encoding.inputs.scaling

    @property
    def layer_sizes_(self) -> tuple[int, ...]:
        return self._fitted().network.layer_sizes

    def predict_proba(self, X: npt.ArrayLike) -> Floats:
        """Probability of each class or label, shape (n, c), in the dtype of the network.

        Two classes have two columns, also where they come from one output.

        Raises
        ------
        TypeError, ValueError
            For unusable X, before the first fit, or where the loss knows no probabilities.
        FloatingPointError
            When the output is not finite: weights or values of X are too large.
        """
        learned = self._fitted()
        outputs = learned.encoding.outputs
        outputs.check_probabilities()
        return outputs.probabilities(self._predict(learned, X, outputs.loss.name))

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """What Y is expected to be; raises as ``predict_proba``.

        The most probable label of each row, shape (n,); for rows of labels 0 or 1, whichever is
        more probable, shape (n, c); for numbers float64, shape (n,), or (n, columns) where Y had
        columns.
        """
        learned = self._fitted()
        outputs = learned.encoding.outputs
        return outputs.predictions(self._predict(learned, X, outputs.loss.name))

    def decision_function(self, X: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """What stands before the last function; raises as ``predict_proba``.

        The logits, shape (n, c), or (n,) for two classes from one output; for counts the logarithm
        of their expectation; other numbers as ``predict`` gives them.
        """
        learned = self._fitted()
        return learned.encoding.outputs.decisions(self._predict(learned, X, "identity"))

    def _predict(self, learned: Model, X: npt.ArrayLike, output: str) -> Floats:
        network, encoding = learned.network, learned.encoding
        rows = encoding.rows(X, network.dtype)
        return predict(network, rows, self.threads, encoding.inputs.scaling, output)

    def evaluate(
        self, X: npt.ArrayLike, Y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> dict[str, float]:
        """Mean ``loss`` and the ``metrics``, on rows X with targets Y.

        Labels must be known ones; of rows of labels, those count for the accuracy that are right in
        every column. R² is the mean over the columns.

        Raises
        ------
        TypeError, ValueError
            For unusable or unknown input, or before the first fit.
        FloatingPointError
            When the loss is not finite.
        """
        learned = self._fitted()
        network, encoding = learned.network, learned.encoding
        rows = encoding.rows_and_targets(X, Y, sample_weight, network.dtype)
        metrics = check_setting("metrics", self.metrics)
        check_metrics(metrics, encoding.outputs)
        how = encoding.outputs, metrics, self.threads, encoding.inputs.scaling
        return scores(network, rows, *how)

    def score(
        self, X: npt.ArrayLike, Y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """Accuracy, or R² for numbers, on rows X with targets Y; raises as ``evaluate``."""
        learned = self._fitted()
        network, encoding = learned.network, learned.encoding
        rows = encoding.rows_and_targets(X, Y, sample_weight, network.dtype)
        how = encoding.outputs, None, self.threads, encoding.inputs.scaling
        return scores(network, rows, *how)[encoding.outputs.metric]

    def get_weights(self) -> list[Floats]:
        """[W1, b1, W2, b2, ...], W of shape (n_in, n_out), as copies.

        Where numbers were scaled for training, the last W and b are those whose outputs are in the
        unit of the targets. The first W takes features as ``scaling_`` leaves them: weights alone
        do not make the predictions, ``get_state`` has all.
        """
        learned = self._fitted()
        return learned.encoding.outputs.in_units(learned.network.get_weights())
