"""The loop of a fit: epoch after epoch, until there are enough or something stops it."""

import math
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..callbacks import Callback
from ..data import outside
from ..history import History
from ..inference.scores import check_metrics, further_scores, name_of, scores
from ..network.initializers import initial_weights
from ..network.model import Model
from ..network.network import Network
from ..settings import Settings
from .dataset import FitData
from .diagnostics import FitWarning, warn_of
from .learning_rates import learning_rates, monitored
from .progress import Progress, say
from .training import Trained, TrainingRun

# Of the first rate.
_SLOWEST = 1e-3

Stream = Callable[[], Iterator[FitData]]

# Rows whose scores tell how long those of all will take.
_REHEARSED = 2_000


class _DivergedError(FloatingPointError):
    """An epoch whose numbers are not finite."""


def start(
    settings: Settings, data: FitData, known: Model | None
) -> tuple[Model, np.random.Generator]:
    """What the first epoch goes on from, and the generator of the orders of rows."""
    bits = np.random.PCG64(settings.seed)
    rng = np.random.Generator(bits)
    if known is None:
        sizes = (data.encoding.inputs.count, *settings.hidden, data.encoding.outputs.count)
        activations = settings.activations(len(settings.hidden))
        weights = initial_weights(rng, sizes, activations, settings.initializer)
        network = Network(weights, settings.dtype, activations)
    else:
        network = known.network
        if settings.weight_averaging and known.latest is not None:
            network = known.latest
        if known.random is not None and known.random[0] == settings.seed:
            bits.state = known.random[1]
    network = network.under(settings.optimizer.rule)
    if known is None:
        return Model(network, data.encoding, settings.hidden), rng
    learned = replace(known, encoding=data.encoding, hidden=settings.hidden, random=None)
    if network is known.latest:
        return learned, rng
    return learned.settled(network), rng


class Fit:
    """One fit of a trainer.

    Parameters
    ----------
    trainer : Trainer
        Gets what has been learned, and the history, epoch by epoch.
    data : FitData
        All rows; of a stream, what it is like.
    known : Model, optional
        What is to be continued.
    began : float
        When the fit began, by ``time.perf_counter``.
    history : History, optional
        What the epochs of this fit are appended to.
    stream : callable, optional
        Makes the data of an epoch, in parts.
    """

    def __init__(
        self, trainer: Any, data: FitData, known: Model | None, *, began: float,
        history: History | None = None, stream: Stream | None = None,
    ) -> None:  # fmt: skip
        settings = data.settings
        check_metrics(settings.metrics, data.encoding.outputs)
        self._trainer, self._settings, self._data = trainer, settings, data
        self._known, self._before = known, history or History()
        self._stream = stream
        # Whoever sets the trainer's rate in a callback counts more.
        self._auto_rate = settings.learning_rate if trainer.learning_rate is None else None
        self._slowed_down = 1.0
        self._begin()
        self._planned = 0
        if stream is None:
            self._run = TrainingRun(self._model.network, data, settings)
            per_epoch = self._run.updates_per_epoch
            self._planned = self._model.network.updates + settings.epochs * per_epoch
        self._deadline = began + (settings.time_budget or math.inf)
        self._scoring = 0.0  # seconds that the scores of an epoch take
        rows = self._run.rows if stream is None else None
        last = self._done + settings.epochs
        self._progress = Progress(settings.verbose, self._done, last, rows)

    def _begin(self) -> None:
        """Where the first epoch begins, and nothing has happened yet."""
        settings = self._settings
        self._model, self._rng = start(settings, self._data, self._known)
        self._history = History({name: list(values) for name, values in self._before.items()})
        self._done = len(self._history.get("loss", ()))  # epochs before this fit
        self._callbacks = [
            callback.for_fit() if isinstance(callback, Callback) else callback
            for callback in (settings.early_stopping, *settings.callbacks)
            if callback is not None
        ]

    def run(self) -> None:
        """Train until the end; the trainer then has all that came of it."""
        if self._settings.verbose:
            chosen = (f"{name}={value!r}" for name, value in self._trainer.auto_.items())
            say(", ".join([*chosen, str(self._data.encoding.inputs.scaling)]))
        while True:
            try:
                self._run_epochs()
                break
            except _DivergedError as error:
                self._slow_down(error)

    def judge(self) -> None:
        """Warn of what is wrong with what came of it."""
        trainer = self._trainer
        warn_of(
            trainer._model.network, self._data, self._history, first=self._done,
            best=trainer.best_epoch_,
            may_fall=self._known is None and trainer.stop_reason_ == "epochs",
        )  # fmt: skip

    def _slow_down(self, error: "_DivergedError") -> None:
        """Start again with a tenth of the rate, where it was not given."""
        settings, trainer = self._settings, self._trainer
        given = settings.rates_are_scheduled or trainer.learning_rate is not None
        if (
            given
            or settings.optimizer.learning_rate is not None
            or self._stream is not None
            or (self._slowed_down <= _SLOWEST)
        ):
            raise error
        rate = settings.resolved_rate(self._auto_rate) * self._slowed_down
        self._slowed_down /= 10
        trainer.auto_ = {**trainer.auto_, "learning_rate": rate / 10}
        warnings.warn(
            f"training diverged with learning_rate={rate:g}, which was not given: it starts again "
            f"with {rate / 10:g}",
            FitWarning,
            stacklevel=outside(),
        )
        self._begin()

    def _run_epochs(self) -> None:
        trainer = self._trainer
        last = self._done + self._settings.epochs
        vars(trainer).update(stop_training=False, stop_reason_="epochs", best_epoch_=self._done)
        self._tell("on_fit_begin")
        if self._settings.time_budget is not None:
            self._scoring = self._rehearsed()
        with self._progress:
            for epoch in range(self._done, last):
                try:
                    logs = self._epoch(epoch)
                except FloatingPointError as error:
                    raise _DivergedError(*error.args) from None
                if logs is None:
                    trainer.stop_reason_ = "time_budget"
                    break
                self._progress.show(epoch, logs, self._rows)
                if self._settings.callbacks:
                    self._progress.make_way()
                # Every callback is told of the epoch, also when an earlier one stops the training.
                for callback in self._callbacks:
                    callback(trainer, epoch, logs)
                self._model = trainer._model  # with the weights that a callback may have set
                if trainer.stop_training:
                    if trainer.stop_reason_ == "epochs":
                        trainer.stop_reason_ = "callback"
                    break
                if self._time_is_up():
                    trainer.stop_reason_ = "time_budget"
                    break
        self._tell("on_fit_end")

    def _time_is_up(self) -> bool:
        """Whether what is left is needed for the scores."""
        return time.perf_counter() >= self._deadline - self._scoring

    def _rehearsed(self) -> float:
        """Seconds that the validation will take, judged by a few of its rows."""
        if self._data.validation is None:
            return 0.0
        settings, encoding = self._settings, self._data.encoding
        outputs, scaling = encoding.outputs, encoding.inputs.scaling
        X, targets = self._data.validation
        rows, seconds = (X[:_REHEARSED], targets.part(slice(_REHEARSED))), 0.0
        for _ in range(2):  # the first time may compile
            start = time.perf_counter()
            scores(self._model.network, rows, outputs, None, settings.threads, scaling)
            seconds = time.perf_counter() - start
        return seconds * len(X) / len(rows[0])

    def _tell(self, what: str) -> None:
        for callback in self._callbacks:
            if hasattr(callback, what):
                getattr(callback, what)(self._trainer)

    def _epoch(self, epoch: int) -> dict[str, float] | None:
        """Train for an epoch; returns its numbers, or None if there was no time for it."""
        trained, rate = self._train()
        if not trained.is_complete and epoch > self._done:
            return None
        start = time.perf_counter()
        learned = self._model.averaged_with(trained.network, self._settings.weight_averaging)
        numbers = self._numbers(trained, learned.network)
        logs = numbers | {"learning_rate": rate, "seconds": self._seconds}
        self._scoring = time.perf_counter() - start
        learned = replace(
            learned,
            random=(self._settings.seed, self._rng.bit_generator.state),
            monitored=(*self._model.monitored, *monitored(self._settings.schedule, logs)),
        )
        self._history.append(logs)
        # One step: whatever interrupts finds an epoch that is finished, or that never was.
        found = {"_model": learned, "history": self._history, "n_iter_": epoch + 1}
        best = {} if self._settings.early_stopping else {"best_epoch_": epoch}
        vars(self._trainer).update(found | best)
        return logs

    def _train(self) -> tuple[Trained, float]:
        """What the epoch leaves, and its last learning rate."""
        network, sums = self._model.latest or self._model.network, []
        self._rows, self._seconds = 0, 0.0
        for run in self._runs(network):
            rates = self._rates(run, network)
            part = self._train_on(run, network, rates)
            network, self._rows = part.network, self._rows + run.rows
            sums.append((part.loss * part.total, part.metric * part.total, part.total))
            if not part.is_complete or self._time_is_up():
                break
        loss, metric, total = map(sum, zip(*sums, strict=True))
        trained = Trained(network, loss / total, metric / total, total, part.is_complete)
        return trained, float(rates[-1])

    def _runs(self, network: Network) -> Iterator[TrainingRun]:
        """The runs that make an epoch: one, or one for each part of a stream."""
        if self._stream is None:
            yield self._run
            return
        for data in self._stream():
            yield TrainingRun(network, data, self._settings)

    def _rates(self, run: TrainingRun, network: Network) -> npt.NDArray[np.float64]:
        """Learning rates of the updates of a run."""
        updates = range(network.updates, network.updates + run.updates_per_epoch)
        rate = self._trainer.learning_rate
        rate = self._auto_rate if rate is None else rate
        return self._slowed_down * learning_rates(
            self._settings, rate, updates, self._planned, self._model.monitored
        )  # fmt: skip

    def _train_on(
        self, run: TrainingRun, network: Network, rates: npt.NDArray[np.float64]
    ) -> Trained:
        settings = self._settings
        order = self._rng.permutation(run.rows) if settings.shuffle else np.arange(run.rows)
        key = int(self._rng.integers(1 << 63)) if settings.dropout else 0
        start = time.perf_counter()
        try:
            until = self._deadline - self._scoring
            trained = run.epoch(network, order, rates, key, until, self._progress.advance)
        except FloatingPointError as error:
            raise FloatingPointError(
                f"{error} in epoch {len(self._history.get('loss', ())) + 1} with "
                f"learning_rate={rates.max()}; a smaller one, or features scaled to about unit "
                "size, may help"
            ) from None
        self._seconds += time.perf_counter() - start
        return trained

    def _numbers(self, trained: Trained, network: Network) -> dict[str, float]:
        """Losses and metrics of the epoch, of the network that it leads to."""
        settings, encoding = self._settings, self._data.encoding
        outputs, scaling = encoding.outputs, encoding.inputs.scaling
        how = outputs, settings.metrics, settings.threads, scaling
        logs = {"loss": trained.loss}
        if settings.metrics is None:
            logs[outputs.metric] = trained.metric
        else:
            # What is known from the training costs nothing more; of a stream, nothing else is.
            known = {outputs.metric: trained.metric}
            rest = tuple(metric for metric in settings.metrics if metric not in known)
            rows = self._data.X, self._data.targets
            if self._stream is None:
                known |= further_scores(network, rows, outputs, rest, *how[2:])
            logs |= {n: known[n] for n in map(name_of, settings.metrics) if n in known}
        if self._data.validation is not None:
            validated = scores(network, self._data.validation, *how)
            logs |= {f"val_{name}": value for name, value in validated.items()}
        return logs
