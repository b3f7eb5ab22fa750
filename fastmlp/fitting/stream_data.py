"""The data of a fit to groups or chunks: what is learned beforehand, and the source of the rows."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..data import Numbers, Split
from ..data.chunks import Chunks
from ..fit_warning import warn
from ..frozen import changed
from ..inputs import MOST_DENSE, Inputs
from ..network.model import Model
from ..outputs import Outputs, balanced_factors, given_factors
from ..settings import Choices, FitSettings, resolved
from ..streams import RowGroups, Survey, Total
from ..streams.survey import survey
from .dataset import FitData, fit_data
from .diagnostics import Seen
from .sources import Chunked
from .windows import Windows


def check_hashed(chosen: Choices, where: str) -> None:
    """Raise a ValueError for a setting that has no effect where rows are held out by their hash."""
    if chosen.refit:
        raise ValueError(f"refit has no effect {where}; got {chosen.refit}")
    if chosen.validation_split in ("last", "stratified"):
        raise ValueError(
            f"validation_split has no effect {where}, where rows are held out by their hash; "
            f"got {chosen.validation_split!r}"
        )


def group_data(
    groups: RowGroups, chosen: Choices, known: Model | None, validation_data: Any, classes: Any
) -> tuple[FitData, Windows | None]:
    """Survey the rows of groups; return what is learned of them, and the source of the rows.

    Rows that are one window are in the data, which need no other source.

    Raises
    ------
    TypeError, ValueError
        For unusable data, or settings that have no effect.
    """
    validated = validation_data is not None
    settings, found = _surveyed(groups, chosen, validated=validated)
    data, factors, trained = learned(found, settings, known, validation_data, classes)
    windows = Windows(groups, found.flags, data, trained, factors)
    if windows.count > 1:
        return data.without_rows(), windows
    return replace(windows.in_order(), mean_weight=None), None


def _surveyed(groups: RowGroups, chosen: Choices, *, validated: bool) -> tuple[FitSettings, Survey]:
    """The settings by the number of rows, without those of weight 0, and the survey of the rows."""
    given = resolved(chosen, sum(groups.sizes), validated=validated)
    fraction = 0.0 if validated else given.validation_fraction
    found = survey(groups, fraction)
    settings = resolved(chosen, found.n_rows, validated=validated)
    if settings.validation_fraction != given.validation_fraction:
        found = survey(groups, settings.validation_fraction)
    return settings, found


def chunk_data(
    chunks: Chunks, chosen: Choices, known: Model | None, validation_data: Any, classes: Any
) -> tuple[FitData, Chunked]:
    """What is learned of the first chunk, and the source of the rows.

    Raises
    ------
    TypeError, ValueError
        For unusable data, or settings that have no effect.
    """
    resolve = partial(resolved, chosen, validated=validation_data is not None, open_ended=True)
    # No variable here holds the first chunk, so that it is freed when the next one comes.
    data = fit_data(
        *chunks.first(), validation_data, resolve, known.encoding if known else None, classes
    ).without_rows()

    def chunks_of_epoch() -> Iterator[FitData]:
        for chunk in chunks.epoch():
            yield fit_data(*chunk, None, lambda n_rows: data.settings, data.encoding)

    return data, Chunked(chunks_of_epoch, Seen())


def learned(
    found: Survey, settings: FitSettings, known: Model | None, validation_data: Any,
    classes: Any = None,
) -> tuple[FitData, Numbers | None, Total]:  # fmt: skip
    """What a survey tells: data with the sample as rows, weights of the classes, and all rows to
    train on with their total weight.

    Raises
    ------
    TypeError, ValueError
        For unusable data, or data that do not fit the network.
    """
    fraction = settings.validation_fraction if validation_data is None else 0.0
    if settings.class_weight == "balanced" and found.labels is not None:
        settings = changed(settings, class_weight=_balanced(found.labels))
    data = fit_data(
        *found.sample, found.validation if validation_data is None else validation_data,
        lambda n_rows: settings, known.encoding if known else None, classes,
    )  # fmt: skip
    _check_dense(data.encoding.inputs)
    factors, trained = _trained(data.settings.class_weight, data.encoding.outputs, found)
    counts = np.array([found.training.rows, found.n_held_out])
    data = replace(
        data, checksum=zlib.crc32(counts.tobytes(), data.digest),
        split=Split(0, 0, fraction, "hash") if fraction > 0 else None,
    )  # fmt: skip
    _check_split(known, data.split)
    return data, factors, trained


def _check_dense(inputs: Inputs) -> None:
    """Raise a ValueError for categories that make sparse rows, as windows and shards are arrays."""
    columns, names = inputs.columns, inputs.names
    if columns.are_sparse:
        most = max(columns.categories, key=lambda j: len(columns.categories[j]))
        raise ValueError(
            f"X must have at most {MOST_DENSE:,} categories in all columns where it is read in "
            f"parts, of which a sample comes first; got {columns.n_one_hot:,}, most of them in "
            f"column {most if names is None else names[most]!r}: fit a table, or chunks of one, "
            "put rare ones together, or leave that column out"
        )


def _balanced(labels: Mapping[Any, Total]) -> dict[Any, float]:
    factors = balanced_factors(np.array([total.weight for total in labels.values()]))
    return dict(zip(labels, factors.tolist(), strict=True))


def _trained(setting: Any, outputs: Outputs, found: Survey) -> tuple[Numbers | None, Total]:
    """Weights of the classes, and all rows that have a weight in the loss, with their total."""
    if setting is None:
        return None, found.training
    if found.labels is None:
        raise ValueError(
            f"class_weight needs a class for each row, and at most 10,000 classes; got {setting!r}"
        )
    factors = given_factors(setting, outputs)
    known, rows, weight = outputs.labels.tolist(), 0, 0.0
    for label, total in found.labels.items():
        factor = float(factors[known.index(label)])
        rows += total.rows if factor > 0 else 0
        weight += total.weight * factor
    if rows == 0:
        raise ValueError(f"class_weight must leave a weight > 0; got {setting!r}")
    return factors, Total(rows, weight)


def _check_split(known: Model | None, split: Split | None) -> None:
    """Warn if rows that are held out now may have been trained on before."""
    if split is None or known is None or not known.encoding.fitted:
        return
    before = known.split
    # Rows that are held out by their hash are also held out for a larger fraction.
    if before is None or before.kind != "hash" or before.fraction < split.fraction:
        warn(
            "the fit continues a network that may have been trained on the rows held out now, as "
            "the fit before did not hold them out: give validation_data, or the same "
            "validation_fraction"
        )
