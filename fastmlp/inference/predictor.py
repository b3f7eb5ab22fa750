"""What a trained network answers: predictions, scores, weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..network.model import Model
from ..settings import Settings, check_setting
from .forward import predict
from .scores import check_metrics, scores

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..inputs import Scaling
    from ..network.network import Floats


class NotFittedError(ValueError, AttributeError):
    """The trainer has no weights yet: call ``fit`` or ``set_weights`` first."""


class Predictor(Settings):
    """The part of a trainer that needs weights, and no data to train on."""

    _model: Model | None = None

    @property
    def model_(self) -> Model:
        """The network, what its inputs and outputs stand for, and where training goes on.

        It never changes in place. Setting it, as ``EarlyStopping`` does, replaces all of them.

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
        self._model = model

    @property
    def classes_(self) -> npt.NDArray[Any]:
        return self.model_.encoding.outputs.labels

    @property
    def n_features_in_(self) -> int:
        return self.model_.encoding.inputs.columns.n_given

    @property
    def feature_names_in_(self) -> npt.NDArray[np.object_]:
        names = self.model_.encoding.inputs.names
        if names is None:
            raise AttributeError("X of the fit had no column names")
        return names

    @property
    def scaling_(self) -> Scaling:
        return self.model_.encoding.inputs.scaling

    @property
    def layer_sizes_(self) -> tuple[int, ...]:
        return self.model_.network.layer_sizes

    def predict_proba(self, X: npt.ArrayLike) -> Floats:
        """Probability of each class or label, shape (n, c), in the dtype of the network.

        Two classes have two columns, also where they come from one output.

        Raises
        ------
        TypeError, ValueError
            For unusable X, before the first fit, or for a loss without probabilities.
        FloatingPointError
            When the output is not finite: weights or values of X are too large.
        """
        model = self.model_
        outputs = model.encoding.outputs
        outputs.check_probabilities()
        return outputs.probabilities(self._forward(model, X, outputs.loss.name))

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Expected Y; raises as ``predict_proba``.

        The most probable label of each row, shape (n,); for rows of labels 0 or 1, the more
        probable of both, shape (n, c); for numbers float64, shape (n,), or (n, columns) where Y had
        columns.
        """
        model = self.model_
        outputs = model.encoding.outputs
        return outputs.predictions(self._forward(model, X, outputs.loss.name))

    def decision_function(self, X: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """Outputs before the last function; raises as ``predict_proba``.

        The logits, shape (n, c), or (n,) for two classes from one output; for counts the logarithm
        of their expectation; other numbers as ``predict`` gives them.
        """
        model = self.model_
        return model.encoding.outputs.decisions(self._forward(model, X, "identity"))

    def _forward(self, model: Model, X: npt.ArrayLike, output: str) -> Floats:
        network, encoding = model.network, model.encoding
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
        metrics = check_setting("metrics", self.metrics)
        return self._scores(self.model_, X, Y, sample_weight, metrics)

    def score(
        self, X: npt.ArrayLike, Y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """Accuracy, or R² for numbers, on rows X with targets Y; raises as ``evaluate``."""
        model = self.model_
        metric = model.encoding.outputs.metric
        return self._scores(model, X, Y, sample_weight, None)[metric]

    def _scores(
        self, model: Model, X: Any, Y: Any, sample_weight: Any, metrics: Any
    ) -> dict[str, float]:
        network, encoding = model.network, model.encoding
        rows = encoding.rows_and_targets(X, Y, sample_weight, network.dtype)
        check_metrics(metrics, encoding.outputs)
        how = encoding.outputs, metrics, self.threads, encoding.inputs.scaling
        return scores(network, rows, *how)

    def get_weights(self) -> list[Floats]:
        """[W1, b1, W2, b2, ...], W of shape (n_in, n_out), as copies.

        Where numbers were scaled for training, the last W and b are those whose outputs are in the
        unit of the targets. The first W takes features as ``scaling_`` leaves them: weights alone
        do not make the predictions, ``get_state`` has all.
        """
        model = self.model_
        return model.encoding.outputs.in_units(model.network.get_weights())
