"""Checks of what inputs are learned from."""

from ..data import AnyFeatures, some
from ..settings import FitSettings
from ..settings.checks import keeps_zeros
from .categories_and_gaps import Columns


def check_count(columns: Columns, name: str, given: Columns | None) -> None:
    """Raise a ValueError for columns that make another number of inputs than given weights have."""
    if given and given.n_inputs != columns.n_inputs:
        got = f"got {columns.n_given}"
        if columns.n_given != columns.n_inputs:
            got += f", which make {columns.n_inputs} columns of numbers"
        raise ValueError(f"{name} must have {given.n_inputs} features; {got}")


def check_first(features: AnyFeatures, columns: Columns, found: list[int]) -> None:
    """Raise a ValueError for encoded columns that are constant, or empty, in the first chunk."""
    if not found:
        return
    given = list(dict.fromkeys(columns.origins[k] for k in found))
    names = given if features.names is None else features.names[given]
    raise ValueError(
        f"{features.name} must vary in every column of the first chunk, from which scaling and "
        f"medians are learned for all chunks; got at most one value in columns {some(names)}: give "
        "a larger first chunk, leave these columns out, or set scaling=None or a factor for each "
        "column"
    )


def check_sparse_settings(settings: FitSettings, name: str) -> None:
    """Raise a ValueError for settings that make other numbers of the zeros of sparse rows."""
    if settings.missing != "error":
        raise ValueError(
            f"missing has no effect for sparse {name}, where only zeros are left out; got "
            f"{settings.missing!r}"
        )
    if not keeps_zeros(settings.scaling):
        raise ValueError(
            "scaling must be 'auto', 'max_abs', None, a factor, or one for each feature for sparse "
            f"{name}, whose zeros stay zeros; got {settings.scaling!r}"
        )
