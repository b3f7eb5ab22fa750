"""Tables with columns of categories, of each package."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa

# Columns of categories in the terms of each package.
PACKAGES: dict[str, tuple[Callable[..., Any], Callable[[Any], Any]]] = {
    "pandas": (pd.DataFrame, lambda values: pd.Series(list(values), dtype="category")),
    "pandas of Arrow": (
        pd.DataFrame,
        lambda values: pd.Series(
            pd.arrays.ArrowExtensionArray(pa.array(list(values)).dictionary_encode())
        ),
    ),
    "polars": (pl.DataFrame, lambda values: pl.Series(list(values), dtype=pl.Categorical)),
    "polars Enum": (
        pl.DataFrame,
        lambda values: pl.Series(
            list(values), dtype=pl.Enum(sorted({v for v in values if v is not None}))
        ),
    ),
    "pyarrow": (pa.table, lambda values: pa.array(list(values)).dictionary_encode()),
}  # fmt: skip
