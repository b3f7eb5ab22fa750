"""The part that both estimators share: their fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ..fit_warning import warn
from ..fitting.loop import DivergedError
from ..kernels.runs.threads import counted_as_fit
from .hooks import CallbackSupportMixin, Hooks
from .lbfgs import Minimum, minimize
from .preparation import NOTHING, Given, Preparation, PreparedFit
from .saved import Saved

_NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and "
    "need to be preprocessed."
)


class BaseMLP(CallbackSupportMixin, Saved, Preparation):
    """Fits of an estimator, by a trainer of its own."""

    def _fit(
        self, given: Given, validation: Given = NOTHING, *, incremental: bool = False,
        first: Callable[[], Any] = lambda: None,
    ) -> None:  # fmt: skip
        """Fit; ``first`` is called before anything else."""
        if "_is_fitting" in vars(self):
            raise RuntimeError("this estimator is being fitted: a callback may fit a copy of it")
        before = dict(self.__dict__)
        try:
            first()
            fit = self._prepared(given, validation, incremental=incremental)
        except BaseException:  # nothing has changed
            self.__dict__ = before  # without a call, at which a further interrupt would come
            raise
        self.trainer_, self._is_fitting = fit.trainer, True
        try:
            self._run(fit, given, incremental=incremental)
        finally:
            self.__dict__.pop("_is_fitting", None)

    def _run(self, fit: PreparedFit, given: Given, *, incremental: bool) -> None:
        is_watched = hasattr(self, "_skl_callbacks") and not incremental  # by set_callbacks
        hooks = self._hooks(given) if is_watched else None
        if self.solver == "lbfgs":
            self._minimize(fit)
        else:
            self._train(fit if hooks is None else fit.calling(hooks), incremental=incremental)
        if hooks is not None:
            hooks.close(fit.trainer)

    def _hooks(self, given: Given) -> Hooks:
        """Begin the task of a fit for scikit-learn's callbacks."""
        X, y, weights = given
        n_tasks = 0 if self.solver == "lbfgs" else self.max_iter
        context = self._init_callback_context(max_subtasks=n_tasks)
        metadata = {} if weights is None else {"sample_weight": weights}
        return Hooks(self, context, X=X, y=y, metadata=metadata)

    def _train(self, fit: PreparedFit, *, incremental: bool) -> None:
        """Run the epochs of the trainer."""
        trainer = fit.trainer
        try:
            self._begin(is_first=not fit.before)
            trainer.fit_encoded(fit.data, fit.known, fit.before)
        except KeyboardInterrupt:
            warn("Training interrupted by user.", UserWarning)
        except DivergedError as error:
            if fit.judge is None:
                raise ValueError(_NOT_FINITE) from error
            self._end_diverged()
        finally:
            if fit.judge is not None and fit.judge.best is not None:
                network = trainer.model_.network
                network = network.trained(fit.judge.best.packed, network.state, 0)
                trainer.model_ = replace(trainer.model_, network=network)
        if trainer.stop_reason_ == "epochs" and not incremental:
            warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
            )

    def _minimize(self, fit: PreparedFit) -> None:
        """Minimize the loss of all rows; an error leaves the weights of the last iteration."""

        def publish(minimum: Minimum) -> None:
            if not np.isfinite(minimum.model.network.packed).all():
                raise ValueError(_NOT_FINITE)
            fit.trainer.model_, self.loss_, self.n_iter_ = minimum

        self.n_iter_ = 0
        with counted_as_fit():
            minimize(
                fit.known, fit.data, publish, max_fun=self.max_fun, tol=self.tol,
                verbose=bool(self.verbose),
            )  # fmt: skip
