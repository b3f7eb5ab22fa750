"""Losses and metrics of each epoch, and the time to compute them."""

import time
from typing import NamedTuple

from ..callbacks import Logs
from ..inference.scores import check_metrics, further_scores, name_of, scores
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
    with_training_rows : bool
        Whether metrics can be computed on the training rows.

    Attributes
    ----------
    seconds : float
        Last measured time of scoring an epoch.

    Raises
    ------
    ValueError
        If a metric does not suit the targets.
    """

    def __init__(self, data: FitData, *, with_training_rows: bool) -> None:
        check_metrics(data.settings.metrics, data.encoding.outputs)
        self._data, self._with_training_rows = data, with_training_rows
        self.seconds = 0.0

    def scores(self, network: Network, statistics: Statistics) -> EpochScores:
        """Return the values of a training epoch, and of ``network`` on validation data."""
        start = time.perf_counter()
        encoding, settings = self._data.encoding, self._data.settings
        metrics, threads = settings.metrics, settings.threads
        trained = encoding.outputs.summed_up(statistics.means)
        known = {encoding.outputs.metric: trained.metric}
        logs, scaled = {"loss": trained.loss}, {"loss": trained.scaled_loss}
        if metrics is None:
            logs |= known
        else:
            # One metric is computed in training anyway; for a stream it is the only one.
            if self._with_training_rows:
                rest = tuple(metric for metric in metrics if metric not in known)
                rows = self._data.X, self._data.targets
                known |= further_scores(network, encoding, rows, rest, threads)
            logs |= {name: known[name] for name in map(name_of, metrics) if name in known}
        if self._data.validation is not None:
            validated, loss = scores(network, encoding, self._data.validation, metrics, threads)
            logs |= {f"val_{name}": value for name, value in validated.items()}
            scaled["val_loss"] = loss
        self.seconds = time.perf_counter() - start
        logs |= {"learning_rate": statistics.learning_rate, "seconds": statistics.seconds}
        return EpochScores(logs, logs | scaled)

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
