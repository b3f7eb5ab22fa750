"""Trainer: settings, fits and their relatives as users see them; no arithmetic."""

from __future__ import annotations

import copy
import threading
import time
import warnings
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from .data import outside
from .data.chunks import as_chunks
from .fitting.dataset import FitData, fit_data
from .fitting.diagnostics import FitWarning
from .fitting.loop import EpochResult, Fit
from .fitting.progress import say
from .fitting.refit import StopsWith, refit_settings
from .fitting.start import check_continues
from .fitting.summary import summary
from .history import History
from .inference.predictor import Predictor
from .kernels.language.jit import announcing
from .network.model import Model, given_model
from .network.state import check_picklable, learned_state, plain_state, restored, with_settings
from .settings import Choices, FitSettings, auto_values, choices, resolved
from .settings.combinations import check_open_ended
from .settings.defaults import LARGEST_BATCH
from .settings.values import as_tuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import numpy.typing as npt

    from .inputs import Scaling


class Trainer(Predictor):
    """Train a multilayer perceptron: a classifier, or a regression.

    Dense layers, trained by mini-batches in compiled, multithreaded kernels. The result does not
    depend on the number of threads.

    The parameters are attributes too, kept as they were given. One that is assigned counts from
    the next fit on; ``learning_rate``, in a callback, from the next epoch on. Notes has a table of
    what "auto" stands for; after a fit ``auto_`` has the values.

    Parameters
    ----------
    hidden : int or sequence of int, default 128
        Units of the hidden layers; ``()`` for a linear model.
    activation : str or sequence of str, default "relu"
        Activation of the hidden layers, or of each: "identity", "relu", "leaky_relu" (slope 0.01),
        "tanh", "logistic", "elu", "selu", "gelu" (exact), "silu", "mish", "softplus".
    initializer : str, default "glorot_uniform"
        Distribution of the first weights: "glorot_uniform", "glorot_normal", "he_uniform",
        "he_normal", "lecun_normal", "orthogonal", "normal" (mean 0, variance 1), or "auto", by the
        activation: "lecun_normal" for selu, "glorot_uniform" for tanh, logistic, identity and the
        outputs, else "he_uniform". Biases start at 0.
    dropout : float or sequence of float, default 0.0
        Fraction of the hidden units dropped for each sample in training, the others being scaled
        up; or the fraction of the features, followed by that of each hidden layer.
    loss : str or object of ``fastmlp.losses``, default "auto"
        "softmax_cross_entropy" (labels, one-hot rows, or rows of probabilities of classes),
        "binary_cross_entropy" (two classes from one output, or columns of labels 0 and 1),
        "squared_error" (half of it), "absolute_error", "huber", "quantile", "poisson".
    class_weight : mapping or "balanced", optional
        Weights of classes in training, 1 where none is named; "balanced" gives all classes the same
        total weight. They multiply ``sample_weight``.
    label_smoothing : float, default 0.0
        Fraction of each label that is spread evenly over all classes, in the losses of classes.
    optimizer : str or object of ``fastmlp.optimizers``, default "adam"
        "sgd", "adam", "adamw", "amsgrad", "rmsprop", "adagrad", "lion"; objects such as
        ``SGD(momentum=0.9, nesterov=True)`` have further settings.
    learning_rate : float, optional
        Short for that of the optimizer, by default 0.1 for SGD, which wants features of about unit
        size, 0.001 for the others, or higher, see Notes.
    schedule : str, object of ``fastmlp.schedules``, or callable, default "auto"
        Factor of the learning rate, update by update: "constant", "step", "exponential", "cosine",
        "one_cycle", "coslog4", "inverse_scaling", "reduce_on_plateau". A callable gets the number
        of the update, from 0, and gives the learning rate itself, as in Keras.
    l2, l1 : float, default 0.0
        Penalties l2 / 2 * sum W^2 and l1 * sum abs(W), added to the mean loss of a batch, of the
        weights of all layers, not of biases. Where ``fit`` scales targets, they act on the scaled
        problem.
    clip_norm : float, optional
        Largest norm of the gradient, of all weights and biases with penalties; longer ones are
        scaled down to it.
    epochs : int, default "auto"
        Passes over the training rows, at the most.
    batch_size : int, default "auto"
        Rows of a mini-batch; more than there are means all.
    weight_averaging : float, default "auto"
        Fraction that the averaged weights keep of themselves at each epoch, the rest coming from
        the epoch; over the first epochs they are the mean. The averaged weights are validated, kept
        and predict; the training goes on from its own. 0 for none.
    shuffle : bool, default True
        Draw a new order of the rows for every epoch; otherwise they come as given.
    scaling : str, float or sequence of float, default "auto"
        Scaling of the features, learned from the training rows: "standard" (mean 0, standard
        deviation 1), "robust" (median 0, quartiles 1 apart, smoothly clipped at 3), "piecewise"
        (robust, and beside each feature of more than two values up to 16 piecewise-linear bins, cut
        at its quantiles, as further inputs), "quantile" (a piecewise-linear map to the normal
        distribution), "max_abs" (largest value 1), a factor, or one for each feature (each input,
        where ``fit`` makes more of them); None for none.
    missing : {"error", "impute"}
        Gaps among the numbers of X (NaN, None or NA) are an error, or filled with the median of the
        training rows; a column with gaps among those gets another one of 0 and 1 that marks them.
    validation_fraction : float, default "auto"
        Fraction of the rows that is kept for validation.
    validation_split : {"auto", "last", "shuffled", "stratified"}
        The rows kept: the last ones, any by the seed, or any with as many of each class; "auto" is
        the latter for labels, for others "shuffled".
    early_stopping : bool or EarlyStopping, default "auto"
        True is ``fastmlp.callbacks.EarlyStopping()``: stop when ``val_loss``, or without validation
        data ``loss``, has not fallen for 10 epochs, and restore the weights of the best one.
    refit : bool, default False
        When early stopping has found the best epoch, train afresh on all rows, up to that epoch.
        History and callbacks know of the first training alone. Its weights stay if the second one
        is interrupted, or diverges, which is a warning.
    metrics : str, callable, or sequence of them, default "auto"
        Recorded beside the loss: "accuracy" (of rows of labels, those right in every column),
        "balanced_accuracy", "f1", "top_k" (5), "roc_auc", "log_loss", "mse", "mae", "r2", or
        functions ``(y_true, y_pred)``. "auto" is accuracy, for numbers r2; these are of the
        training as it went, others are computed after the epoch.
    time_budget : float, optional
        Seconds from the start of the fit, compilation included, after which it ends: an unfinished
        epoch is dropped, unless it is the first. Time for the scores is kept; that of callbacks
        comes on top.
    dtype : {"float32", "float64"}
        Type in which the network computes.
    threads : int, optional
        Threads at the most; by default as many as the process may use.
    seed : int, optional
        Seed of the first weights and of the orders of rows.
    warm_start : bool, default False
        ``fit`` continues from the present weights instead of starting afresh.
    verbose : {0, 1, 2}
        1 shows a bar with loss, metrics, speed and the time that is left, in a terminal or a
        notebook where tqdm is installed (``pip install 'fastmlp[progress]'``), and otherwise, as 2
        does, a line per epoch. First come a line of what "auto" became, and one when kernels are
        being compiled.
    callbacks : callable or object of ``fastmlp.callbacks``, or a sequence of them
        Each is called as ``callback(trainer, epoch, logs)`` after every epoch, counted from 0,
        with the numbers of that epoch. The training goes on from weights that it sets;
        ``trainer.stop_training = True`` ends it. What it returns is ignored. Copies of the trainer
        share the callbacks, pickles carry them.

    Attributes
    ----------
    history : History
        A dict of lists with an element per epoch: ``loss`` (the mean over the samples as they were
        trained on, without penalties), ``accuracy`` for classes and labels or ``r2`` for numbers,
        ``val_loss``, ``val_accuracy`` or ``val_r2``, ``learning_rate`` (of the last update),
        ``seconds``.
    stop_training : bool
        Set by a callback, to stop after the present epoch; a fit begins with False.
    classes_ : array of shape (c,)
        The labels, sorted; column k of probabilities belongs to ``classes_[k]``.
    scaling_ : Scaling
        The scaling of the features: ``kind``, ``reason`` (of "auto"), ``centre``, ``factor``.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str, shape (n_features_in_,)
        Their names, where X was a table with names. Other tables must have them in the same order.
    layer_sizes_ : tuple of int
        Inputs, units of the hidden layers, outputs of the present network. Categories, gaps and
        bins of features make more inputs than there are features.
    model_ : Model
        All that has been learned, as one object that never changes in place.
    auto_ : dict
        The values of settings that are "auto" in the last fit; of early stopping its ``patience``.
    n_iter_ : int
        Epochs of the last fit.
    best_epoch_ : int
        The epoch, from 0, whose monitored value was the best, with early stopping; else the last.
    stop_reason_ : str
        Why the last fit ended: "epochs", "early_stopping", "time_budget", "callback".

    Raises
    ------
    TypeError, ValueError
        For a parameter of the wrong type or value, when it is set; at a fit, for one that
        contradicts another.
    AttributeError
        For an attribute whose name is nearly that of a parameter.

    Notes
    -----
    "auto", where all of these six are (``learning_rate`` None, for an optimizer of a lower rate):

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

    With fewer than 40 rows and no validation data, and where ``epochs`` or ``early_stopping`` is
    given, the others stand for no early stopping, a constant default rate, no averaging, and
    epochs of 3,000 updates, 60,000 with early stopping. Early stopping that needs validation data
    keeps 0.15 of the rows if none are given. Without averaging its patience is 20. Epochs are 10 to
    400; 10 passes over a stream, of which no rows are kept. A batch is a power of 2 from 16 to 128,
    about a twentieth of the rows.

    ``loss`` is softmax_cross_entropy for labels and one-hot rows, binary_cross_entropy for other
    rows of 0 and 1, squared_error for floats that are not all whole numbers and for columns of
    numbers. More than 30 different whole numbers in one column could be either, and are an error.

    ``scaling`` divides pixels (16 or more features of one unit, none negative, many 0 or all uint8)
    by their largest value, leaves those between 0 and 1 and features of about unit size alone, and
    is "piecewise" for others: "standard" in a linear model, "robust" where there are fewer than 256
    rows, more than 256 features, or mostly zeros.

    These defaults were chosen on real tables of 800 to 5,000 rows, see ``asv_benchmarks/defaults``,
    by the test scores of those to tune on and to check on: piecewise scaling gave mean accuracy
    +0.005 and mean R² +0.016 over robust scaling, averaged weights R² +0.006. Dropout, weight
    decay, penalties, other rates, schedules and batches, smoothed labels, smooth activations, more
    units and more layers each changed one of them by less than 0.005, or lowered one.
    ``refit=True`` gives +0.0035 to both, for half as much time again. On MNIST (60,000 rows of
    bytes, 128 hidden units) the defaults reach 98.02 to 98.23% over 6 seeds.

    Examples
    --------
    >>> import numpy as np, fastmlp
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> trainer = fastmlp.Trainer(hidden=8, seed=0).fit(X, X[:, 0] > 0)
    >>> trainer.predict(X[:5]).shape
    (5,)
    """

    def __post_init__(self) -> None:
        self.history = History()
        self.n_iter_, self.best_epoch_, self.stop_reason_ = 0, 0, ""
        self.auto_: dict[str, Any] = {}
        self.stop_training = False
        self._model = None
        self._fitting: threading.Thread | None = None

    def fit(
        self,
        X: npt.ArrayLike,
        Y: npt.ArrayLike,
        *,
        sample_weight: npt.ArrayLike | None = None,
        validation_data: Sequence[Any] | None = None,
    ) -> Trainer:
        """Train on the rows of X.

        Parameters
        ----------
        X : array of shape (n, d)
            Finite numbers, or a table of columns of such, or of categories (pandas, Polars,
            PyArrow). C-contiguous arrays of the trainer's dtype, and uint8, are read in place.

            Columns of pandas' dtype category, Categorical and Enum of Polars, and dictionaries of
            PyArrow are categories: each category of the training rows becomes a column of 0 and 1,
            2,000 in all at the most. Other tables are matched by what the categories are called,
            whatever their codes, also where they hold plain values; one that is unknown or missing
            has no 1. The network's inputs are the columns of numbers, those of 0 and 1, and those
            that tell of gaps, in this order.
        Y : array of shape (n,) or (n, c)
            Labels (integers, strings, booleans), one-hot rows, shares of classes, rows of 0 and 1,
            or numbers, see ``loss``. Numbers are centred and scaled inside, each column by its mean
            and standard deviation over the training rows, counts by their mean; predictions, losses
            and Huber's delta are in their unit.
        sample_weight : array of shape (n,), optional
            A weight of k counts as k rows, one of 0 as none. The mean loss of a batch is divided by
            the sum of its weights.
        validation_data : (X, Y) or (X, Y, sample_weight), optional
            Rows to evaluate after every epoch, in place of ``validation_fraction``.

        Returns
        -------
        Trainer
            Itself.

        Raises
        ------
        TypeError, ValueError
            For unusable input; the trainer keeps the state that it had.
        RuntimeError
            If a fit of this trainer is going on, as in its own callbacks.
        FloatingPointError
            When the loss or the weights are no longer finite. The weights, as after an interrupt
            or an exception in a callback, are those of the last finished epoch.
        """
        with self._being_fitted() as began:
            chosen = choices(self)
            if chosen.refit and validation_data is not None:
                raise ValueError(
                    "refit has no effect beside validation_data, whose rows are not trained on; "
                    "got refit=True"
                )
            known = self._continued(chosen, warm_start=chosen.warm_start)
            resolve = partial(resolved, chosen, validated=validation_data is not None)
            data = fit_data(
                X, Y, sample_weight, validation_data, resolve, known.encoding if known else None
            )
            self.auto_ = auto_values(chosen, data.settings, data.encoding.outputs.loss.name)
            fit = Fit(self, self._publish, data, known, began)
            fit.run()
            fit.diagnose()
            if data.settings.refit and data.validation is not None:
                settings = refit_settings(data.settings, self.best_epoch_ + 1, fit.learning_rate)
                self._refit(settings, X, Y, sample_weight)
        return self

    def _refit(self, settings: FitSettings, X: Any, Y: Any, sample_weight: Any) -> None:
        """Train afresh on all rows. A training that fails or is stopped changes nothing."""
        settings = settings.changed(callbacks=(StopsWith(self),))
        data = fit_data(X, Y, sample_weight, None, lambda n_rows: settings, None)
        if self.verbose:
            say(f"once more, on all {len(data.X):,} rows: {settings.epochs} epochs")
        rate, self.stop_training = settings.learning_rate, False
        again = Trainer(learning_rate=rate.value if rate.source == "given" else None)
        try:
            Fit(again, again._publish, data, None, time.perf_counter()).run()
        except FloatingPointError as error:
            warnings.warn(
                f"the training on all rows failed, so that on a part of them stays: {error}",
                FitWarning,
                stacklevel=outside(),
            )
        else:
            if not self.stop_training:
                self.model_ = again.model_

    def partial_fit(
        self,
        X: npt.ArrayLike,
        Y: npt.ArrayLike,
        classes: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Trainer:
        """Train on the rows of X once, going on from what there is.

        The optimiser's state is kept, and the epoch is appended to the history. Settings of a whole
        fit (``epochs``, ``warm_start``) do not matter here.

        Parameters
        ----------
        X, Y, sample_weight
            As for ``fit``. What is learned of the data beforehand (centre and spread of numbers,
            categories, medians) comes from the first call.
        classes : array, optional
            All labels there are, sorted; at the first call, by default those of its Y.

        Returns
        -------
        Trainer
            Itself.

        Raises
        ------
        TypeError, ValueError
            As ``fit``; and if a setting has no effect here: early stopping, a fraction for
            validation, a time budget, or a schedule that must know the number of updates.
        """
        with self._being_fitted() as began:
            chosen = self._open_ended("partial_fit")
            chosen.epochs = 1
            known = self._continued(chosen, warm_start=True)
            resolve = partial(resolved, chosen, validated=False, open_ended=True)
            data = fit_data(
                X, Y, sample_weight, None, resolve, known.encoding if known else None, classes
            )
            Fit(
                self, self._publish, data, known, began, lambda: iter([data]), before=self.history
            ).run()  # fmt: skip
        return self

    def fit_stream(
        self,
        chunks: Iterable[Any] | Callable[[], Iterable[Any]],
        *,
        classes: npt.ArrayLike | None = None,
        validation_data: Sequence[Any] | None = None,
    ) -> Trainer:
        """Train on data that come in chunks, of which two are held at a time.

        Parameters
        ----------
        chunks : iterable, or callable that makes one
            Of (X, Y) or (X, Y, sample_weight), as for ``fit``; an epoch goes through all of them
            once, in their order, rows being shuffled within each. An iterable serves one epoch, a
            callable is called for each. What is learned of the data beforehand (centre and spread
            of numbers, categories, medians) comes from the first chunk.
        classes : array, optional
            All labels there are, sorted; needed where the first chunk does not hold them all.
        validation_data : (X, Y) or (X, Y, sample_weight), optional
            Rows to evaluate after every epoch.

        Returns
        -------
        Trainer
            Itself.

        Raises
        ------
        TypeError, ValueError
            As ``fit``; if there is no chunk, an iterable is to serve several epochs, or a setting
            has no effect here: a fraction for validation, a schedule that must know the number of
            updates. Metrics other than accuracy and r2 are those of ``validation_data`` alone.
        """
        with self._being_fitted() as began:
            chosen = self._open_ended("fit_stream")
            known = self._continued(chosen, warm_start=chosen.warm_start)
            stream = as_chunks(chunks, chosen.epochs)
            if not callable(chunks):
                chosen.epochs = 1
            validated = validation_data is not None
            resolve = partial(resolved, chosen, validated=validated, open_ended=True)
            # Nothing here holds the first chunk, so that it can go when the next one comes.
            data = fit_data(
                *stream.first(),
                validation_data,
                resolve,
                known.encoding if known else None,
                classes,
            ).without_rows()

            def parts() -> Iterator[FitData]:
                for chunk in stream.epoch():
                    yield fit_data(*chunk, None, lambda n_rows: data.settings, data.encoding)

            self.auto_ = auto_values(chosen, data.settings, data.encoding.outputs.loss.name)
            Fit(self, self._publish, data, known, began, parts).run()
        return self

    def _publish(self, result: EpochResult) -> None:
        """One step: an interrupt finds an epoch that is finished, or none of it."""
        vars(self).update(
            _model=result.model, history=result.history, n_iter_=result.number + 1,
            best_epoch_=result.best_epoch,
        )  # fmt: skip

    def _open_ended(self, method: str) -> Choices:
        """The settings of a fit to which more rows may come."""
        if self.refit:
            raise ValueError(f"refit has no effect in {method}; got {self.refit}")
        chosen = choices(self)
        check_open_ended(chosen, method)
        return chosen

    def _continued(self, chosen: Choices, *, warm_start: bool) -> Model | None:
        """The model that a fit goes on from; its network keeps its shape and dtype."""
        if self._model is None or not warm_start:
            return None
        check_continues(self._model, chosen)
        return self._model

    @contextmanager
    def _being_fitted(self) -> Iterator[float]:
        """Keep other fits of this trainer out meanwhile; gives the time at the beginning."""
        began, thread = time.perf_counter(), threading.current_thread()
        # Interrupts and other threads come in at calls: there is none between this question, where
        # nobody fits, and the answer, nor before that is taken back.
        if self._fitting is not None and self._fitting.is_alive():
            raise RuntimeError(
                "this trainer is being fitted: a callback may set its weights or learning rate, "
                "or fit a copy of it"
            )
        try:
            self.__dict__["_fitting"] = thread
            with self._announcing():
                yield began
        finally:
            self.__dict__["_fitting"] = None
            self.history.cut(self.n_iter_)

    def _announcing(self) -> AbstractContextManager[None]:
        if not self.verbose:
            return nullcontext()
        return announcing(lambda: say("compiling kernels, once on this machine: a few seconds"))

    def set_weights(
        self,
        weights: Sequence[npt.ArrayLike],
        classes: npt.ArrayLike | None = None,
        scaling: Scaling | float | npt.ArrayLike | None = None,
    ) -> None:
        """Set [W1, b1, W2, b2, ...], as from ``get_weights``.

        In a callback, the training goes on from them with the optimiser's state as it is.
        Otherwise that state and the order of rows start afresh; ``fit`` then continues from the
        weights only with ``warm_start=True``. The settings stay as they are: ``layer_sizes_`` tells
        the sizes that the weights define.

        Parameters
        ----------
        weights : sequence of array
            W of shape (n_in, n_out) and b of shape (n_out,), layer by layer. If there is a network
            they must have its sizes.
        classes : array of shape (c,), optional
            Labels of the output columns, as ``classes_``. Without them the labels stay; on a
            trainer without weights they are 0, 1, ... until a fit says otherwise.
        scaling : Scaling, float or sequence of float, optional
            What is done to features, as ``scaling_`` of another trainer. Without it the scaling
            stays; a trainer without weights takes features as they come, or times the factor that
            is the setting ``scaling``.

        Raises
        ------
        TypeError, ValueError
            If the arrays do not fit together or do not fit the trained network.
        """
        model = self._model or given_model(weights, scaling, self)
        model = model.with_weights(weights, classes, scaling)
        self._model = model.restarted() if self._fitting is None else model

    def summary(self) -> str:
        """Layers with their units and parameters, and the memory of weights and of a fit.

        A text to be printed: ``print(trainer.summary())``.

        Raises
        ------
        NotFittedError
            Before there are weights, as the data say how many inputs and outputs there are.
        """
        model, settings = self.model_, resolved(choices(self), 1, validated=False)
        if self.batch_size == "auto":
            batch_size = self.auto_.get("batch_size", LARGEST_BATCH)
            settings = settings.changed(batch_size=batch_size)
        return summary(model, settings)

    def get_state(self) -> dict[str, Any]:
        """What has been learned and recorded, as arrays and plain values, without the settings.

        A trainer of the same settings that gets it, with ``warm_start=True`` and the epochs that
        are left, goes on bit for bit as if nothing had come between.
        """
        return learned_state(self._plain_state())

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take what ``get_state`` gave, here or elsewhere.

        Raises
        ------
        ValueError
            If it is something else, or damaged; the trainer keeps what it had.
        """
        self._restore(with_settings(state, self._plain_state()))

    def _plain_state(self) -> dict[str, Any]:
        attributes = dict(vars(self))  # one step: another thread may be fitting
        del attributes["_fitting"]
        return plain_state(attributes.pop("_model"), attributes.pop("history"), attributes)

    def _restore(self, state: Any) -> None:
        attributes, history, model = restored(state)
        vars(self).update(attributes, history=history, _model=model, _fitting=None)

    def __copy__(self) -> Trainer:
        new = type(self).__new__(type(self))
        new._restore(self._plain_state())
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> Trainer:
        new = memo[id(self)] = type(self).__new__(type(self))
        # The callbacks themselves are shared: one that keeps copies of the trainer would otherwise
        # copy all its earlier copies.
        memo.update({id(callback): callback for callback in as_tuple(self.callbacks)})
        new._restore(copy.deepcopy(self._plain_state(), memo))
        return new

    def __getstate__(self) -> dict[str, Any]:
        check_picklable(as_tuple(self.callbacks), Trainer)
        return self._plain_state()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._restore(state)
