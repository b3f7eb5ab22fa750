"""Trainer: the story of a fit on one page."""

import copy
import inspect
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from reprlib import recursive_repr
from typing import Any

import numpy.typing as npt

from .callbacks import Callback, EarlyStopping
from .data import check_classes
from .data.chunks import as_chunks
from .fitting.dataset import FitData, fit_data
from .fitting.loop import Fit
from .fitting.progress import say
from .fitting.refit import refitted
from .fitting.summary import summary
from .history import History
from .inference.predictor import Predictor
from .inputs import Columns, Inputs, Scaling
from .kernels.language.jit import announcing
from .losses import Loss
from .network.encoding import Encoding
from .network.given import check_weights
from .network.model import Model
from .network.network import Network
from .network.state import check_picklable, learned_state, plain_state, restore, set_learned
from .optimizers import Optimizer
from .outputs import given_outputs
from .schedules import ReduceOnPlateau, Schedule
from .settings import SETTINGS, Settings, as_callables, check_setting, near_miss
from .settings.defaults import LARGEST_BATCH, told
from .settings.given import check_open_ended


class Trainer(Predictor):
    """Train a multilayer perceptron: a classifier, or a regression.

    Dense layers, trained by mini-batches in compiled, multithreaded kernels. The result does not
    depend on the number of threads.

    The parameters are attributes too, kept as they were given. One that is assigned counts from
    the next fit on; ``learning_rate``, during a fit, from the next epoch on.

    Parameters
    ----------
    hidden : int or sequence of int, default 128
        Units of the hidden layers; ``()`` for a linear model.
    activation : str or sequence of str, default "relu"
        Activation of the hidden layers, or of each: "identity", "relu", "leaky_relu" (slope 0.01),
        "tanh", "logistic", "elu", "selu", "gelu" (exact), "silu", "mish", "softplus".
    initializer : str, default "glorot_uniform"
        Distribution of the first weights: "glorot_uniform", "glorot_normal", "he_uniform",
        "he_normal", "lecun_normal", "orthogonal", "normal" (mean 0, variance 1), or "auto", which
        suits the activation: "lecun_normal" for selu, "glorot_uniform" for tanh, logistic, identity
        and the outputs, else "he_uniform". Biases start at 0.
    dropout : float or sequence of float, default 0.0
        Share of the hidden units that each sample drops in training, the others being scaled up; or
        the share of the features followed by that of each hidden layer.
    loss : str or object of ``fastmlp.losses``, default "auto"
        "softmax_cross_entropy" (labels, one-hot rows, or rows of shares of classes),
        "binary_cross_entropy" (two classes from one output, or rows of 0 and 1 that are labels),
        "squared_error" (half of it), "absolute_error", "huber", "quantile", "poisson". "auto" goes
        by Y: the first for labels and one-hot rows, the second for other rows of 0 and 1,
        "squared_error" for floats that are not all whole numbers, and for columns of numbers. More
        than 30 different whole numbers in one column could be either, and are an error.
    class_weight : mapping or "balanced", optional
        Weights of classes in training, 1 where none is named; "balanced" gives all classes the same
        total weight. They multiply ``sample_weight``.
    label_smoothing : float, default 0.0
        Share of each label that is spread evenly over all classes, in the losses of classes.
    optimizer : str or object of ``fastmlp.optimizers``, default "adam"
        "sgd", "adam", "adamw", "amsgrad", "rmsprop", "adagrad", "lion"; objects such as
        ``SGD(momentum=0.9, nesterov=True)`` say more.
    learning_rate : float, optional
        Short for that of the optimizer; default 0.1 for SGD, which wants features of about unit
        size, 0.001 for the others, but see ``schedule`` and ``weight_averaging``.
    schedule : str, object of ``fastmlp.schedules``, or callable, default "auto"
        Factor of the learning rate, update by update: "constant", "step", "exponential", "cosine",
        "one_cycle", "coslog4", "inverse_scaling", "reduce_on_plateau". A callable gets the number
        of the update, from 0, and gives the learning rate itself, as in Keras. "auto" is constant;
        for 20,000 rows or more, where ``epochs`` and ``early_stopping`` are "auto" too, it is
        "one_cycle", 7,000 updates long, with a default rate of 0.003; for linear models always,
        3,000 long for fewer rows, with a rate of 0.01.
    l2, l1 : float, default 0.0
        Penalties l2 / 2 * sum W^2 and l1 * sum abs(W), added to the mean loss of a batch, of the
        weights of all layers, not of biases. Where targets are scaled, see ``fit``, they act on the
        scaled problem.
    clip_norm : float, optional
        Largest norm of the gradient, of all weights and biases with penalties; longer ones are
        scaled down to it.
    epochs : int, default "auto"
        Passes over the training rows, at the most. "auto" allows for 60,000 updates, 10 to 400
        epochs, where early stopping ends the training, and makes 3,000 updates where it does not;
        10 passes over a stream.
    batch_size : int, default "auto"
        Rows of a mini-batch; more than there are means all. "auto" is a power of 2 from 16 to 128,
        about twenty batches an epoch where there are few rows.
    weight_averaging : float, default "auto"
        What is validated, kept and predicts are weights averaged over the epochs: after each, this
        share of the average so far and the rest of the epoch's weights, of the first epochs their
        mean. The training goes on from its own. 0 for none. "auto" is 0.9 where early stopping is
        automatic and ends the training, with a default rate of 0.003, otherwise 0.
    shuffle : bool, default True
        Draw a new order of the rows for every epoch; otherwise they are taken as given.
    scaling : str, float or sequence of float, default "auto"
        What is done to features on the way in, learned from the training rows, in the precision in
        which they come: "standard" (mean 0, standard deviation 1), "robust" (median 0, quartiles 1
        apart, smoothly clipped at 3), "piecewise" (the same, and beside each feature of more than
        two values up to 16 inputs that tell between which of its quantiles it lies, which the
        kernels make as they read rows), "quantile" (a piecewise linear map to the normal
        distribution), "max_abs" (largest value 1), a factor, or one for each feature (each input,
        where ``fit`` makes more of them); None for nothing. "auto" divides pixels (16 or more
        features of one unit, none negative, many 0 or all uint8) by their largest value, leaves
        those between 0 and 1 and features of about unit size alone, and takes "piecewise" for
        others: "standard" in a linear model, "robust" where there are fewer than 256 rows, more
        than 256 features, or mostly zeros. ``scaling_`` tells what it chose.
    missing : {"error", "impute"}
        What gaps among the numbers of X are, which are NaN, None or NA: an error, or filled with
        the median of the training rows; a column that had gaps among those gets another one of 0
        and 1 that tells where.
    validation_fraction : float, default "auto"
        Part of the rows that is kept for validation. "auto" is 0.15 where early stopping wants
        validation data and none are given, otherwise 0.
    validation_split : {"auto", "last", "shuffled", "stratified"}
        Which rows that part is: the last ones, any by the seed, or any with as many of each class;
        "auto" is the latter for labels, for others "shuffled".
    early_stopping : bool or EarlyStopping, default "auto"
        True is ``fastmlp.callbacks.EarlyStopping()``: stop when ``val_loss``, or without validation
        data ``loss``, has not fallen for 10 epochs, and restore the weights of the best one. "auto"
        does so where ``epochs`` is "auto" and there are 40 rows or more, or validation data (but
        see ``schedule``); its patience is 10 epochs, 20 without ``weight_averaging``.
    refit : bool, default False
        When early stopping has found the best epoch, train afresh on all rows, those kept for
        validation too, up to the same epoch. History and callbacks know of the first training
        alone, which stays where the second one is interrupted, or diverges, which is warned of.
        Where "auto" keeps no rows for validation, all are trained on anyway.
    metrics : str, callable, or sequence of them, default "auto"
        What is recorded beside the loss: "accuracy" (of classes; of rows of labels, those that are
        right in every column), "balanced_accuracy", "f1", "top_k" (5), "roc_auc", "log_loss",
        "mse", "mae", "r2", or functions ``(y_true, y_pred)``. "auto" is accuracy, for numbers r2;
        these are of the training as it went, others are taken after the epoch.
    time_budget : float, optional
        Seconds from the start of the fit, compilation included, after which it ends: an unfinished
        epoch is dropped, unless it is the first. An epoch ends early enough for its scores; what
        callbacks do comes on top.
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
        does, a line per epoch. First a line tells what "auto" became, and one when kernels are
        being compiled.
    callbacks : callable or object of ``fastmlp.callbacks``, or a sequence of them
        Each is called as ``callback(trainer, epoch, logs)`` after every epoch, counted from 0,
        with the numbers of that epoch. What it returns does not matter, what it does counts: from
        weights that it sets the training goes on, and ``trainer.stop_training = True`` stops it.
        Copies of the trainer share the callbacks, pickles carry them.

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
        What is done to features: ``kind``, ``reason`` (of "auto"), ``centre``, ``factor``.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str, shape (n_features_in_,)
        Their names, where X was a table with names. Other tables must have them in the same order.
    layer_sizes_ : tuple of int
        Inputs, units of the hidden layers, outputs of the present network. Categories, gaps and
        pieces of features make more inputs than there are features.
    auto_ : dict
        What settings that are "auto" became in the last fit; of early stopping its ``patience``.
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
    The defaults were tried out on real tables of 800 to 5,000 rows, see
    ``asv_benchmarks/defaults``. Their test scores chose them, on those to tune on and to check on:
    piecewise scaling, with mean accuracy +0.005 and mean R² +0.016 over robust scaling, and
    averaged weights, with R² +0.006. Dropout, weight decay, penalties, other rates, schedules and
    batches, smoothed labels, smooth activations, more units and more layers each changed one of
    them by less than 0.005, or lowered one. ``refit=True`` gives +0.0035 to both, for half as much
    time again. On MNIST (60,000 rows of bytes, 128 hidden units) the defaults reach 98.02 to 98.23%
    over 6 seeds.

    Examples
    --------
    >>> import numpy as np, fastmlp
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> trainer = fastmlp.Trainer(hidden=8, seed=0).fit(X, X[:, 0] > 0)
    >>> trainer.predict(X[:5]).shape
    (5,)
    """

    def __init__(
        self,
        hidden: int | Sequence[int] = 128,
        *,
        activation: str | Sequence[str] = "relu",
        initializer: str = "glorot_uniform",
        dropout: float | Sequence[float] = 0.0,
        loss: str | Loss = "auto",
        class_weight: str | Mapping[Any, float] | None = None,
        label_smoothing: float = 0.0,
        optimizer: str | Optimizer = "adam",
        learning_rate: float | None = None,
        schedule: str | Schedule | ReduceOnPlateau | Callable[[int], float] | None = "auto",
        l2: float = 0.0,
        l1: float = 0.0,
        clip_norm: float | None = None,
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        weight_averaging: float | str = "auto",
        shuffle: bool = True,
        scaling: str | float | npt.ArrayLike | None = "auto",
        missing: str = "error",
        validation_fraction: float | str = "auto",
        validation_split: str = "auto",
        early_stopping: bool | str | EarlyStopping = "auto",
        refit: bool = False,
        metrics: str | Callable[..., float] | Sequence[str | Callable[..., float]] = "auto",
        time_budget: float | None = None,
        dtype: npt.DTypeLike = "float32",
        threads: int | None = None,
        seed: int | None = None,
        warm_start: bool = False,
        verbose: int = 0,
        callbacks: Callable[..., Any] | Callback | Sequence[Callable[..., Any] | Callback] = (),
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.initializer = initializer
        self.dropout = dropout
        self.loss = loss
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.l2 = l2
        self.l1 = l1
        self.clip_norm = clip_norm
        self.epochs = epochs
        self.batch_size = batch_size
        self.weight_averaging = weight_averaging
        self.shuffle = shuffle
        self.scaling = scaling
        self.missing = missing
        self.validation_fraction = validation_fraction
        self.validation_split = validation_split
        self.early_stopping = early_stopping
        self.refit = refit
        self.metrics = metrics
        self.time_budget = time_budget
        self.dtype = dtype
        self.threads = threads
        self.seed = seed
        self.warm_start = warm_start
        self.verbose = verbose
        self.callbacks = callbacks
        self.history = History()
        self.n_iter_, self.best_epoch_, self.stop_reason_ = 0, 0, ""
        self.auto_: dict[str, Any] = {}
        self.stop_training = False
        self._model: Model | None = None
        self._fitting: threading.Thread | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name in SETTINGS:
            check_setting(name, value)
        elif not hasattr(self, name) and (meant := near_miss(name)):
            raise AttributeError(f"Trainer has no setting {name!r}; did you mean {meant!r}?")
        super().__setattr__(name, value)

    @recursive_repr("Trainer(...)")  # a callback may be a method of this trainer
    def __repr__(self) -> str:
        given = [f"hidden={self.hidden!r}"]
        for name, parameter in inspect.signature(Trainer).parameters.items():
            value = getattr(self, name)
            # An array compares item by item.
            if name != "hidden" and repr(value) != repr(parameter.default):
                given.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(given)})"

    def fit(
        self,
        X: npt.ArrayLike,
        Y: npt.ArrayLike,
        *,
        sample_weight: npt.ArrayLike | None = None,
        validation_data: Sequence[Any] | None = None,
    ) -> "Trainer":
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
            settings = self._settings()
            known = self._continued(settings)
            encoding = known.encoding if known else None
            data = fit_data(X, Y, sample_weight, validation_data, settings, encoding)
            if settings.refit and validation_data is not None:
                raise ValueError(
                    "refit has no effect beside validation_data, whose rows are not trained on; "
                    "got refit=True"
                )
            self.auto_ = told(settings, data.settings)
            fit = Fit(self, data, known, began=began)
            fit.run()
            fit.judge()
            if settings.refit and data.validation is not None:
                self._model = refitted(self, data, X, Y, sample_weight) or self._model
        return self

    def partial_fit(
        self,
        X: npt.ArrayLike,
        Y: npt.ArrayLike,
        classes: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
    ) -> "Trainer":
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
            settings = self._open_ended("partial_fit", epochs=1, warm_start=True)
            known = self._continued(settings)
            data = self._first_data((X, Y, sample_weight), None, settings, known, classes)
            Fit(
                self, data, known, began=began, history=self.history,
                stream=lambda: iter([data]),
            ).run()  # fmt: skip
        return self

    def fit_stream(
        self,
        chunks: Iterable[Any] | Callable[[], Iterable[Any]],
        *,
        classes: npt.ArrayLike | None = None,
        validation_data: Sequence[Any] | None = None,
    ) -> "Trainer":
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
            settings = self._open_ended("fit_stream")
            known = self._continued(settings)
            stream = as_chunks(chunks, settings.epochs)
            if not callable(chunks):
                settings = settings.changed(epochs=1)
            data = self._first_data(stream.first(), validation_data, settings, known, classes)

            def epoch() -> Iterator[FitData]:
                for X, Y, weights in stream.epoch():
                    yield fit_data(X, Y, weights, None, data.settings, data.encoding)

            self.auto_ = told(settings, data.settings)
            Fit(self, data.without_rows(), known, began=began, stream=epoch).run()
        return self

    @staticmethod
    def _first_data(
        rows: tuple[Any, Any, Any], validation_data: Any, settings: Settings,
        known: Model | None, classes: Any,
    ) -> FitData:  # fmt: skip
        encoding = known.encoding if known else None
        X, Y, sample_weight = rows
        return fit_data(
            X, Y, sample_weight, validation_data, settings, encoding, classes, open_ended=True
        )

    def _settings(self, **changes: Any) -> Settings:
        return Settings(**{name: getattr(self, name) for name in SETTINGS} | changes)

    def _open_ended(self, method: str, **changes: Any) -> Settings:
        """Settings for rows that come one after the other."""
        if self.refit:
            raise ValueError(f"refit has no effect in {method}; got {self.refit}")
        settings = self._settings(**changes)
        check_open_ended(settings, method)
        return settings

    @contextmanager
    def _being_fitted(self) -> Iterator[float]:
        """Nobody else fits meanwhile; gives the time at the beginning."""
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

    def _continued(self, settings: Settings) -> Model | None:
        """What a fit goes on from; the network then keeps its shape and dtype."""
        learned = self._model
        if learned is None or not settings.warm_start:
            return None
        network = learned.network
        if settings.hidden not in (learned.hidden, network.layer_sizes[1:-1]):
            got = f"hidden={self.hidden!r}, but the network has layers of {network.layer_sizes}"
            raise ValueError(f"warm_start continues a network as it is; got {got}")
        count = len(network.activations)
        if settings.activations(count) != network.activations:
            got = f"activation={self.activation!r}, but the network has {network.activations}"
            raise ValueError(f"warm_start continues a network as it is; got {got}")
        if len(settings.dropouts(count)) not in (0, count + 1):
            got = f"dropout={self.dropout!r}, but the network has {count} hidden layers"
            raise ValueError(f"warm_start continues a network as it is; got {got}")
        if settings.dtype != network.dtype:
            got = f"dtype={settings.dtype.name!r}, but the network is of {network.dtype.name}"
            raise ValueError(f"warm_start continues a network as it is; got {got}")
        return learned

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
        learned = self._model or self._unlearned(weights, scaling)
        network, encoding = learned.network, learned.encoding
        n_inputs, *hidden, n_outputs = network.layer_sizes
        checked = check_weights(
            weights, n_features=n_inputs, n_outputs=n_outputs, hidden=tuple(hidden),
        )  # fmt: skip
        checked = check_weights(encoding.outputs.from_units(checked), dtype=network.dtype)
        if classes is not None:
            labels = check_classes(classes, len(encoding.outputs.labels))
            encoding = replace(encoding, outputs=replace(encoding.outputs, classes=labels))
        if scaling is not None:
            inputs = encoding.inputs.scaled_by(scaling)
            if inputs.count != n_inputs:
                got = f"{inputs.count} with {inputs.scaling}"
                raise ValueError(f"scaling must make {n_inputs} inputs of the features; got {got}")
            encoding = replace(encoding, inputs=inputs)
        learned = replace(learned.settled(network.with_weights(checked)), encoding=encoding)
        if self._fitting is None:
            learned = replace(learned, network=learned.network.restarted(network.rule), random=None)
        self._model = learned

    def _unlearned(self, weights: Sequence[npt.ArrayLike], scaling: Any) -> Model:
        """Around weights that come from outside, and the scaling that goes with them, if any."""
        names = "dtype", "hidden", "activation", "scaling", "loss"
        dtype, hidden, activation, setting, loss = (
            check_setting(name, getattr(self, name)) for name in names
        )
        checked = check_weights(weights, dtype=dtype)
        count = len(checked) // 2 - 1
        activations = activation if isinstance(activation, tuple) else (activation,) * count
        if len(activations) != count:
            got = f"got activation={activation!r} and {count} hidden layers"
            raise ValueError(f"activation must be one name, or one for each hidden layer; {got}")
        network = Network(checked, dtype, activations)
        n_inputs, *_, n_outputs = network.layer_sizes
        outputs = given_outputs(loss, n_outputs)
        pieces = scaling.pieces if isinstance(scaling, Scaling) else None
        inputs = Inputs(Columns(n_inputs - (pieces.count if pieces else 0)))
        if not isinstance(setting, str):
            inputs = inputs.scaled_by(setting)
        encoding = Encoding(inputs, outputs, fitted=False)
        return Model(network, encoding, hidden)

    def summary(self) -> str:
        """Layers with their units and parameters, and the memory of weights and of a fit.

        A text to be printed: ``print(trainer.summary())``.

        Raises
        ------
        NotFittedError
            Before there are weights, as the data say how many inputs and outputs there are.
        """
        changes: dict[str, Any] = {}
        if self.batch_size == "auto":
            changes["batch_size"] = self.auto_.get("batch_size", LARGEST_BATCH)
        return summary(self._fitted(), self._settings(**changes))

    def get_state(self) -> dict[str, Any]:
        """What has been learned and recorded, as arrays and plain values, without the settings.

        A trainer of the same settings that gets it, with ``warm_start=True`` and the epochs that
        are left, goes on bit for bit as if nothing had come between.
        """
        return learned_state(self)

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take what ``get_state`` gave, here or elsewhere.

        Raises
        ------
        ValueError
            If it is something else, or damaged; the trainer keeps what it had.
        """
        set_learned(self, state)

    def __copy__(self) -> "Trainer":
        new = type(self).__new__(type(self))
        restore(new, plain_state(self))
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> "Trainer":
        new = memo[id(self)] = type(self).__new__(type(self))
        # The callbacks themselves are shared: one that keeps copies of the trainer would otherwise
        # copy all its earlier copies.
        memo.update({id(callback): callback for callback in as_callables(self.callbacks)})
        restore(new, copy.deepcopy(plain_state(self), memo))
        return new

    def __getstate__(self) -> dict[str, Any]:
        check_picklable(as_callables(self.callbacks), Trainer)
        return plain_state(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        restore(self, state)
