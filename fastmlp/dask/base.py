"""The part that both estimators share: fits, and what a fit leaves."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, TypeVar

from dask import delayed

from ..data.targets import Samples
from ..fit_warning import warn
from ..fitting.dataset import FitData
from ..fitting.start import check_continues, goes_on
from ..fitting.stream_data import check_hashed, learned
from ..frozen import changed
from ..inference.predictor import NotFittedError
from ..losses import Loss
from ..network.model import Model
from ..outputs import Means
from ..settings import SETTINGS, Choices, auto_values, choices, resolved
from ..trainer import Trainer
from .learned import shards_of, survey_of
from .parameters import Parameters
from .partitions import in_memory, is_collection, on_workers, partitions
from .predictions import lazy, means_of, predictor
from .source import DistributedSource
from .tasks import Tasks, tasks_on
from .waiting import gathered

T = TypeVar("T", bound="DaskMLP")

# Attributes of the trainer of the last fit.
_FITTED = (
    "history", "n_iter_", "best_epoch_", "stop_reason_", "auto_", "classes_", "n_features_in_",
    "feature_names_in_", "scaling_", "layer_sizes_",
)  # fmt: skip


@dataclass(repr=False, eq=False)
class DaskMLP(Parameters):
    """Base of the estimators over partitions."""

    def __post_init__(self) -> None:
        self._trainer: Trainer | None = None
        self._auto: dict[str, Any] = {}  # what auto_ has beside the trainer's
        self._is_fitting = False

    def __getattr__(self, name: str) -> Any:
        if name in _FITTED:
            value = getattr(self._fitted(), name)
            return {**value, **self._auto} if name == "auto_" else value
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __getstate__(self) -> dict[str, Any]:
        """All but the client, which stays in its process."""
        return vars(self) | {"client": None, "_is_fitting": False}

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
        began = time.perf_counter()
        try:
            with tasks_on(self._connected()) as tasks:
                self._fit(tasks, began, X, y, sample_weight, validation_data)
        finally:
            self._is_fitting = False
        return self

    def _fit(
        self, client: Tasks, began: float, X: Any, y: Any, sample_weight: Any, validation_data: Any
    ) -> None:  # fmt: skip
        chosen = choices(self)
        check_hashed(chosen, "over partitions")
        before = None if self._trainer is None else self._trainer.model_
        known = before if self.warm_start else None
        if known is not None:
            check_continues(known, chosen)
        parts = partitions(X, y, sample_weight)
        validation = in_memory(client, validation_data)
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
                is_auto = self.sync_every == "auto"
                self._auto = {"sync_every": source.sync_every} if is_auto else {}
                self._trainer = trainer

    def _prepared(
        self, client: Tasks, lazy_parts: Sequence[Any], validation: Samples | None,
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
        with tasks_on(self._connected()) as client:
            parts = on_workers(client, partitions(X, y, sample_weight), sorted(client.nthreads()))
            local = client.compute([delayed(predictor(trainer.model_), traverse=False)])[0]
            samples = [part.samples for part in parts]
            means = gathered(client, client.map(means_of, samples, local=local, pure=False))
        scores = trainer.model_.encoding.outputs.summed_up(reduce(Means.with_part, means))
        return scores.metric
