"""DaskMLPClassifier and DaskMLPRegressor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..losses import LOSSES, Loss
from .base import DaskMLP


@dataclass(repr=False, eq=False)
class DaskMLPClassifier(DaskMLP):
    """Classifier trained on dask arrays and dataframes, where their partitions lie.

    Each worker of the cluster trains on the rows of its partitions, and every few updates the
    networks of all workers are averaged, see ``docs/how-to/dask.md``.

    Parameters
    ----------
    hidden, activation, ... : see ``Trainer``
        All settings of ``Trainer`` with the same defaults, also for the number of rows of all
        partitions together. ``batch_size`` is that of all workers together. ``threads`` is for
        each worker, by default as many as it has. Metrics other than accuracy are computed on
        validation rows only. Callbacks are called in the client's process, with the trainer that
        ``to_local`` gives after the fit. ``loss`` is one of classes, ``refit`` is refused.
    sync_every : int or "auto", default "auto"
        Updates of each worker between two averages. "auto" is chosen by measuring, so that
        averages take at most about a sixth of the time. For the same number, partitions and number
        of workers, a seed gives the same network, even if a worker dies in the fit.
    client : distributed.Client, optional
        By default the current one. Copies share it, pickles leave it out.

    Attributes
    ----------
    classes_, n_features_in_, feature_names_in_, scaling_, layer_sizes_ :
        As those of ``Trainer``.
    history, n_iter_, best_epoch_, stop_reason_ :
        As those of ``Trainer``.
    auto_ : dict
        As that of ``Trainer``, with ``sync_every``.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from fastmlp.dask import DaskMLPClassifier
    >>> client = Client(processes=False, dashboard_address=None)  # or the address of a cluster
    >>> X = da.random.default_rng(0).normal(size=(200, 4), chunks=(50, 4))
    >>> model = DaskMLPClassifier(hidden=8, seed=0).fit(X, X[:, 0] > 0)
    >>> model.predict(X).shape
    (200,)
    >>> client.close()
    """

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, lazy as ``predict``; a dask dataframe has columns
        named by the classes."""
        return self._predicted(X, "predict_proba")

    def decision_function(self, X: Any) -> Any:
        """Return the outputs before softmax or logistic, lazy as ``predict``."""
        return self._predicted(X, "decision_function")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier", target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(multi_label=True), regressor_tags=None,
            input_tags=InputTags(categorical=True, allow_nan=self.missing == "impute"),
        )  # fmt: skip

    def _loss(self, given: Loss | None, *, flat: bool) -> Loss | None:
        if given is not None:
            self._check_loss(given)
            return given
        return LOSSES["softmax_cross_entropy"]() if flat else None

    def _check_loss(self, loss: Loss | None) -> None:
        if loss is not None and loss.is_numeric:
            raise ValueError(
                f"{type(self).__name__} needs classes; got targets, or a loss, of numbers: "
                f"{loss.name!r}"
            )


@dataclass(repr=False, eq=False)
class DaskMLPRegressor(DaskMLP):
    """Regressor trained on dask arrays and dataframes, where their partitions lie.

    Parameters, attributes and methods are those of ``DaskMLPClassifier``, without classes and
    probabilities. The default of ``loss`` is "squared_error".
    """

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags

        return Tags(
            estimator_type="regressor", target_tags=TargetTags(required=True, multi_output=True),
            classifier_tags=None, regressor_tags=RegressorTags(),
            input_tags=InputTags(categorical=True, allow_nan=self.missing == "impute"),
        )  # fmt: skip

    def _loss(self, given: Loss | None, *, flat: bool) -> Loss | None:
        loss = LOSSES["squared_error"]() if given is None else given
        self._check_loss(loss)
        return loss

    def _check_loss(self, loss: Loss | None) -> None:
        if loss is not None and not loss.is_numeric:
            raise ValueError(f"{type(self).__name__} needs a loss of numbers; got {loss.name!r}")
