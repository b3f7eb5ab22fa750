"""Trainer: the public methods that fit a network; no arithmetic."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy.typing as npt

from .data.chunks import are_chunks, as_chunks
from .fit_warning import naming, warn
from .fitting.dataset import FitData, fit_data
from .fitting.learning_rates import Rates
from .fitting.loop import EpochResult, Fit
from .fitting.objective import loss_and_gradient
from .fitting.progress import say
from .fitting.refit import StopsWith, refit_settings
from .fitting.sources import Chunked, Source
from .fitting.start import check_continues, goes_on
from .fitting.stream_data import check_hashed, chunk_data, group_data
from .fitting.summary import summary
from .fitting.windows import Windows
from .frozen import changed
from .history import History
from .inputs import Scaling
from .kernels.language.jit import announcing
from .kernels.runs.threads import counted_as_fit
from .network.model import Model, given_model
from .network.packed_network import Floats
from .saved import Fitting, Saved
from .settings import SETTINGS, Choices, FitSettings, auto_values, choices, resolved
from .settings.auto import LARGEST_BATCH
from .settings.combinations import check_open_ended
from .streams import open_groups


class Trainer(Saved):
    """Multilayer perceptron for classification or regression, trained on mini-batches.

    Dense layers in compiled, multithreaded kernels. The result does not depend on the number of
    threads.

    scikit-learn's pipelines, searches and ensembles take it as an estimator: with loss="auto" as a
    classifier, until a fit has found numbers, so that ensembles of regressors need another loss.

    Parameters are also attributes. A new value takes effect at the next fit. Notes lists what
    "auto" becomes; ``auto_`` holds the values after a fit.

    Parameters
    ----------
    hidden : int or sequence of int, default 128
        Units of the hidden layers; ``()`` for a linear model.
    activation : str or sequence of str, default "relu"
        Activation of all hidden layers, or one for each: "identity", "relu", "leaky_relu" (slope
        0.01), "tanh", "logistic", "elu", "selu", "gelu" (exact), "silu", "mish", "softplus".
    initializer : str, default "glorot_uniform"
        Distribution of the initial weights: "glorot_uniform", "glorot_normal", "he_uniform",
        "he_normal", "lecun_normal", "orthogonal", "normal" (mean 0, variance 1), or "auto", chosen
        by the activation: "lecun_normal" for selu, "glorot_uniform" for tanh, logistic, identity
        and the output layer, else "he_uniform". Biases start at 0.
    dropout : float or sequence of float, default 0.0
        Fraction of the hidden units dropped for each training sample; the others are scaled up. A
        sequence gives the fraction of the features, then of each hidden layer.
    loss : str or object of ``fastmlp.losses``, default "auto"
        "softmax_cross_entropy" (labels, one-hot rows, or rows of class probabilities),
        "binary_cross_entropy" (two classes from one output, or columns of labels 0 and 1),
        "squared_error" (halved), "absolute_error", "huber", "quantile", "poisson".
    class_weight : mapping or "balanced", optional
        Weights of classes, by default 1; "balanced" gives all classes the same total weight over
        the training rows. They multiply ``sample_weight`` in ``loss`` and ``val_loss``, not in
        metrics and ``evaluate``. A class that Y lacks is a warning, a misspelt one an error.
        ``partial_fit`` and chunks of ``fit_stream`` need a mapping.
    label_smoothing : float, default 0.0
        Fraction of each label spread evenly over all classes, in the cross-entropy losses.
    optimizer : str or object of ``fastmlp.optimizers``, default "adam"
        "sgd", "adam", "adamw", "amsgrad", "rmsprop", "adagrad", "lion"; objects such as
        ``SGD(momentum=0.9, nesterov=True)`` have further settings.
    learning_rate : float, optional
        Learning rate, in place of the optimizer's. The default is 0.1 for SGD, which needs features
        of about unit size; for the others 0.001, or more where Notes says so.
    schedule : str, object of ``fastmlp.schedules``, or callable, default "auto"
        Factor of the learning rate at each update: "constant", "step", "exponential", "cosine",
        "one_cycle", "coslog4", "inverse_scaling", "reduce_on_plateau". A callable maps the number
        of the update, from 0, to the learning rate itself, as in Keras.
    l2, l1 : float, default 0.0
        Penalties l2 / 2 * sum W^2 and l1 * sum abs(W) on the weights of all layers, not on biases,
        added to the mean loss of a batch. They apply to scaled targets where ``fit`` scales them.
    clip_norm : float, optional
        Largest norm of the gradient of all weights and biases, penalties included; a longer
        gradient is scaled down to it.
    epochs : int, default "auto"
        Maximum number of passes over the training rows.
    batch_size : int, default "auto"
        Rows of a mini-batch, at most all.
    weight_averaging : float, default "auto"
        Decay of an exponential moving average of the weights over epochs, a plain mean in the first
        epochs; 0 for none. The average is validated, kept and used for predictions; training
        continues from the weights that are not averaged.
    shuffle : bool, default True
        Draw a new order of the rows for every epoch.
    scaling : str, float or sequence of float, default "auto"
        Scaling of the features, learned from the training rows: "standard" (mean 0, standard
        deviation 1), "robust" (median 0, quartiles 1 apart, smoothly clipped at 3), "piecewise"
        (robust, with up to 16 piecewise-linear bins between quantiles as further inputs for each
        feature of more than two values), "quantile" (a piecewise-linear map to the normal
        distribution), "max_abs" (largest value 1), a factor, or one for each feature (each column
        of numbers, where categories or gaps add columns); None for none. Beyond the range of the
        training rows bins and quantiles stay constant, a clipped feature approaches 3. Quantiles
        of more than 20,000 rows are those of a random sample, the same for every seed.
    missing : {"error", "impute"}
        Missing numbers in X (NaN, None or NA) are an error, or filled with the median of the
        training rows; a column that lacks some in the training rows gets a further 0/1 column that
        marks them. Sparse rows have none.
    validation_fraction : float, default "auto"
        Fraction of the rows held out for validation. Where rows are copies (a bootstrap, a rare
        class repeated), some are trained on and validated: give weights, or ``validation_data``.
    validation_split : {"auto", "last", "shuffled", "stratified"}
        Rows held out: the last ones, a random choice, or a random choice stratified by class;
        "auto" is "stratified" for labels, else "shuffled". Rows in order of time need "last", as
        their neighbours tell too much.
    early_stopping : bool or EarlyStopping, default "auto"
        True is ``fastmlp.callbacks.EarlyStopping()``: stop when ``val_loss``, or without validation
        data ``loss``, has not fallen for 10 epochs. The weights of the best epoch are restored,
        however the fit ends, with what callbacks made of them.
    refit : bool, default False
        After early stopping, train a new network on all rows for as many epochs as the best one
        took, with the learning rates of the same parts of the same epochs. History and callbacks
        cover the first training only. Its weights stay if the second one is interrupted, or
        diverges, which is a warning.
    metrics : str, callable, or sequence of them, default "auto"
        Recorded beside the loss: "accuracy" (of rows of labels, those correct in every column),
        "balanced_accuracy", "f1" and "roc_auc" (of the larger of two classes, else the mean over
        all classes or labels), "top_k" (5), "log_loss", "mse", "mae", "r2" (0 for a constant
        column), or functions ``(y_true, y_pred)``, each under its ``__name__``. A function with a
        parameter ``sample_weight``, as scikit-learn's have, gets the sample weights, None if there
        are none; any other is not weighted. "auto" is accuracy, for numbers r2. On the training
        rows these two are averaged during the epoch, the others computed after it.
    time_budget : float, optional
        Seconds from the start of the fit, compilation included, after which it ends; an unfinished
        epoch is dropped, unless it is the first. Includes scoring, but not callbacks. After each
        epoch, a schedule that goes by the number of updates is planned for the epochs that there is
        time for at the measured speed. Only where the budget binds, results depend on timing.
    dtype : {"float32", "float64"}
        Type of the weights and of all arithmetic.
    threads : int, optional
        Maximum number of threads; by default as many as the process may use. Fits in several
        threads of Python share these.
    seed : int, optional
        Seed of the initial weights, the held-out rows, the orders of rows and dropout.
    warm_start : bool, default False
        ``fit`` continues from the present weights instead of initial ones. After an interrupt, an
        exception, or the end of epochs or time, a fit of the same data, loss and early stopping
        goes on as if there had been no end: history, epoch numbers, best epoch and patience
        included. Otherwise, as after early stopping or a stop by a callback, it starts a new
        history from the weights that predict. The same rows are held out; where that is impossible,
        as ``validation_fraction`` or the number of rows differ, there is a ``FitWarning``.
    verbose : {0, 1, 2}
        1 shows a progress bar with loss, metrics, speed and remaining time, in a terminal or a
        notebook with tqdm (``pip install 'fastmlp[progress]'``), otherwise, as 2 does, a line per
        epoch. Both first print what Y was taken for and "auto" became, and when kernels are being
        compiled. A fit goes on where ``sys.stdout`` cannot be written.
    callbacks : callable or object of ``fastmlp.callbacks``, or a sequence of them
        An object with ``for_fit()`` makes a callable for each fit, see ``fastmlp.callbacks``.
        Each is called as ``callback(trainer, epoch, logs)`` after every epoch, counted from 0; logs
        are the recorded values. It may set weights, from which training continues, and
        ``trainer.learning_rate`` for the following epochs, also of fits that continue this one (the
        setting itself stays), or stop the fit by ``trainer.stop_training = True``. What it returns
        is ignored. ``Checkpoint`` and early stopping come last.
        Copies of the trainer share the callbacks, pickles contain them.

    Attributes
    ----------
    history : History
        A dict of lists with an element per epoch: ``loss`` (the mean over the samples, each when
        its batch was trained on, without penalties), ``accuracy`` for classes and labels or ``r2``
        for numbers, ``val_loss``, ``val_accuracy`` or ``val_r2``, ``learning_rate`` (of the last
        update), ``seconds``; NaN in epochs that did not record one.
    stop_training : bool
        Set by a callback to stop after the present epoch; False at the start of a fit.
    classes_ : array of shape (c,)
        The labels, sorted; column k of probabilities belongs to ``classes_[k]``. For columns of
        labels 0, 1, ...; for numbers there is no such attribute.
    scaling_ : Scaling
        The scaling of the features: ``kind``, ``reason`` (if "auto"), ``centre``, ``factor``.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : array of object, shape (d,)
        Names of the columns, if X was a table with names (also numbers, other than 0, 1, ...);
        other tables must have them in the same order.
    layer_sizes_ : tuple of int
        Numbers of inputs, hidden units of each layer, and outputs. Categories, missing numbers and
        bins make more inputs than there are features.
    model_ : Model
        All that has been learned, as one immutable object.
    auto_ : dict
        What "auto" became in the last fit, by setting; ``patience`` for early stopping. For
        ``scaling`` see ``scaling_``.
    n_iter_ : int
        Epochs in ``history``.
    best_epoch_ : int
        The epoch, from 0, of the best monitored value, with early stopping; else the last one.
    stop_reason_ : str
        Why the last fit ended: "epochs", "early_stopping", "time_budget", "callback",
        "interrupted" or "exception"; "interrupted" also during a fit.

    Raises
    ------
    TypeError, ValueError
        For a parameter of the wrong type or value, when it is set; for parameters that contradict
        each other, at a fit.
    AttributeError
        When a new attribute is set whose name resembles that of a parameter, or is its name in
        another library, such as ``lr``.

    Notes
    -----
    What "auto", and None of ``learning_rate``, become:

    ====================  ====================  =================  ====================
    setting               below 20,000 rows     20,000 and more    linear model
    ====================  ====================  =================  ====================
    early_stopping        patience 10           none               none
    validation_fraction   0.15                  0                  0
    epochs                60,000 updates        7,000 updates      3,000 updates, 7,000
                                                                   from 20,000 rows on
    schedule              "constant"            "one_cycle"        "one_cycle"
    weight_averaging      0.9                   0                  0
    learning_rate         0.003                 0.003              0.01
    ====================  ====================  =================  ====================

    * Where ``epochs`` or ``early_stopping`` is given, or there are no validation data and fewer
      than 40 rows (unless the model is linear): no early stopping, a constant schedule, no
      averaging, the optimizer's default rate, and 3,000 updates, 60,000 with early stopping.
    * Where ``schedule`` is given: the first column, for any rows and model, but at 0.01 for a
      linear one. With ``weight_averaging=0`` its patience is 20, its rate the optimizer's default.
    * ``learning_rate`` is the optimizer's default where that is higher.
    * 0.15 of the rows are held out for any early stopping that monitors validation data, unless
      those are given.
    * Updates are converted to 10 to 400 epochs. Chunks get 10 epochs, no held-out rows and no
      "one_cycle"; without ``validation_data``, no early stopping either.
    * ``batch_size`` is the power of 2 from 16 to 128 nearest to a twentieth of the training rows.

    ``loss`` is softmax_cross_entropy for labels and one-hot rows, binary_cross_entropy for other
    rows of 0 and 1, squared_error for floats that are not all whole numbers and for columns of
    numbers. More than 30 different whole numbers in one column are an error, as they may be labels
    or numbers; more than 10 a ``FitWarning`` if they have gaps, are floats, or one of them has
    fewer than 5 rows, as have several columns of whole numbers other than 0 and 1. ``fit_many`` and
    ``Ensemble`` decide once, on all of Y.

    ``scaling`` divides pixels (16 or more features of similar largest values, none negative, at
    least 30% zeros or all uint8) by their largest value; it keeps pixels up to 1 and features of
    about unit size as they are. Other features get "standard" scaling in a linear model, else
    "piecewise", or "robust" with fewer than 256 rows, or where the features of more than two values
    are none, more than 256, or 80% zeros. Sparse rows of about unit size (root mean squares of
    rows at least 0.1, of the values of a column at most 30) are kept as they are, as words and
    one-hot columns; others get "max_abs", which keeps zeros. In the first of several chunks,
    where many columns are empty, these get the median factor of the others.

    These defaults were chosen on real tables of 800 to 5,000 rows, see ``asv_benchmarks/defaults``.

    Examples
    --------
    >>> import numpy as np, fastmlp
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> trainer = fastmlp.Trainer(hidden=8, seed=0).fit(X, X[:, 0] > 0)
    >>> trainer.predict(X[:5]).shape
    (5,)
    """

    def __post_init__(self) -> None:
        # Not by assignment, which looks for misspelt settings: 0.2 ms for all of these.
        vars(self).update(
            history=History(), n_iter_=0, best_epoch_=0, stop_reason_="", auto_={},
            stop_training=False, _model=None, _fitting=None,
        )  # fmt: skip

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the settings as given, by name; none has parameters of its own, also ``deep``."""
        params = {name: getattr(self, name) for name in SETTINGS}
        if self._fitting is not None:  # a callback may have set another rate, for this fit
            params["learning_rate"] = self._fitting.learning_rate
        return params

    def set_partial_fit_request(self, **requests: bool | str | None) -> Trainer:
        """As ``set_fit_request``, for ``partial_fit``."""
        return self._with_requests("partial_fit", requests)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        # A learning rate set in a fit is a part of the model; one set outside ends that.
        if name == "learning_rate" and self._fitting is None and self._model is not None:
            self._model = changed(self._model, rate=None)

    def fit(
        self,
        X: npt.ArrayLike,
        Y: npt.ArrayLike,
        *,
        sample_weight: npt.ArrayLike | None = None,
        validation_data: Sequence[Any] | None = None,
    ) -> Trainer:
        """Fit the network to rows X and their targets Y.

        Parameters
        ----------
        X : array, table or sparse matrix of shape (n, d)
            Finite numbers, or a table (pandas, Polars, PyArrow) with columns of numbers and of
            categories. C-contiguous arrays of the trainer's dtype, and uint8, are read in place.

            Columns of pandas' dtype category, Categorical and Enum of Polars, and dictionaries of
            PyArrow are one-hot encoded: a 0/1 column for each category in the training rows. Of
            more than 2,000 in all, up to millions, only the ones are kept, and ``scaling`` applies
            to the columns of numbers alone, see ``docs/how-to/sparse.md``. Other tables are matched
            by the values of the categories, not their codes, and may hold plain values; an unknown
            or missing category is all zeros, and a warning names unknown ones, once for each
            column. The network's inputs are the numbers, the one-hot columns, and the columns that
            mark missing numbers, in this order.

            Sparse matrices and arrays of SciPy, and tables of pandas whose columns are all sparse,
            are not made dense, see ``docs/how-to/sparse.md``; ``scaling`` must keep zeros.
        Y : array of shape (n,) or (n, c)
            Labels (integers, strings, booleans), one-hot rows, class probabilities, rows of 0 and
            1, or numbers, see ``loss``. Numbers are centred and scaled internally, each column by
            its mean and standard deviation over the training rows, counts by their mean;
            predictions, losses and Huber's delta are in the unit of Y.
        sample_weight : array of shape (n,), optional
            A weight of k counts as k rows, 0 as none. The weighted losses of a batch are added and
            divided by its rows, and by the mean weight of all training rows, classes included:
            weights have their effect in batches of any size, and their scale has none.
        validation_data : (X, Y) or (X, Y, sample_weight), optional
            Rows to evaluate after every epoch, in place of ``validation_fraction``.

        Returns
        -------
        Trainer
            Itself.

        Raises
        ------
        TypeError, ValueError
            For unusable input; the trainer then stays unchanged.
        RuntimeError
            If this trainer is already being fitted, as in its own callbacks.
        FloatingPointError
            When the loss or the weights are no longer finite. The trainer then has the weights of
            the last finished epoch, or of the best one with early stopping, as after an interrupt
            or an exception in a callback.
        """

        def work(began: float) -> None:
            chosen = choices(self)
            if chosen.refit and validation_data is not None:
                raise ValueError(
                    "refit has no effect beside validation_data, whose rows are not trained on; "
                    "got refit=True"
                )
            known = self._continued(chosen, warm_start=chosen.warm_start)
            resolve = partial(resolved, chosen, validated=validation_data is not None)
            data = fit_data(
                X, Y, sample_weight, validation_data, resolve, known.encoding if known else None,
                split=known.split if known else None,
            )  # fmt: skip
            fit = self._run(data, began, *self._going_on(known, data), chosen=chosen)
            fit.diagnose()
            if data.settings.refit and data.validation is not None:
                self._refit(data.settings, fit.rates[: self.best_epoch_ + 1], X, Y, sample_weight)

        self._exclusively(work)
        return self

    def _refit(
        self, first: FitSettings, rates: Sequence[Rates], X: Any, Y: Any, sample_weight: Any
    ) -> None:
        """Train a new network on all rows; one that diverges or is stopped changes nothing."""
        first = replace(first, callbacks=(StopsWith(self),))
        data = fit_data(X, Y, sample_weight, None, partial(refit_settings, first, rates), None)
        if first.verbose:
            say(f"once more, on all {len(data.X):,} rows: {len(rates)} epochs")
        self.stop_training = False
        again = Trainer()
        try:
            again._run(data, time.perf_counter())
        except FloatingPointError as error:
            warn(f"the training on all rows failed, so that on a part of them stays: {error}")
        else:
            if not self.stop_training:
                self.model_ = replace(again.model_, extremes=self.model_.extremes)

    def partial_fit(
        self,
        X: npt.ArrayLike,
        Y: npt.ArrayLike,
        classes: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Trainer:
        """Train one epoch on the rows of X, continuing from the present weights, if any.

        The optimizer's state is kept, and the epoch is appended to the history. ``epochs`` and
        ``warm_start`` are ignored.

        Parameters
        ----------
        X, Y, sample_weight
            As for ``fit``. Statistics of the data (means, standard deviations, categories, medians)
            are learned in the first call only, see ``fit_stream``. The mean weight is that of all
            rows so far.
        classes : array, optional
            All labels, sorted; by default those of Y in the first call. Later ones must name the
            same.

        Returns
        -------
        Trainer
            Itself.

        Raises
        ------
        TypeError, ValueError
            As ``fit``; and for a setting that has no effect here: ``refit``, early stopping,
            ``validation_fraction``, ``time_budget``, or a schedule that depends on the total number
            of updates.
        """

        def work(began: float) -> None:
            chosen = self._open_ended("partial_fit")
            chosen = changed(chosen, epochs=1)
            known = self._continued(chosen, warm_start=True)
            resolve = partial(resolved, chosen, validated=False, open_ended=True)
            data = fit_data(
                X, Y, sample_weight, None, resolve, known.encoding if known else None, classes
            )
            if known is not None and known.best is not None:
                known = known.afresh()
            self._run(data, began, known, self.history, Chunked(lambda: iter([data])), chosen)

        self._exclusively(work)
        return self

    def fit_stream(
        self,
        chunks: Any,
        *,
        target: Any = None,
        features: Sequence[str] | None = None,
        sample_weight: Any = None,
        classes: npt.ArrayLike | None = None,
        validation_data: Sequence[Any] | None = None,
    ) -> Trainer:
        """Train on data larger than memory: files, memory-mapped arrays, or chunks.

        Parameters
        ----------
        chunks : path, dataset, lazy frame, array, iterable, or callable that returns one
            * A path of a file or folder (Parquet, CSV, Arrow), a ``pyarrow.dataset``, a lazy frame
              of Polars, or a 2-D array, such as a memory-mapped one, with ``target``. The fit is as
              that of ``fit``, on rows that are read in random groups: see
              ``docs/how-to/streaming.md``.
            * Chunks (X, Y) or (X, Y, sample_weight), as for ``fit``. An epoch trains on each chunk
              once, in their order, with rows shuffled within each. An iterable gives one epoch, a
              callable is called for each epoch. Statistics of the data (means, standard deviations,
              categories, medians) are learned from the first chunk: an error names columns that are
              constant there, unless ``scaling`` is None or factors, or X holds pixels. Numbers in Y
              must vary there, too. The mean weight is that of all rows so far.
        target : str, sequence of str, or array
            Name of the column of the targets, or names of several; for an array X, the targets.
        features : sequence of str, optional
            Names of the columns of the features, by default all others.
        sample_weight : str or array, optional
            Name of the column of the weights; for an array X, the weights.
        classes : array, optional
            All labels, sorted; needed if the first chunk, or the file, lacks some.
        validation_data : (X, Y) or (X, Y, sample_weight), optional
            Rows to evaluate after every epoch, in place of those held out of a file.

        Returns
        -------
        Trainer
            Itself.

        Raises
        ------
        TypeError, ValueError
            As ``fit``; for a setting that has no effect: ``refit``; for files ``validation_split``;
            for chunks ``validation_fraction``, or a schedule that depends on the total number of
            updates; and if there is no chunk, or an iterable for several epochs.

        Notes
        -----
        Metrics other than accuracy and r2 are computed on validation rows only, and refused
        without, unless all rows of a file fit into 32 MB.
        """

        def work(began: float) -> None:
            data_of: Callable[..., tuple[FitData, Chunked | Windows | None]]
            if are_chunks(chunks, target, features=features, sample_weight=sample_weight):
                chosen = self._open_ended("fit_stream")
                of_epochs = as_chunks(chunks, chosen.epochs)
                if not callable(chunks):
                    chosen = changed(chosen, epochs=1)
                data_of = partial(chunk_data, of_epochs)
            else:
                chosen = choices(self)
                check_hashed(chosen, "in fit_stream")  # before a file is copied
                columns = target, features, sample_weight
                groups = open_groups(chunks, *columns, shuffle=chosen.shuffle)
                data_of = partial(group_data, groups)
            known = self._continued(chosen, warm_start=chosen.warm_start)
            data, source = data_of(chosen, known, validation_data, classes)
            try:
                fit = self._run(data, began, *self._going_on(known, data), source, chosen)
            finally:
                if source is not None:
                    source.end()
            fit.diagnose(None if source is None else source.seen)

        self._exclusively(work)
        return self

    def fit_encoded(
        self, data: FitData, known: Model | None = None,
        before: Mapping[str, list[float]] = MappingProxyType({}), source: Source | None = None,
    ) -> None:  # fmt: skip
        """Train on rows that are encoded already, as the estimators do.

        Parameters
        ----------
        data : FitData
            With settings resolved for it.
        known : Model, optional
            The model to continue, with the encoding of the data.
        before : mapping
            The history to continue.
        source : Source, optional
            Supplies the rows of each epoch; by default those of ``data``.
        """
        self._exclusively(lambda began: self._run(data, began, known, before, source))

    def _run(
        self, data: FitData, began: float, known: Model | None = None,
        before: Mapping[str, list[float]] = MappingProxyType({}),
        source: Source | None = None, chosen: Choices | None = None,
    ) -> Fit:  # fmt: skip
        fit = Fit(self, self._publish, self._finish, data, known, before, began, source)
        if chosen is not None:
            self.auto_ = auto_values(chosen, data.settings, data.encoding.outputs.loss.name)
        fit.run()
        return fit

    def _publish(self, result: EpochResult) -> None:
        """Set the result of an epoch in one step, so that an interrupt finds all or none of it."""
        vars(self).update(
            _model=result.model, history=result.history, n_iter_=result.number + 1,
            best_epoch_=result.best_epoch, stop_reason_="interrupted",
        )  # fmt: skip

    def _finish(self, reason: str) -> None:
        """End a fit in one step, if it has finished an epoch, or there was none to train."""
        if self.stop_reason_ == "interrupted" or reason == "early_stopping":
            vars(self).update(_model=self.model_.ended(), stop_reason_=reason)

    def _open_ended(self, method: str) -> Choices:
        """Checked settings of ``partial_fit`` or ``fit_stream``, which refuse some."""
        if self.refit:
            raise ValueError(f"refit has no effect in {method}; got {self.refit}")
        chosen = choices(self)
        check_open_ended(chosen, method)
        return chosen

    def _continued(self, chosen: Choices, *, warm_start: bool) -> Model | None:
        """The model that a fit continues from, if any; its network keeps its shape and dtype."""
        if self._model is None or not warm_start:
            return None
        check_continues(self._model, chosen)
        return self._model

    def _going_on(
        self, known: Model | None, data: FitData
    ) -> tuple[Model | None, Mapping[str, list[float]]]:
        """The model and the history that a fit continues."""
        if known is not None and goes_on(known, self.stop_reason_, data):
            return known, self.history
        return known and known.afresh(), {}

    def _exclusively(self, work: Callable[[float], Any]) -> None:
        """Do the work of a fit, which gets the time at the start; refuse other fits meanwhile.

        Not a context manager, which an interrupt within contextlib would leave open.
        """
        began, thread = time.perf_counter(), threading.current_thread()
        # Interrupts and switches of threads happen at calls: there is none between this check, when
        # no fit is running, and the assignment, nor between that and the ``try``.
        if self._fitting is not None and self._fitting.thread.is_alive():
            raise RuntimeError(
                "this trainer is being fitted: a callback may set its weights or learning rate, "
                "or fit a copy of it"
            )
        given = self.learning_rate
        try:
            self.__dict__["_fitting"] = Fitting(thread, given)
            with self._announcing(), naming(self), counted_as_fit():
                work(began)
        finally:
            self.__dict__["_fitting"], self.__dict__["learning_rate"] = None, given
            raised: BaseException | None = None
            while True:
                try:
                    self.history.cut(self.n_iter_)
                    self._finish("interrupted")  # where an interrupt came in between
                    break
                except KeyboardInterrupt as error:  # a further one does not hasten the end
                    raised = error
            if raised is not None:
                raise raised

    def _announcing(self) -> AbstractContextManager[None]:
        if not self.verbose:
            return nullcontext()
        return announcing(
            lambda: say("compiling kernels for these settings, once on this machine: a few seconds")
        )

    def set_weights(
        self,
        weights: Sequence[npt.ArrayLike],
        classes: npt.ArrayLike | None = None,
        scaling: Scaling | float | npt.ArrayLike | None = None,
    ) -> None:
        """Set the weights [W1, b1, W2, b2, ...], in the form of ``get_weights``.

        In a callback, training and the average of the weights continue from them, with the present
        state of the optimizer. Otherwise all that earlier fits have left but the encoding of the
        data is reset, and ``fit`` continues from the weights only with ``warm_start=True``. The
        setting ``hidden`` stays; ``layer_sizes_`` has the sizes of the weights.

        Parameters
        ----------
        weights : sequence of array
            W of shape (n_in, n_out) and b of shape (n_out,), layer by layer, of the sizes of the
            present network, if any.
        classes : array of shape (c,), optional
            Labels of the output columns, as ``classes_``. By default the labels stay; a trainer
            without weights gets 0, 1, ... until its first fit.
        scaling : Scaling, float or sequence of float, optional
            Scaling of the features, such as ``scaling_`` of another trainer. By default the scaling
            stays; a trainer without weights does not scale, or uses the factors that are its
            setting ``scaling``.

        Raises
        ------
        TypeError, ValueError
            If the arrays do not fit together or do not fit the trained network.
        """
        model = self._model or given_model(weights, scaling, self)
        model = model.with_weights(weights, classes, scaling)
        self._model = model.restarted() if self._fitting is None else model

    def loss_and_gradient(
        self, X: npt.ArrayLike, Y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> tuple[float, list[Floats]]:
        """Return the mean loss on rows X with targets Y, and its gradient by the weights.

        For optimizers and analyses of your own: set weights by ``set_weights``. Nothing is trained.

        Parameters
        ----------
        X, Y, sample_weight
            As for ``evaluate``.

        Returns
        -------
        float
            The loss as from ``evaluate``, without penalties.
        list of array
            Its derivatives by the arrays of ``get_weights``, of the same shapes and dtypes.

        Raises
        ------
        TypeError, ValueError
            As ``evaluate``.
        FloatingPointError
            When the loss is not finite.
        """
        return loss_and_gradient(self.model_, self.threads, X, Y, sample_weight)

    def summary(self) -> str:
        """Text that lists the layers, their parameters, and the memory of weights and of a fit.

        Print it: ``print(trainer.summary())``.

        Raises
        ------
        NotFittedError
            Before there are weights, as the numbers of inputs and outputs depend on the data.
        """
        model, settings = self.model_, resolved(choices(self), 1, validated=False)
        if self.batch_size == "auto":
            batch_size = self.auto_.get("batch_size", LARGEST_BATCH)
            settings = replace(settings, batch_size=batch_size)
        return summary(model, settings)
