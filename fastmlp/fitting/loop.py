"""The loop of a fit: train, average, score and publish each epoch, until the end or a stop."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ..callbacks import Checkpointer, Logs
from ..fit_warning import warn
from ..history import History
from ..inference.forward import SLICE_SECONDS
from ..member import check_interrupt
from ..metrics import monitored_name, monitored_value
from ..network.model import Best, Model
from ..network.packed_network import Network
from ..outputs import MeanWeight
from ..schedules import ReduceOnPlateau
from ..settings import LearningRate
from .callables import of_one_fit
from .dataset import FitData
from .diagnostics import Seen, warn_of
from .epoch import Statistics
from .learning_rates import Rates, learning_rates, monitored_by
from .progress import Progress, say
from .scoring import EpochScores, Scorer
from .sources import InMemory, Source
from .start import monitor_of, start

# A fit that diverges at this fraction of the first rate fails.
_SLOWEST = 1e-3


class EpochResult(NamedTuple):
    """The result of a finished epoch, which the trainer publishes."""

    number: int  # from 0
    model: Model
    history: History
    best_epoch: int


class Fitted(Protocol):
    """Attributes of a trainer that the loop reads and sets; callbacks see the whole trainer."""

    learning_rate: float | None
    stop_training: bool
    stop_reason_: str
    best_epoch_: int
    auto_: dict[str, Any]
    model_: Model


class DivergedError(FloatingPointError):
    """Training diverged, and does not start again; a callback may raise others."""


class _DivergedError(Exception):
    """This fit diverged, with the FloatingPointError that says so; a fit within a callback raises
    a DivergedError, which is not caught here."""


@dataclass
class Fit:
    """One fit of a trainer.

    Parameters
    ----------
    trainer : Fitted
        The trainer that callbacks see, and may ask to stop.
    publish : callable
        Sets the result of an epoch on the trainer, in one step.
    finish : callable
        Makes the best network that of the trainer, and sets the reason for the end.
    data : FitData
        All rows; for a stream, its encoding, settings and validation data.
    known : Model, optional
        The model to continue.
    before : mapping
        History to which the epochs are appended.
    began : float
        Start of the fit, by ``time.perf_counter``.
    source : Source, optional
        Supplies the rows of each epoch; by default those of ``data``.

    Attributes
    ----------
    rates : list of array
        Learning rates of the updates of each epoch, if a refit repeats them.
    """

    trainer: Fitted
    publish: Callable[[EpochResult], None]
    finish: Callable[[str], None]
    data: FitData
    known: Model | None
    before: Mapping[str, list[float]]
    began: float
    source: Source | None = None

    def __post_init__(self) -> None:
        settings = self.data.settings
        self.learning_rate: LearningRate = settings.learning_rate
        self._first = len(self.before.get("loss", ()))  # epochs before this fit
        self._last = self._first + settings.epochs
        self._deadline = self.began + (settings.time_budget or math.inf)
        self._given_rate = self.trainer.learning_rate
        if self.known is not None and self.known.rate is not None:
            self.trainer.learning_rate = self.known.rate
        self._begin()
        self._source: Source = self.source or InMemory(self.data)
        self._scorer = Scorer(self.data)
        self._check_monitored()
        self._planned = self._source.planned_updates(self._model.trained, settings.epochs)
        self._progress = Progress(settings.verbose, self._first, self._last, self._source.rows)

    def _check_monitored(self) -> None:
        """Raise a ValueError if what is monitored is not recorded, before any training."""
        schedule, stopping = self.data.settings.schedule, self.data.settings.early_stopping
        names = dict.fromkeys(self._scorer.names, 0.0)
        monitored_by(schedule, names)
        if stopping is not None:
            monitored_value(stopping.monitor, names, stopping.mode)

    def _begin(self) -> None:
        """Set up model, random generator, history and callbacks for the first epoch."""
        settings = self.data.settings
        self._model, self._rng = start(self.data, self.known)
        self.rates: list[Rates] = []
        self._history = History({name: list(values) for name, values in self.before.items()})
        callbacks = of_one_fit(settings.callbacks)
        self._callbacks = [c for c in callbacks if not isinstance(c, Checkpointer)]
        self._checkpointers = [c for c in callbacks if isinstance(c, Checkpointer)]

    def run(self) -> None:
        """Run the fit; start again at a lower rate if a chosen one diverges."""
        if self.data.settings.verbose:
            chosen = (f"{name}={value!r}" for name, value in self.trainer.auto_.items())
            encoding = self.data.encoding
            say(", ".join([f"Y: {encoding.outputs}", *chosen, str(encoding.inputs.scaling)]))
        reason = "interrupted"
        try:
            reason = self._run_until_done()
        except Exception:
            reason = "exception"
            raise
        finally:
            self.finish(reason)
        self._source.end()
        self._scorer.end()
        stopping = self.data.settings.early_stopping
        if stopping is not None and self._model.best is None:
            name = monitored_name(stopping.monitor, self._scorer.names)
            warn(f"early stopping had nothing to go by: {name} was always NaN")
        schedule, seen = self.data.settings.schedule, self._model.monitored
        if isinstance(schedule, ReduceOnPlateau) and all(map(math.isnan, seen)):
            name = monitored_name(schedule.monitor, self._scorer.names)
            warn(f"the schedule had nothing to go by: {name} was always NaN")
        self._notify("on_fit_end")

    def _run_until_done(self) -> str:
        """Run all epochs, perhaps several times; return the reason for the end."""
        while True:
            try:
                return self._run_epochs()
            except _DivergedError as diverged:
                error = diverged.args[0]
            if not self._may_slow_down():
                raise DivergedError(*error.args)
            self._slow_down()

    def _run_epochs(self) -> str:
        trainer, settings = self.trainer, self.data.settings
        trainer.stop_training = False
        self._notify("on_fit_begin")
        if self._has_waited(self._first - 1):  # as an interrupt came right before the stop
            return "early_stopping"
        if settings.time_budget is not None:
            self._scorer.rehearse(self._model.network)
        with self._progress:
            for epoch in range(self._first, self._last):
                began = time.perf_counter()
                try:
                    network, statistics = self._train_epoch()
                    trained = time.perf_counter() - began  # with waits for rows
                    if not statistics.is_complete and epoch > self._first:
                        return "time_budget"
                    model = self._model.averaged_with(network, settings.weight_averaging)
                    scores = self._scorer.scores(model.network, statistics)
                except FloatingPointError as error:
                    raise _DivergedError(error) from None
                self._publish(epoch, model, scores, statistics.mean_weight)
                self._progress.show(epoch, scores.logs, statistics.rows)
                self._call_back(epoch, scores.logs)
                if reason := self._reason_to_stop(epoch):
                    return reason
                self._plan(epoch, trained + self._scorer.seconds)
        return "epochs"

    def _train_epoch(self) -> tuple[Network, Statistics]:
        """Train on the rows of an epoch once, part by part for a stream."""
        network = self._model.trained
        mean_weight = self._source.mean_weight(self._model.mean_weight)
        parts: list[Statistics] = []
        all_rates = []
        for run in self._source.runs(network):
            if parts and self._time_is_up():
                parts[-1] = parts[-1]._replace(is_complete=False)
                break
            updates = range(network.updates, network.updates + run.updates_per_epoch)
            rates = learning_rates(
                self._rate(), self.data.settings.schedule, updates, self._planned,
                self._model.monitored,
            )  # fmt: skip
            order, dropout_key = run.draw(self._rng)
            until = self._deadline - self._scorer.seconds
            try:
                network, part = run.epoch(
                    network, order, rates, dropout_key, until, self._after_slice, mean_weight
                )
            except FloatingPointError as error:
                raise FloatingPointError(
                    f"{error} in epoch {len(self._history.get('loss', ())) + 1} with "
                    f"learning_rate={rates.max()}; a smaller one, or features scaled to about unit "
                    "size, may help"
                ) from None
            parts.append(part)
            mean_weight = part.mean_weight
            all_rates.append(rates)
            if not part.is_complete:
                break
        if self.data.settings.refit:
            self.rates += all_rates
        return network, Statistics.joined(parts)

    def _after_slice(self, rows: int) -> None:
        check_interrupt()
        self._progress.advance(rows)

    def _rate(self) -> LearningRate:
        """The rate set by a callback, else the fit's; None stands for the optimizer's."""
        rate, own = self.trainer.learning_rate, self.learning_rate
        if rate is None and own.source == "given":
            rate = self.data.settings.optimizer.rate
        if rate is None or (own.source == "given" and rate == own.value):
            return own
        return LearningRate(float(rate), "given")

    def _publish(
        self, epoch: int, model: Model, scores: EpochScores, mean_weight: MeanWeight
    ) -> None:
        settings, stopping = self.data.settings, self.data.settings.early_stopping
        model = model.recorded(
            scores.logs,
            random=(settings.seed, self._rng.bit_generator.state),
            monitored=(*model.monitored, *monitored_by(settings.schedule, scores.monitored)),
            mean_weight=mean_weight,
        )
        if stopping is not None:
            value = monitored_value(stopping.monitor, scores.monitored, stopping.mode)
            model = model.judged(self._model, stopping, Best(monitor_of(stopping), epoch, value))
        self._history.append(scores.logs)
        best = epoch if model.best is None else model.best.epoch
        self._published = model
        self.publish(EpochResult(epoch, model, self._history, best))

    def _call_back(self, epoch: int, logs: Logs) -> None:
        """Call every callback, even if an earlier one stops the fit; checkpoints last, with the
        weights and the learning rate that others have set."""
        if self.data.settings.callbacks:
            self._progress.make_way()
        trainer = self.trainer
        default = self.data.settings.optimizer.rate
        try:
            for callback in self._callbacks:
                callback(trainer, epoch, logs)
        finally:  # a fit that goes on after an exception has the rate, too
            self._check_model()
            rated = trainer.model_.at_rate(trainer.learning_rate, self._given_rate, default)
            if rated is not trainer.model_:
                trainer.model_ = rated
        for checkpointer in self._checkpointers:
            checkpointer(trainer, epoch, logs)
        self._model = trainer.model_

    def _check_model(self) -> None:
        """Raise a ValueError if a callback has set a model that this fit cannot continue."""
        if self.trainer.model_ is self._published:
            return
        now, wanted = self.trainer.model_.trained, self._published.trained
        for name in ("layer_sizes", "activations", "dtype", "rule"):
            got, own = getattr(now, name), getattr(wanted, name)
            if got != own:
                self.trainer.model_ = self._published
                raise ValueError(
                    f"model_ must, in a callback, have the {name} of the fit, {own}; got {got}"
                )

    def _notify(self, event: str) -> None:
        for callback in (*self._callbacks, *self._checkpointers):
            if hasattr(callback, event):
                getattr(callback, event)(self.trainer)

    def _reason_to_stop(self, epoch: int) -> str:
        if self._has_waited(epoch):
            return "early_stopping"
        if self.trainer.stop_training:
            return "callback"
        return "time_budget" if self._time_is_up() else ""

    def _has_waited(self, epoch: int) -> bool:
        """Whether early stopping has waited for its patience after the best epoch."""
        best, stopping = self._model.best, self.data.settings.early_stopping
        if best is None or stopping is None:
            return False
        return epoch - best.epoch >= max(stopping.patience, 1)

    def _time_is_up(self) -> bool:
        """Whether only the time for the scores is left."""
        return time.perf_counter() >= self._deadline - self._scorer.seconds

    def _plan(self, epoch: int, seconds: float) -> None:
        """Plan the schedule for the epochs that there is time for, by the last one's seconds."""
        if self.data.settings.time_budget is None or not self._planned:
            return
        left = self._last - epoch - 1
        # The last slice of an epoch may end after the deadline.
        slack = min(SLICE_SECONDS, seconds)
        affordable = int((self._deadline + slack - time.perf_counter()) / seconds)
        network = self._model.trained
        self._planned = self._source.planned_updates(network, min(left, affordable))

    def _may_slow_down(self) -> bool:
        """Whether the rate was chosen by default, and the epochs can be repeated."""
        rate = self.learning_rate
        is_given = rate.source != "chosen" or self.trainer.learning_rate is not None
        return not is_given and self._source.can_start_again and rate.slowdown > _SLOWEST

    def _slow_down(self) -> None:
        """Start again with a tenth of the rate."""
        rate = self.learning_rate
        self.learning_rate = slower = rate.slower()
        self.trainer.auto_ = {**self.trainer.auto_, "learning_rate": slower.slowed}
        warn(
            f"training diverged with learning_rate={rate.slowed:g}, which was not given: it starts "
            f"again with {slower.slowed:g}"
        )
        self._begin()

    def diagnose(self, seen: Seen | None = None) -> None:
        """Warn of problems of the result; ``seen`` are the rows of a stream."""
        trainer = self.trainer
        warn_of(
            trainer.model_.network, self.data, seen, self._history, first=self._first,
            best=trainer.best_epoch_,
            may_fall=self.known is None and trainer.stop_reason_ == "epochs",
        )  # fmt: skip
