"""Losses and metrics of each epoch, and the time to compute them."""

import time
from typing import NamedTuple

from ..callbacks import Logs
from ..inference.forward import Evaluation
from ..inference.predicted import Predicted
from ..inference.scores import check_metrics, metric_values, scores
from ..metrics import name_of
from ..network.packed_network import Network
from .dataset import FitData
from .epoch import Statistics

# Rows scored in advance to estimate the time for all.
_REHEARSED = 2_000


class EpochScores(NamedTuple):
    """Values of an epoch."""

    logs: Logs  # recorded: losses in the units of the targets
    monitored: Logs  # the same, but losses are those of the scaled targets


class Scorer:
    """Scores the epochs of a fit.

    Parameters
    ----------
    data : FitData
        Without training rows for a stream.

    Attributes
    ----------
    seconds : float
        Last measured time of scoring an epoch.

    Raises
    ------
    ValueError
        If a metric does not suit the targets, or there are no rows to compute it on.
    """

    def __init__(self, data: FitData) -> None:
        metrics, own = data.settings.metrics, data.encoding.outputs.metric
        check_metrics(metrics, data.encoding.outputs)
        # The metric that is summed up in training is the only one of a stream.
        self._in_training = metrics
        if metrics is not None and len(data.X) == 0:
            self._in_training = tuple(metric for metric in metrics if metric == own)
            if data.validation is None and self._in_training != metrics:
                raise ValueError(
                    f"metrics other than {own!r} have no effect in fit_stream without "
                    f"validation_data, on which they are computed; got metrics={metrics!r}"
                )
        self._data = data
        self._validation: Evaluation | None = None
        self.seconds = 0.0

    @property
    def names(self) -> list[str]:
        """Names of the recorded values."""
        own = (self._data.encoding.outputs.metric,)
        metrics, trained = (
            list(map(name_of, own if chosen is None else chosen))
            for chosen in (self._data.settings.metrics, self._in_training)
        )
        validated = [f"val_{name}" for name in ("loss", *metrics)]
        validated = [] if self._data.validation is None else validated
        return ["loss", *trained, *validated, "learning_rate", "seconds"]

    def scores(self, network: Network, statistics: Statistics) -> EpochScores:
        """Return the values of a training epoch, and of ``network`` on validation data."""
        start = time.perf_counter()
        data = self._data
        encoding, metrics, threads = data.encoding, data.settings.metrics, data.settings.threads
        outputs = encoding.outputs
        trained = outputs.summed_up(statistics.means)
        logs, scaled = {"loss": trained.loss}, {"loss": trained.scaled_loss}
        if self._in_training is None:
            logs[outputs.metric] = trained.metric
        else:
            predictions = Predicted(network, encoding, data.X, threads)
            logs |= metric_values(
                self._in_training, trained.metric, predictions, outputs, data.targets
            )
        if data.validation is not None:
            if self._validation is None:
                self._validation = Evaluation(network, encoding, data.validation, threads)
            evaluated = self._validation.scores(network)
            validated, loss = scores(
                network, encoding, data.validation, metrics, threads, evaluated
            )
            logs |= {f"val_{name}": value for name, value in validated.items()}
            scaled["val_loss"] = loss
        self.seconds = time.perf_counter() - start
        logs["learning_rate"], logs["seconds"] = statistics.learning_rate, statistics.seconds
        return EpochScores(logs, logs | scaled)

    def end(self) -> None:
        """Leave the memory to other predictions, after the last epoch."""
        if self._validation is not None:
            self._validation.give_back()
            self._validation = None

    def rehearse(self, network: Network) -> None:
        """Estimate the time of validation from a few rows."""
        if self._data.validation is None:
            return
        X, targets = self._data.validation
        rows = X[:_REHEARSED], targets.part(slice(_REHEARSED))
        for _ in range(2):  # the first time may compile
            start = time.perf_counter()
            scores(network, self._data.encoding, rows, None, self._data.settings.threads)
            self.seconds = (time.perf_counter() - start) * len(X) / len(rows[0])
