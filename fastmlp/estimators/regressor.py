"""MLPRegressor."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if

from ..data import Array
from ..losses import Loss, Poisson, SquaredError
from ..network.packed_network import Floats
from ..outputs import Outputs
from ..settings.combinations import other_network
from .base import BaseMLP
from .parameters import CONSTRAINTS
from .preparation import Given
from .scikit_learn import StrOptions, fit_context


class MLPRegressor(RegressorMixin, BaseMLP):
    """scikit-learn's ``MLPRegressor``, trained by the kernels of ``Trainer``.

    Parameters and attributes that are not listed here are those of ``MLPClassifier``, without
    ``class_weight``; see there for what differs from scikit-learn.

    Parameters
    ----------
    loss : {"squared_error", "poisson"}
        Half the squared error, the mean over the targets; or half the Poisson deviance, their sum,
        for y >= 0, whose logarithms the network predicts.
    scoring : str or callable, optional
        As for ``MLPClassifier``; by default R².

    Attributes
    ----------
    out_activation_ : str
        "identity" or "exp".

    Examples
    --------
    >>> import numpy as np, fastmlp
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> regressor = fastmlp.MLPRegressor(random_state=0, tol=0.01).fit(X, X[:, 0])
    >>> regressor.predict(X[:5]).shape
    (5,)
    """

    loss: str

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "loss": [StrOptions({"squared_error", "poisson"})],
    }

    def __init__(
        self,
        loss: str = "squared_error",
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
    ) -> MLPRegressor:
        """Fit the network to rows X and their targets y.

        Parameters
        ----------
        X : array or sparse matrix of shape (n, d)
            Finite numbers.
        y : array of shape (n,) or (n, c)
            Numbers, a column for each target.
        sample_weight : array of shape (n,), optional
            The losses of a batch are divided by the sum of its weights.
        X_val, y_val, sample_weight_val : arrays, optional
            Rows that early stopping scores, in place of held-out ones.

        Returns
        -------
        MLPRegressor
            Itself.

        Raises
        ------
        ValueError
            For unusable input, which leaves the estimator as it was; and when the weights are no
            longer finite, see ``MLPClassifier``.
        """
        self._fit(Given(X, y, sample_weight), Given(X_val, y_val, sample_weight_val))
        return self

    @available_if(lambda self: self._has_epochs())
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> MLPRegressor:
        """Train one epoch on the rows of X, with the present state of the optimizer.

        Parameters
        ----------
        X, y, sample_weight
            As for ``fit``.

        Returns
        -------
        MLPRegressor
            Itself.

        Raises
        ------
        ValueError
            As ``fit``, and with early stopping.
        AttributeError
            With the solver "lbfgs".
        """
        self._fit(Given(X, y, sample_weight), incremental=True)
        return self

    def _read(self, X: Any, y: Any, *, is_first: bool, incremental: bool) -> tuple[Any, Array]:
        X, y = self._check(X, y, reset=is_first, y_numeric=True)
        return X, self._encoded(y)

    def _encoded(self, y: Any) -> Array:
        if issparse(y):
            raise TypeError("y must be dense; got a sparse matrix: call y.toarray() first")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if y.dtype.kind not in "fiub":
            raise ValueError(f"y must hold numbers; got {y.dtype}")
        if self.loss == "poisson" and (y < 0).any():
            raise ValueError(f"loss='poisson' requires y >= 0; got {y.min()}")
        return np.asarray(y.reshape(len(y), -1))

    def _check_loss(self, loss: Loss) -> None:
        if loss.name != self.loss:
            raise other_network(f"loss={self.loss!r}, but the network is of {loss.name!r}")

    def _first_outputs(self, y: Array) -> Outputs:
        count = y.shape[1]
        self.out_activation_ = "exp" if self.loss == "poisson" else "identity"
        loss = Poisson() if self.loss == "poisson" else SquaredError()
        return Outputs(loss, count, None, np.zeros(count), np.ones(count), count == 1)

    def predict(self, X: npt.ArrayLike) -> Floats:
        """Return predicted numbers, shape (n,), or (n, c) for several targets."""
        outputs = self._outputs(X)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs
