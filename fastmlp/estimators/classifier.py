"""MLPClassifier."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if

from ..data import Array
from ..network.packed_network import Floats
from .classes import OfClasses
from .parameters import CONSTRAINTS
from .preparation import Given
from .scikit_learn import StrOptions, fit_context, is_first_partial_fit


class MLPClassifier(ClassifierMixin, OfClasses):
    """scikit-learn's ``MLPClassifier``, trained by the kernels of ``Trainer``.

    The same numbers in float64, up to rounding: initial weights, orders of rows, loss curve,
    scores, number of epochs. Parameters, attributes, warnings and errors are those of scikit-learn
    1.9; those from ``class_weight`` on are further ones, which by default change nothing.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default (100,)
        Units of the hidden layers; ``()`` for a linear model.
    activation : {"relu", "identity", "logistic", "tanh"}
        Activation of the hidden layers.
    solver : {"adam", "sgd", "lbfgs"}
        Adam, or stochastic gradient descent, on mini-batches; or L-BFGS of scipy on all rows.
    alpha : float, default 0.0001
        Penalty alpha / 2 * sum W^2, divided by the rows, or the sum of the weights, of a batch.
    batch_size : int, default "auto"
        Rows of a mini-batch; "auto" is 200, or all rows where they are fewer.
    learning_rate : {"constant", "invscaling", "adaptive"}
        Of "sgd": ``learning_rate_init`` throughout; after t rows ``learning_rate_init / (t + 1) **
        power_t``; or a fifth whenever ``n_iter_no_change`` epochs do not improve, down to 1e-6.
    learning_rate_init : float, default 0.001
    power_t : float, default 0.5
    max_iter : int, default 200
        Maximum number of epochs, or of iterations of "lbfgs".
    shuffle : bool, default True
        Shuffle the rows in each epoch.
    random_state : int or RandomState, optional
        Of the initial weights, the rows held out, and the orders of the rows.
    tol : float, default 0.0001
        A fit ends when the loss, or with early stopping the score, has not improved by ``tol`` for
        more than ``n_iter_no_change`` epochs; for "lbfgs", when no derivative exceeds it.
    verbose : bool, default False
        Print loss and score of each epoch.
    warm_start : bool, default False
        ``fit`` continues from the present weights.
    momentum : float, default 0.9
    nesterovs_momentum : bool, default True
        Of "sgd".
    early_stopping : bool, default False
        Hold out rows, stratified for two classes, and stop by their score; the weights of the best
        epoch are restored. Not for "lbfgs", as in scikit-learn.
    validation_fraction : float, default 0.1
        Fraction of the rows held out.
    beta_1, beta_2 : float, default 0.9 and 0.999
    epsilon : float, default 1e-8
        Of "adam".
    n_iter_no_change : int, default 10
        Epochs without improvement, see ``tol``; ``numpy.inf`` for no end.
    max_fun : int, default 15000
        Maximum number of evaluations of the loss by "lbfgs".
    class_weight : dict, list of dict or "balanced", optional
        Weights of classes in the loss, as in ``sklearn.utils.compute_sample_weight``, computed from
        the training rows; a dict for ``partial_fit``. Scores are not weighted by class.
    dropout : float or sequence of float, default 0.0
    scaling : str, float or sequence of float, optional
        As for ``Trainer``. A scaling is learned from all rows given to ``fit``; ``coefs_[0]``
        applies to the scaled features.
    scoring : str or callable, optional
        What early stopping goes by: a scorer, as in ``cross_val_score``, or "loss", the negative
        loss of the held-out rows. By default accuracy.
    time_budget : float, optional
        Seconds after which a fit ends, as for ``Trainer``.
    threads : int, optional
        Maximum number of threads; by default as many as the process may use.
    dtype : {"float32", "float64"}, optional
        Type of weights and arithmetic; by default float32 for X of float32, else float64.
    callbacks : callable or object of ``fastmlp.callbacks``, or a sequence of them, optional
        Called as ``callback(estimator.trainer_, epoch, logs)`` after each epoch, see ``Trainer``.
        Those of scikit-learn 1.9 are for ``set_callbacks``; they see each epoch, of "lbfgs" and
        ``partial_fit`` none.

    Attributes
    ----------
    classes_ : array of shape (c,)
        The labels, sorted.
    coefs_, intercepts_ : list of array
        Weights of shape (n_in, n_out) and biases of each layer. They are read-only; assign a whole
        list to change the network.
    loss_ : float
        Loss of the last epoch, the mean over its batches, each before its update, with the penalty.
    loss_curve_ : list of float
        Loss of each epoch of ``fit``, ``partial_fit`` and warm starts.
    best_loss_ : float or None
        Smallest loss; None with early stopping.
    validation_scores_, best_validation_score_ : list of float, and float
        Scores of the held-out rows; None without early stopping.
    n_iter_ : int
        Epochs, or iterations of "lbfgs", of the last call.
    t_ : int
        Rows trained on.
    n_layers_, n_outputs_ : int
        Layers, those of the inputs and the outputs included; outputs.
    out_activation_ : str
        "softmax"; "logistic" for two classes and for several labels in a row.
    n_features_in_ : int
    feature_names_in_ : array of str
        Names of the columns of X, if it was a table with names.
    trainer_ : Trainer
        The trainer that has been fitted: ``history``, ``summary()``, ``get_state()``. Changes of
        its settings have no effect on the estimator.

    Notes
    -----
    Differences from scikit-learn: where the loss is no longer finite, a fit ends at once, with the
    ValueError that scikit-learn raises after ``max_iter`` epochs; with early stopping the best
    weights stay. A batch of rows of weight 0 is passed over. "lbfgs" minimizes the loss without
    clipping probabilities at 2e-16 (in float32 1e-7), as reported losses are. ``partial_fit`` uses
    the present settings of the optimizer, scikit-learn those of the first call. For X of
    float32 all is float32, also "lbfgs" and targets of float64. Sparse X stays sparse; scalings
    that subtract a centre are refused for it.

    Examples
    --------
    >>> import numpy as np, fastmlp
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> classifier = fastmlp.MLPClassifier(random_state=0, tol=0.01).fit(X, X[:, 0] > 0)
    >>> classifier.predict_proba(X[:5]).shape
    (5, 2)
    """

    loss = "log_loss"  # as in scikit-learn, where it is no parameter either

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
        """Fit the network to rows X and their targets y.

        Parameters
        ----------
        X : array or sparse matrix of shape (n, d)
            Finite numbers.
        y : array of shape (n,) or (n, c)
            One label for each row, or rows of 0 and 1, a column for each label.
        sample_weight : array of shape (n,), optional
            The losses of a batch are divided by the sum of its weights.
        X_val, y_val, sample_weight_val : arrays, optional
            Rows that early stopping scores, in place of held-out ones.

        Returns
        -------
        MLPClassifier
            Itself.

        Raises
        ------
        ValueError
            For unusable input, which leaves the estimator as it was; and when the weights are no
            longer finite, see Notes.
        """
        self._fit(Given(X, y, sample_weight), Given(X_val, y_val, sample_weight_val))
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
        """Train one epoch on the rows of X, with the present state of the optimizer.

        Parameters
        ----------
        X, y, sample_weight
            As for ``fit``.
        classes : array of shape (c,), optional
            All labels; needed in the first call.

        Returns
        -------
        MLPClassifier
            Itself.

        Raises
        ------
        ValueError
            As ``fit``, and with early stopping.
        AttributeError
            With the solver "lbfgs".
        """
        if isinstance(self.class_weight, str):
            raise ValueError(f"partial_fit needs a dict as class_weight; got {self.class_weight!r}")
        first = partial(is_first_partial_fit, self, classes)  # sets classes_
        self._fit(Given(X, y, sample_weight), incremental=True, first=first)
        return self

    def predict(self, X: npt.ArrayLike) -> Array:
        """Return the predicted label of each row, or rows of 0 and 1, as y of the fit."""
        outputs = self._outputs(X)
        if self._kind == "classes":
            return np.asarray(self.classes_[outputs.argmax(axis=1)])
        indices = (outputs > 0.5).astype(np.int64)
        if self._kind == "labels":
            return csr_matrix(indices) if self._is_sparse else indices
        # A single class has one name for both.
        return np.asarray(self.classes_[indices[:, 0] % len(self.classes_)])

    def predict_proba(self, X: npt.ArrayLike) -> Floats:
        """Return the probability of each class, or of each label, shape (n, c)."""
        outputs = self._outputs(X)
        return np.hstack([1 - outputs, outputs]) if self._kind == "pair" else outputs

    def predict_log_proba(self, X: npt.ArrayLike) -> Floats:
        """Return the logarithms of ``predict_proba``."""
        probabilities = self.predict_proba(X)
        return np.log(probabilities, out=probabilities)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
