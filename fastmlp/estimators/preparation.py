"""What a fit needs, checked and encoded before anything changes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring
from sklearn.utils import check_random_state, indexable

from ..data import Array
from ..fit_warning import warn
from ..fitting.dataset import FitData
from ..fitting.start import check_continues
from ..frozen import changed
from ..inputs import Scaling
from ..losses import Loss
from ..network.encoding import Encoding
from ..network.model import Model
from ..outputs import Outputs
from ..settings import FitSettings
from ..trainer import Trainer
from .epochs import Epochs, Judge, Score
from .fitted import Fitted
from .samples import Samples, held_out, scaled
from .scikit_learn import check_sample_weight, rows_of
from .start import check_hidden_units, first_inputs, first_model, hidden_units, trainer_of


class Given(NamedTuple):
    """Rows as users give them."""

    X: Any = None
    y: Any = None
    sample_weight: Any = None


NOTHING = Given()


class PreparedFit(NamedTuple):
    """A fit that has not begun yet."""

    trainer: Trainer
    data: FitData
    known: Model
    before: Mapping[str, list[float]]  # the history that it continues
    judge: Judge | None  # for early stopping

    def calling(self, callback: Any) -> PreparedFit:
        """The fit with one more callback."""
        settings = self.data.settings
        settings = changed(settings, callbacks=(*settings.callbacks, callback))
        return self._replace(data=changed(self.data, settings=settings))


class Preparation(Epochs, Fitted):
    """The part of an estimator that prepares its fits; what depends on the kind of targets is left
    to subclasses."""

    classes_: Array  # of a classifier
    n_layers_: int
    n_outputs_: int
    out_activation_: str

    def _read(self, X: Any, y: Any, *, is_first: bool, incremental: bool) -> tuple[Any, Array]:
        """Checked X, and y, encoded as in ``Samples``."""
        raise NotImplementedError

    def _encoded(self, y: Array) -> Array:
        """Checked y like that of the fit, encoded."""
        raise NotImplementedError

    def _first_outputs(self, y: Array) -> Outputs:
        """The outputs of a network for encoded y."""
        raise NotImplementedError

    def _check_loss(self, loss: Loss) -> None:
        """Raise a ValueError if the loss of a network to be continued is another one now."""

    def _class_weights(self, y: Array) -> Array | None:
        """Weights of rows of encoded y in the loss, by their classes."""
        return None

    def _strata(self, y: Array) -> Array | None:
        """What held-out rows are stratified by."""
        return None

    def _prepared(self, given: Given, validation: Given, *, incremental: bool) -> PreparedFit:
        """Check and encode everything; return the fit."""
        hidden_units(self.hidden_layer_sizes)
        is_scored = self._stops_early(validation, incremental=incremental)
        old = getattr(self, "trainer_", None) if incremental or self.warm_start else None
        X, y = self._read(given.X, given.y, is_first=old is None, incremental=incremental)
        weights = given.sample_weight
        weights = None if weights is None else check_sample_weight(weights, X)
        random = check_random_state(self.random_state)
        trainer, settings, known = self._start(X, y, weights, random, old)
        if not incremental:  # the optimizer starts anew
            network = known.network.restarted(settings.optimizer.rule)
            known = Model(network, known.encoding, known.hidden)
        trainer.model_ = known
        scaling, dtype = known.encoding.inputs.scaling, known.network.dtype
        before = {} if old is None else old.history
        samples, validated, judge = Samples(scaled(X, scaling, dtype), y, weights), None, None
        if is_scored:
            if validation.X is None:
                train, rows = held_out(len(y), self.validation_fraction, self._strata(y), random)
                samples, held = samples.part(train), samples.part(rows)
                score = self._score_of(held, given, rows)
            else:
                held = self._validation_samples(validation, scaling, dtype)
                score = self._score_of(held, validation)
            validated = held.X, held.targets()
            judge = Judge(score, None if before else known.network)
        self._check_batch_size(len(samples.X))
        end_epoch = partial(self._end_epoch, len(samples.X), judge)
        settings = changed(
            settings, by_batch=True, random_state=random,
            callbacks=(end_epoch, *settings.callbacks),
            epochs=1 if incremental else settings.epochs,
        )  # fmt: skip
        targets = samples.targets(self._class_weights(samples.y))
        data = FitData(samples.X, targets, known.encoding, settings, validated)
        return PreparedFit(trainer, data, known, before, judge)

    def _start(
        self, X: Any, y: Array, weights: Array | None, random: np.random.RandomState,
        old: Trainer | None,
    ) -> tuple[Trainer, FitSettings, Model]:  # fmt: skip
        """The trainer of a fit, its settings, and its model: that of ``old``, else a first one."""
        if old is None:
            dtype = np.dtype(self.dtype or X.dtype)
            outputs = changed(self._first_outputs(y), least_probability=np.finfo(dtype).eps)
        else:
            outputs = old.model_.encoding.outputs
            dtype = np.dtype(self.dtype or old.model_.network.dtype)
            self._check_loss(outputs.loss)
        if y.ndim == 2 and y.shape[1] != outputs.count:
            raise ValueError(f"y must have {outputs.count} columns; got {y.shape[1]}")
        trainer, settings = trainer_of(self, outputs.loss, dtype)
        if old is not None:
            check_hidden_units(settings.hidden, old.model_)
            check_continues(old.model_, settings)
            old.model_.encoding.inputs.check_scaling(settings.scaling)
            return trainer, settings, old.model_
        encoding = Encoding(first_inputs(X, weights, settings), outputs)
        known = first_model(encoding, settings, self.activation, random)
        self.t_, self.n_outputs_ = 0, outputs.count
        self.n_layers_ = len(known.network.layer_sizes)
        return trainer, settings, known

    def _stops_early(self, validation: Given, *, incremental: bool) -> bool:
        """Whether rows are scored; a ValueError for arguments that contradict each other."""
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        if (validation.X is None) != (validation.y is None):
            there, missing = ("X_val", "y_val") if validation.y is None else ("y_val", "X_val")
            raise ValueError(f"{there} is provided, but {missing} was not provided.")
        if validation.X is not None and not self.early_stopping:
            raise ValueError("X_val and y_val need early_stopping=True; got False")
        if validation.sample_weight is not None and validation.X is None:
            raise ValueError("sample_weight_val is provided, but X_val was not provided.")
        if self.solver == "lbfgs":
            given = {
                "dropout": np.any(self.dropout), "callbacks": self.callbacks is not None,
                "X_val": validation.X is not None, "scoring": self.scoring is not None,
            }  # fmt: skip
            for name in filter(given.get, given):
                raise ValueError(f"{name} has no effect with solver='lbfgs'")
        elif self.scoring is not None and not self.early_stopping:
            raise ValueError("scoring needs early_stopping=True; got False")
        return self.early_stopping and self.solver != "lbfgs"

    def _validation_samples(
        self, validation: Given, scaling: Scaling, dtype: np.dtype[Any]
    ) -> Samples:
        X, y = self._check(validation.X, validation.y, reset=False)
        weights = validation.sample_weight
        weights = None if weights is None else check_sample_weight(weights, X)
        return Samples(scaled(X, scaling, dtype, "X_val"), self._encoded(y), weights)

    def _score_of(self, held: Samples, given: Given, rows: Array | None = None) -> Score:
        """The function that scores an epoch on held-out rows, those ``rows`` of what is given."""
        if self.scoring == "loss":
            return lambda trainer, logs: -logs["val_loss"]
        if self.scoring is not None:
            X, y = given[:2] if rows is None else (rows_of(a, rows) for a in indexable(*given[:2]))
            scorer = check_scoring(self, self.scoring)
            options = {} if held.weights is None else {"sample_weight": held.weights}
            return lambda trainer, logs: float(scorer(self, X, y, **options))
        if not is_classifier(self):
            return lambda trainer, logs: logs["val_r2"]
        # A single class has one name for both outputs.
        return lambda trainer, logs: logs["val_accuracy"] if len(self.classes_) > 1 else 1.0

    def _check_batch_size(self, n_rows: int) -> None:
        if self.solver == "lbfgs" or isinstance(self.batch_size, str) or self.batch_size <= n_rows:
            return
        warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
            UserWarning,
        )
