"""The loop of a fit: train, average, score and publish each epoch, until the end or a stop."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from ..callbacks import Logs
from ..fit_warning import warn
from ..history import History
from ..network.model import Model
from ..network.packed_network import Network
from ..settings import LearningRate
from .callables import of_one_fit
from .dataset import FitData
from .diagnostics import Seen, warn_of
from .epoch import Statistics
from .learning_rates import learning_rates, monitored_by
from .progress import Progress, say
from .scoring import Scorer
from .sources import InMemory, Source, Streamed
from .start import start

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


@dataclass
class Fit:
    """One fit of a trainer.

    Parameters
    ----------
    trainer : Fitted
        The trainer that callbacks see, and may ask to stop.
    publish : callable
        Sets the result of an epoch on the trainer, in one step.
    data : FitData
        All rows; for a stream, its encoding, settings and validation data.
    known : Model, optional
        The model to continue.
    began : float
        Start of the fit, by ``time.perf_counter``.
    parts : callable, optional
        Returns the parts of the next epoch, for a stream.
    before : mapping
        History to which the epochs are appended.
    """

    trainer: Fitted
    publish: Callable[[EpochResult], None]
    data: FitData
    known: Model | None
    began: float
    parts: Callable[[], Iterator[FitData]] | None = None
    before: Mapping[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settings = self.data.settings
        self.learning_rate: LearningRate = settings.learning_rate
        self._first = len(self.before.get("loss", ()))  # epochs before this fit
        self._last = self._first + settings.epochs
        self._deadline = self.began + (settings.time_budget or math.inf)
        self._begin()
        self._source: Source = InMemory(self.data) if self.parts is None else Streamed(self.parts)
        self._scorer = Scorer(self.data, with_training_rows=self._source.is_in_memory)
        self._planned = self._source.planned_updates(self._model.network)
        self._progress = Progress(settings.verbose, self._first, self._last, self._source.rows)

    def _begin(self) -> None:
        """Set up model, random generator, history and callbacks for the first epoch."""
        settings = self.data.settings
        self._model, self._rng = start(settings, self.data.encoding, self.known)
        self._history = History({name: list(values) for name, values in self.before.items()})
        early_stopping = () if settings.early_stopping is None else (settings.early_stopping,)
        self._callbacks = of_one_fit((*early_stopping, *settings.callbacks))

    def run(self) -> None:
        """Run the fit; start again at a lower rate if a chosen one diverges."""
        if self.data.settings.verbose:
            chosen = (f"{name}={value!r}" for name, value in self.trainer.auto_.items())
            say(", ".join([*chosen, str(self.data.encoding.inputs.scaling)]))
        while True:
            self._diverged = False
            try:
                self._run_epochs()
                return
            except FloatingPointError as error:
                if not self._diverged:
                    raise
                self._slow_down(error)

    @contextmanager
    def _divergence(self) -> Iterator[None]:
        """Record that a FloatingPointError is a divergence, unlike one from a callback."""
        try:
            yield
        except FloatingPointError:
            self._diverged = True
            raise

    def _run_epochs(self) -> None:
        trainer, settings = self.trainer, self.data.settings
        trainer.stop_training, trainer.stop_reason_ = False, "epochs"
        trainer.best_epoch_ = self._first
        self._notify("on_fit_begin")
        if settings.time_budget is not None:
            self._scorer.rehearse(self._model.network)
        with self._progress:
            for epoch in range(self._first, self._last):
                with self._divergence():
                    network, statistics = self._train_epoch()
                    if not statistics.is_complete and epoch > self._first:
                        trainer.stop_reason_ = "time_budget"
                        break
                    model = self._model.averaged_with(network, settings.weight_averaging)
                    logs, monitored = self._scorer.scores(model.network, statistics)
                self._publish(epoch, model, logs, monitored)
                self._progress.show(epoch, logs, statistics.rows)
                self._call_back(epoch, logs)
                if reason := self._reason_to_stop():
                    trainer.stop_reason_ = reason
                    break
        self._notify("on_fit_end")

    def _train_epoch(self) -> tuple[Network, Statistics]:
        """Train on the rows of an epoch once, part by part for a stream."""
        network = self._model.latest or self._model.network
        parts: list[Statistics] = []
        for run in self._source.runs(network):
            updates = range(network.updates, network.updates + run.updates_per_epoch)
            rates = learning_rates(
                self._rate(), self.data.settings.schedule, updates, self._planned,
                self._model.monitored,
            )  # fmt: skip
            order, dropout_key = run.draw(self._rng)
            until = self._deadline - self._scorer.seconds
            try:
                network, part = run.epoch(
                    network, order, rates, dropout_key, until, self._progress.advance
                )
            except FloatingPointError as error:
                raise FloatingPointError(
                    f"{error} in epoch {len(self._history.get('loss', ())) + 1} with "
                    f"learning_rate={rates.max()}; a smaller one, or features scaled to about unit "
                    "size, may help"
                ) from None
            parts.append(part)
            if not part.is_complete or self._time_is_up():
                break
        return network, Statistics.joined(parts)

    def _rate(self) -> LearningRate:
        """The rate set by a callback, else the fit's; None stands for the optimizer's."""
        rate = self.trainer.learning_rate
        if rate is None and self.learning_rate.source == "given":
            rate = self.data.settings.optimizer.rate
        return self.learning_rate if rate is None else LearningRate(float(rate), "given")

    def _publish(self, epoch: int, model: Model, logs: Logs, monitored: Logs) -> None:
        settings = self.data.settings
        model = replace(
            model.recorded(logs),
            random=(settings.seed, self._rng.bit_generator.state),
            monitored=(*model.monitored, *monitored_by(settings.schedule, monitored)),
        )
        self._history.append(logs)
        best = epoch if settings.early_stopping is None else self.trainer.best_epoch_
        self.publish(EpochResult(epoch, model, self._history, best))

    def _call_back(self, epoch: int, logs: Logs) -> None:
        """Call every callback, even if an earlier one stops the fit."""
        if self.data.settings.callbacks:
            self._progress.make_way()
        for callback in self._callbacks:
            callback(self.trainer, epoch, logs)
        self._model = self.trainer.model_  # with the weights that a callback may have set

    def _notify(self, event: str) -> None:
        for callback in self._callbacks:
            if hasattr(callback, event):
                getattr(callback, event)(self.trainer)

    def _reason_to_stop(self) -> str:
        trainer = self.trainer
        if trainer.stop_training:
            return "callback" if trainer.stop_reason_ == "epochs" else trainer.stop_reason_
        return "time_budget" if self._time_is_up() else ""

    def _time_is_up(self) -> bool:
        """Whether only the time for the scores is left."""
        return time.perf_counter() >= self._deadline - self._scorer.seconds

    def _slow_down(self, error: FloatingPointError) -> None:
        """Start again with a tenth of the rate, if it was chosen by default and rows are in memory;
        otherwise raise the error."""
        rate = self.learning_rate
        is_given = rate.source != "chosen" or self.trainer.learning_rate is not None
        if is_given or not self._source.is_in_memory or rate.slowdown <= _SLOWEST:
            raise error
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
