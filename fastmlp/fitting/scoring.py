"""Losses and metrics of an epoch, and the time that they take."""

import time

from ..inference.scores import check_metrics, further_scores, name_of, scores
from ..network.network import Network
from .dataset import FitData
from .epoch import Statistics

Logs = dict[str, float]

# Rows whose scores tell how long those of all will take.
_REHEARSED = 2_000


class Scorer:
    """Scores the epochs of a fit.

    Parameters
    ----------
    data : FitData
    with_training_rows : bool
        Whether metrics can be computed of the training rows.

    Attributes
    ----------
    seconds : float
        Time that the scores of an epoch take, as last measured.

    Raises
    ------
    ValueError
        If a metric does not fit the targets.
    """

    def __init__(self, data: FitData, *, with_training_rows: bool) -> None:
        check_metrics(data.settings.metrics, data.encoding.outputs)
        self._data, self._with_training_rows = data, with_training_rows
        self.seconds = 0.0

    def logs(self, network: Network, statistics: Statistics) -> Logs:
        """The numbers of an epoch: of the training as it went, of the validation by ``network``."""
        start = time.perf_counter()
        encoding, settings = self._data.encoding, self._data.settings
        metrics, threads = settings.metrics, settings.threads
        known = {encoding.outputs.metric: statistics.metric}
        logs = {"loss": statistics.loss}
        if metrics is None:
            logs |= known
        else:
            # The metric of the training costs nothing more; of a stream there is no other.
            if self._with_training_rows:
                rest = tuple(metric for metric in metrics if metric not in known)
                rows = self._data.X, self._data.targets
                known |= further_scores(network, encoding, rows, rest, threads)
            logs |= {name: known[name] for name in map(name_of, metrics) if name in known}
        if self._data.validation is not None:
            validated = scores(network, encoding, self._data.validation, metrics, threads)
            logs |= {f"val_{name}": value for name, value in validated.items()}
        self.seconds = time.perf_counter() - start
        return logs | {"learning_rate": statistics.learning_rate, "seconds": statistics.seconds}

    def rehearse(self, network: Network) -> None:
        """Measure on a few rows how long the validation will take."""
        if self._data.validation is None:
            return
        X, targets = self._data.validation
        rows = X[:_REHEARSED], targets.part(slice(_REHEARSED))
        for _ in range(2):  # the first time may compile
            start = time.perf_counter()
            scores(network, self._data.encoding, rows, None, self._data.settings.threads)
            self.seconds = (time.perf_counter() - start) * len(X) / len(rows[0])
