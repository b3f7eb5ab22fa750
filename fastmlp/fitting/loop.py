"""The loop of a fit: epoch after epoch, until there are enough or something stops it."""

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from ..callbacks import Callback
from ..data import outside
from ..history import History
from ..network.model import Model
from ..network.network import Network
from ..settings import LearningRate
from .dataset import FitData
from .diagnostics import FitWarning, warn_of
from .epoch import Statistics
from .learning_rates import learning_rates, monitored
from .progress import Progress, say
from .scoring import Logs, Scorer
from .sources import InMemory, Source, Streamed
from .start import start

# Of the first rate: a fit that diverges at this one fails.
_SLOWEST = 1e-3


class EpochResult(NamedTuple):
    """What a finished epoch leaves, for the trainer to publish."""

    number: int  # from 0
    model: Model
    history: History
    best_epoch: int


class Fitted(Protocol):
    """What the loop reads and sets of a trainer; callbacks see all of it."""

    learning_rate: float | None
    stop_training: bool
    stop_reason_: str
    best_epoch_: int
    auto_: dict[str, Any]
    model_: Model


class _DivergedError(FloatingPointError):
    """An epoch whose numbers are not finite."""


@contextmanager
def _divergence() -> Iterator[None]:
    """Tell errors of an epoch from those of a callback."""
    try:
        yield
    except FloatingPointError as error:
        raise _DivergedError(*error.args) from None


@dataclass
class Fit:
    """One fit of a trainer.

    Parameters
    ----------
    trainer : Fitted
        The trainer that callbacks see, and that may be told to stop.
    publish : callable
        Gives the trainer the result of an epoch, in one step.
    data : FitData
        All rows; of a stream, the encoding and the validation rows that go with its parts.
    known : Model, optional
        The model to be continued.
    began : float
        When the fit began, by ``time.perf_counter``.
    parts : callable, optional
        Makes the parts of the next epoch, where the rows come in a stream.
    before : mapping
        The history that the epochs of this fit are appended to.
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
        """Go to where the first epoch begins."""
        settings = self.data.settings
        self._model, self._rng = start(settings, self.data.encoding, self.known)
        self._history = History({name: list(values) for name, values in self.before.items()})
        self._callbacks = [
            callback.for_fit() if isinstance(callback, Callback) else callback
            for callback in (settings.early_stopping, *settings.callbacks)
            if callback is not None
        ]

    def run(self) -> None:
        """Train until the end; the trainer then has the result."""
        if self.data.settings.verbose:
            chosen = (f"{name}={value!r}" for name, value in self.trainer.auto_.items())
            say(", ".join([*chosen, str(self.data.encoding.inputs.scaling)]))
        while True:
            try:
                self._run_epochs()
                return
            except _DivergedError as error:
                self._slow_down(error)

    def _run_epochs(self) -> None:
        trainer = self.trainer
        trainer.stop_training, trainer.stop_reason_ = False, "epochs"
        trainer.best_epoch_ = self._first
        self._notify("on_fit_begin")
        if self.data.settings.time_budget is not None:
            self._scorer.rehearse(self._model.network)
        with self._progress:
            for epoch in range(self._first, self._last):
                with _divergence():
                    network, statistics = self._train_epoch()
                    if not statistics.is_complete and epoch > self._first:
                        trainer.stop_reason_ = "time_budget"
                        break
                    model = self._average(network)
                    logs = self._scorer.logs(model.network, statistics)
                self._publish(epoch, model, logs)
                self._progress.show(epoch, logs, statistics.rows)
                self._call_back(epoch, logs)
                if reason := self._reason_to_stop():
                    trainer.stop_reason_ = reason
                    break
        self._notify("on_fit_end")

    def _train_epoch(self) -> tuple[Network, Statistics]:
        """Train on the rows of an epoch once; those of a stream come in parts."""
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
        """A rate set by a callback overrides the fit's own; None stands for the optimizer's."""
        rate = self.trainer.learning_rate
        if rate is None and self.learning_rate.source == "given":
            rate = self.data.settings.optimizer.rate
        return self.learning_rate if rate is None else LearningRate(rate, "given")

    def _average(self, network: Network) -> Model:
        return self._model.averaged_with(network, self.data.settings.weight_averaging)

    def _publish(self, epoch: int, model: Model, logs: Logs) -> None:
        settings = self.data.settings
        model = replace(
            model,
            random=(settings.seed, self._rng.bit_generator.state),
            monitored=(*model.monitored, *monitored(settings.schedule, logs)),
        )
        self._history.append(logs)
        best = epoch if settings.early_stopping is None else self.trainer.best_epoch_
        self.publish(EpochResult(epoch, model, self._history, best))

    def _call_back(self, epoch: int, logs: Logs) -> None:
        """Tell every callback of the epoch, also when an earlier one stops the training."""
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
        """Whether the time that is left is needed for the scores."""
        return time.perf_counter() >= self._deadline - self._scorer.seconds

    def _slow_down(self, error: _DivergedError) -> None:
        """Start again with a tenth of the rate, where it was chosen and the rows are at hand."""
        rate = self.learning_rate
        is_given = rate.source != "chosen" or self.trainer.learning_rate is not None
        if is_given or not self._source.is_in_memory or rate.slowdown <= _SLOWEST:
            raise error
        self.learning_rate = rate.slower()
        slower = rate.slowed / 10
        self.trainer.auto_ = {**self.trainer.auto_, "learning_rate": slower}
        warnings.warn(
            f"training diverged with learning_rate={rate.slowed:g}, which was not given: it starts "
            f"again with {slower:g}",
            FitWarning,
            stacklevel=outside(),
        )
        self._begin()

    def diagnose(self) -> None:
        """Warn of what is wrong with the result."""
        trainer = self.trainer
        warn_of(
            trainer.model_.network, self.data, self._history, first=self._first,
            best=trainer.best_epoch_,
            may_fall=self.known is None and trainer.stop_reason_ == "epochs",
        )  # fmt: skip
