"""What is learned of all partitions before training, on their workers, and the encoded shards."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from distributed import Client, Future

from ..data import Array, concat_rows, gather_rows, read_targets
from ..data.targets import Samples
from ..fitting.dataset import FitData, fit_data
from ..network.encoding import Encoding
from ..outputs import Targets
from ..settings import FitSettings
from ..streams import Survey, joined, part_survey
from ..streams.survey import check_held_out
from .partitions import Partition, places, runs
from .placed import Shard
from .waiting import gathered

# Surveys that a worker joins at a time.
_JOINED = 8


def survey_of(client: Client, parts: Sequence[Partition], fraction: float) -> Survey:
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
    (survey,) = gathered(client, found)
    check_held_out(survey, fraction)
    return survey


def learned(
    survey: Survey, validation: Samples | None, settings: FitSettings, known: Encoding | None
) -> FitData:
    """Learn the encoding from the sample of a survey, or take the known one."""
    if settings.class_weight == "balanced":
        settings = replace(settings, class_weight=_balanced(survey))
    validation = survey.validation if validation is None else validation
    return fit_data(*survey.sample, validation, lambda n_rows: settings, known)


def _balanced(survey: Survey) -> dict[Any, float]:
    """Class weights with which all classes have the same total weight over all rows."""
    if survey.labels is None:
        raise ValueError("class_weight='balanced' needs labels, at most 10,000 different ones")
    totals = {label: total.weight for label, total in survey.labels.items() if total.weight}
    return {
        label: survey.training.weight / (weight * len(survey.labels))
        for label, weight in totals.items()
    }


def shards_of(
    client: Client, parts: Sequence[Partition], data: FitData, survey: Survey,
    workers: Sequence[str],
) -> list[Shard]:  # fmt: skip
    """Encode the training rows of neighbouring partitions, a shard for each worker."""
    kept = [survey.training_rows(number, part.rows) for number, part in enumerate(parts)]
    chosen = runs([len(rows) for rows in kept], len(workers))
    addresses = places(parts, chosen, workers)
    settings = replace(
        data.settings, validation_fraction=0.0, callbacks=(), metrics=None, schedule=None
    )
    shards: list[Future] = [
        client.submit(
            _encoded, [parts[k].samples for k in run], [kept[k] for k in run], data.encoding,
            settings, workers=[address], allow_other_workers=True, pure=False,
        )
        for run, address in zip(chosen, addresses, strict=True)
    ]  # fmt: skip
    totals = gathered(client, client.map(_total, shards, pure=False))
    found = zip(shards, totals, addresses, strict=True)
    return [Shard(shard, *total, address) for shard, total, address in found if total[0]]


def _encoded(
    parts: Sequence[Samples], kept: Sequence[npt.NDArray[np.intp]], encoding: Encoding,
    settings: FitSettings,
) -> tuple[Array, Targets]:  # fmt: skip
    """Some rows of partitions, encoded."""
    some = [
        [gather_rows(values, rows) for values in part]
        for part, rows in zip(parts, kept, strict=True)
        if len(rows)
    ]
    X, Y, weights = zip(*some, strict=True)
    targets = np.concatenate([read_targets(values, None).values for values in Y])
    given = None if weights[0] is None else concat_rows(weights)
    data = fit_data(concat_rows(X), targets, given, None, lambda n_rows: settings, encoding)
    return data.X, data.targets


def _total(rows: tuple[Array, Targets]) -> tuple[int, float]:
    """Number of rows, and the sum of their weights in the loss."""
    X, targets = rows
    return len(X), float(targets.of_loss.given.sum())
