"""The part that both estimators share: settings, fits, and what a fit leaves."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Literal, TypeVar

from dask import delayed
from distributed import Client, get_client

from ..checks import COUNT
from ..data import as_samples
from ..data.targets import Samples
from ..did_you_mean import did_you_mean
from ..fit_warning import warn
from ..fitting.dataset import FitData
from ..fitting.start import check_continues, goes_on
from ..fitting.stream_data import learned
from ..frozen import changed
from ..inference.forward import Evaluation
from ..inference.predictor import NotFittedError
from ..losses import Loss
from ..network.model import Model
from ..outputs import Means
from ..settings import SETTINGS, Choices, Settings, auto_values, check_setting, choices, resolved
from ..settings.checks import or_auto
from ..sklearn_protocol import SklearnProtocol
from ..trainer import Trainer
from .learned import shards_of, survey_of
from .partitions import is_collection, on_workers, partitions
from .predictions import lazy, predictor
from .source import DistributedSource
from .waiting import PATIENCE, gathered

T = TypeVar("T", bound="DaskMLP")

_PARAMETERS = (*SETTINGS, "sync_every", "client")
# Attributes of the trainer of the last fit.
_FITTED = (
    "history", "n_iter_", "best_epoch_", "stop_reason_", "auto_", "classes_", "n_features_in_",
    "feature_names_in_", "scaling_", "layer_sizes_",
)  # fmt: skip


@dataclass(repr=False, eq=False)
class DaskMLP(SklearnProtocol, Settings):
    """Base of the estimators over partitions."""

    sync_every: int | Literal["auto"] = field(default="auto", kw_only=True)
    client: Client | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        self._trainer: Trainer | None = None
        self._is_fitting = False

    def __setattr__(self, name: str, value: Any) -> None:
        _check(name, value)
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name in _FITTED:
            return getattr(self._fitted(), name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __getstate__(self) -> dict[str, Any]:
        """All but the client, which stays in its process."""
        return vars(self) | {"client": None, "_is_fitting": False}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the arguments of the constructor, by name."""
        return {name: getattr(self, name) for name in _PARAMETERS}

    def set_params(self: T, **params: Any) -> T:
        """Assign parameters by name, all of them or, where one is refused, none.

        Raises
        ------
        ValueError, TypeError
            For an unknown name, or a value that the assignment would refuse.
        """
        for name, value in params.items():
            if name not in _PARAMETERS:
                known = did_you_mean(name, _PARAMETERS) or f"; there are {', '.join(_PARAMETERS)}"
                raise ValueError(f"{type(self).__name__} has no setting {name!r}{known}")
            _check(name, value)
            if name in SETTINGS:
                check_setting(name, value)
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return self._trainer is not None

    def fit(
        self: T, X: Any, y: Any, sample_weight: Any = None,
        validation_data: Sequence[Any] | None = None,
    ) -> T:  # fmt: skip
        """Fit the network to the rows of collections, where their partitions lie.

        Parameters
        ----------
        X : dask array or dataframe of shape (n, d)
            Rows in partitions, of which some may be empty. Columns of dtype category are one-hot
            encoded. Partitions that are not in memory are computed, and stay there until they are
            encoded.
        y : dask array, series or dataframe of shape (n,) or (n, c)
            Targets as for ``Trainer.fit``, in the partitions of X.
        sample_weight : dask array or series of shape (n,), optional
            Weights as for ``Trainer.fit``, in the partitions of X.
        validation_data : (X, y) or (X, y, sample_weight), optional
            Rows to evaluate after every epoch, in place of held-out ones; collections are computed
            and brought to the client.

        Returns
        -------
        DaskMLPClassifier or DaskMLPRegressor
            Itself.

        Raises
        ------
        TypeError, ValueError
            For unusable input, or a setting that has no effect here; the estimator then stays
            unchanged.
        RuntimeError
            If the estimator is being fitted already, the client is not connected, no worker is
            left, or rows are lost with a worker and cannot be computed again.
        FloatingPointError
            As ``Trainer.fit``.
        """
        if self._is_fitting:
            raise RuntimeError("this estimator is being fitted: fit a copy of it")
        self._is_fitting = True
        try:
            self._fit(time.perf_counter(), X, y, sample_weight, validation_data)
        finally:
            self._is_fitting = False
        return self

    def _fit(self, began: float, X: Any, y: Any, sample_weight: Any, validation_data: Any) -> None:
        chosen = choices(self)
        _check_effects(chosen)
        client = self._connected()
        before = None if self._trainer is None else self._trainer.model_
        known = before if self.warm_start else None
        if known is not None:
            check_continues(known, chosen)
        parts = partitions(X, y, sample_weight)
        validation = _local(client, validation_data)
        loss = self._loss(chosen.loss, flat=y.ndim == 1 or y.shape[1] == 1)
        settings = changed(chosen, loss=loss)
        data, source = self._prepared(client, parts, validation, settings, known)
        trainer = self._trainer_for(data.settings.loss)
        trainer.auto_ = auto_values(chosen, data.settings, data.encoding.outputs.loss.name)
        going_on = known is not None and goes_on(known, trainer.stop_reason_, data)
        history = trainer.history if going_on else {}
        if chosen.time_budget is not None:
            left = max(1e-9, chosen.time_budget + began - time.perf_counter())
            data = replace(data, settings=replace(data.settings, time_budget=left))
        try:
            trainer.fit_encoded(
                data, known if going_on else known and known.afresh(), history, source
            )
        finally:
            if getattr(trainer, "model_", None) is not before:
                if self.sync_every == "auto":
                    trainer.auto_ = {**trainer.auto_, "sync_every": source.sync_every}
                self._trainer = trainer

    def _prepared(
        self, client: Client, lazy_parts: Sequence[Any], validation: Samples | None,
        chosen: Choices, known: Model | None,
    ) -> tuple[FitData, DistributedSource]:  # fmt: skip
        """The data of a fit without rows, and the source of these. Partitions as they were given
        are free to go afterwards."""
        workers = sorted(client.nthreads())
        parts = on_workers(client, lazy_parts, workers)
        if len(parts) < len(workers):
            warn(
                f"X has rows in {len(parts)} partitions, so that as many of {len(workers)} workers "
                "train: rechunk or repartition it for all of them"
            )
        n_rows = sum(part.weighted for part in parts)
        settings = resolved(chosen, n_rows, validated=validation is not None)
        fraction = settings.validation_fraction if validation is None else 0.0
        survey = survey_of(client, parts, fraction)
        data, factors, _ = learned(survey, settings, known, validation)
        self._check_loss(data.settings.loss)
        shards = shards_of(client, parts, data, factors, survey, workers)
        data = data.without_rows()
        return data, DistributedSource(client, shards, data, self.sync_every)

    def _loss(self, given: Loss | None, *, flat: bool) -> Loss | None:
        """The loss for targets of one column or several; None if it depends on their values."""
        raise NotImplementedError

    def _check_loss(self, loss: Loss | None) -> None:
        """Raise a ValueError for a loss of other targets."""
        raise NotImplementedError

    def _trainer_for(self, loss: Loss | None) -> Trainer:
        """A trainer with these settings that continues the last one, or starts."""
        trainer = copy.copy(self._trainer) or Trainer()
        for name in SETTINGS:
            value = getattr(self, name)
            if name == "loss" and value == "auto":
                value = loss
            if getattr(trainer, name) is not value:  # assigned since, as a rate is
                setattr(trainer, name, value)
        return trainer

    def _connected(self) -> Client:
        """The client of the fit, with workers.

        Raises
        ------
        ValueError, RuntimeError
            Without a client, or for one that cannot be used.
        """
        try:
            client = self.client or get_client()
        except ValueError:
            raise ValueError(
                "client must be a distributed.Client, unless there is a current one, as Client() "
                "makes it; got None"
            ) from None
        if client.asynchronous:
            raise ValueError("client must not be asynchronous; got one that is")
        if client.status != "running":
            raise RuntimeError(f"client must be connected; this one is {client.status}")
        if not client.nthreads():
            client.wait_for_workers(1, timeout=PATIENCE)
        return client

    def _fitted(self) -> Trainer:
        if self._trainer is None:
            name = type(self).__name__
            raise NotFittedError(f"this {name} has no weights yet: call fit first")
        return self._trainer

    def to_local(self) -> Trainer:
        """Return a copy of the network as a ``Trainer``, which predicts, saves and exports it.

        Raises
        ------
        NotFittedError
            Before the first fit.
        """
        return copy.copy(self._fitted())

    def predict(self, X: Any) -> Any:
        """Return predicted labels or numbers, as ``Trainer.predict``.

        Parameters
        ----------
        X : dask array or dataframe, array, or table
            Of a dask array the result is a dask array, of a dask dataframe a dask series (or a
            dataframe, for several columns) with its index; partitions are predicted when they are
            computed, on one thread each. Other rows are predicted at once.
        """
        return self._predicted(X, "predict")

    def _predicted(self, X: Any, method: str) -> Any:
        trainer = self._fitted()
        return lazy(trainer, X, method) if is_collection(X) else getattr(trainer, method)(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return accuracy, or R² for numbers, as ``Trainer.score``; computed on the workers.

        Parameters
        ----------
        X, y, sample_weight
            Collections as for ``fit``, or arrays and tables in memory.
        """
        trainer = self._fitted()
        if not is_collection(X):
            return trainer.score(X, y, sample_weight)
        client = self._connected()
        parts = on_workers(client, partitions(X, y, sample_weight), sorted(client.nthreads()))
        local = client.compute(delayed(predictor(trainer.model_), traverse=False))
        samples = [part.samples for part in parts]
        means = gathered(client, client.map(_means, samples, local=local, pure=False))
        scores = trainer.model_.encoding.outputs.summed_up(reduce(Means.with_part, means))
        return scores.metric


def _check(name: str, value: Any) -> None:
    """Check a parameter that is no setting of Trainer."""
    if name == "sync_every":
        or_auto(COUNT)["check"](name, value)
    elif name == "client" and not isinstance(value, Client | None):
        raise TypeError(f"client must be a distributed.Client or None; got {value!r}")


def _check_effects(chosen: Choices) -> None:
    """Raise a ValueError for a setting that has no effect over partitions."""
    if chosen.refit:
        raise ValueError("refit has no effect over partitions; got True")
    if chosen.validation_split not in ("auto", "shuffled"):
        raise ValueError(
            "validation_split must be 'auto' or 'shuffled' over partitions, where rows are held "
            f"out by their hashes; got {chosen.validation_split!r}"
        )


def _local(client: Client, validation_data: Any) -> Samples | None:
    """Validation rows, in this process."""
    if validation_data is None:
        return None
    X, Y, weights = (
        gathered(client, [client.compute(part)])[0] if is_collection(part) else part
        for part in as_samples(validation_data, "validation_data")
    )
    return X, Y, weights


def _means(samples: Samples, local: Trainer) -> Means:
    """Losses and scores of a partition."""
    model = local.model_
    rows = model.encoding.rows_and_targets(*samples, model.network.dtype)
    evaluation = Evaluation(model.network, model.encoding, rows, local.threads)
    means = evaluation.means(model.network)
    evaluation.give_back()
    return means
