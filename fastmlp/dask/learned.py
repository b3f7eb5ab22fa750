"""What is learned of all partitions before training, on their workers, and the encoded shards."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
from distributed import Future

from ..data import Array, Numbers
from ..data.targets import Samples
from ..fitting.dataset import FitData, encoded_part
from ..network.encoding import Encoding
from ..outputs import Targets
from ..settings import FitSettings
from ..streams import Survey, joined, part_survey
from ..streams.survey import check_held_out, training_rows
from .partitions import Partition, places, runs
from .placed import Shard
from .tasks import Tasks
from .waiting import gathered

# Surveys that a worker joins at a time.
_JOINED = 8


def survey_of(client: Tasks, parts: Sequence[Partition], fraction: float) -> Survey:
    """Survey partitions on their workers; only the joined survey comes to the client.

    Raises
    ------
    TypeError, ValueError
        For unusable rows, or a fraction to hold out that leaves none.
    """
    found = client.map(
        partial(part_survey, fraction=fraction), [part.samples for part in parts],
        range(len(parts)), pure=False,
    )  # fmt: skip
    while len(found) > 1:
        groups = [found[start : start + _JOINED] for start in range(0, len(found), _JOINED)]
        found = [client.submit(joined, group, pure=False) for group in groups]
    survey: Survey = gathered(client, found)[0]
    check_held_out(survey, fraction)
    return survey


def shards_of(
    client: Tasks, parts: Sequence[Partition], data: FitData, factors: Numbers | None,
    survey: Survey, workers: Sequence[str],
) -> list[Shard]:  # fmt: skip
    """Encode the training rows of neighbouring partitions, a shard for each worker; ``factors``
    are the weights of the classes."""
    kept = [training_rows(survey.flags[number], part.rows) for number, part in enumerate(parts)]
    chosen = runs([len(rows) for rows in kept], len(workers))
    addresses = places(parts, chosen, workers)
    settings = replace(data.settings, callbacks=(), metrics=None, schedule=None)
    shards: list[Future] = [
        client.submit(
            _encoded, [parts[k].samples for k in run], [kept[k] for k in run], data.encoding,
            settings, factors, workers=[address], allow_other_workers=True, pure=False,
        )
        for run, address in zip(chosen, addresses, strict=True)
    ]  # fmt: skip
    totals = gathered(client, client.map(_total, shards, pure=False))
    found = zip(shards, totals, addresses, strict=True)
    return [Shard(shard, rows, weight, address) for shard, (rows, weight), address in found if rows]


def _encoded(
    parts: Sequence[Samples], kept: Sequence[npt.NDArray[np.intp]], encoding: Encoding,
    settings: FitSettings, factors: Numbers | None,
) -> tuple[Array, Targets]:  # fmt: skip
    """The rows of partitions that are trained on, encoded."""
    X, targets = [], []
    for part, train in zip(parts, kept, strict=True):
        if len(train):
            rows, of_part = encoded_part(part, train, encoding, settings, factors, "")
            X.append(rows)
            targets.append(of_part)
    return np.concatenate(X), Targets.joined(targets).rescaled()


def _total(rows: tuple[Array, Targets]) -> tuple[int, float]:
    """Number of rows, and the sum of their weights in the loss."""
    X, targets = rows
    return len(X), float(targets.of_loss.given.sum())
