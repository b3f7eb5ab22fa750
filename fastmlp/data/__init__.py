"""Adapters of users' data: arrays, tables, targets, weights, with checks for unusable data.

Error messages name the argument, what it must be, and what it is.
"""

from .arrays import Array, Numbers, Rows, all_finite, finite, is_ready, of_lists
from .categories import Key
from .features import AnyFeatures, ArrayFeatures, Features, open_dense, open_features
from .messages import shown, some
from .names import Names, are_numbers, check_names, check_row_order
from .pandas_polars_arrow import concat_rows, gather_rows
from .sampling import sample_rows, take_rows
from .sparse_features import SparseFeatures, compressed
from .sparse_rows import EncodedRows, SparseRows
from .splits import Split, choose_split, split_rows
from .tables import blocks
from .targets import RawTargets, as_samples, check_classes, read_targets, rescaled

__all__ = [
    "AnyFeatures",
    "Array",
    "ArrayFeatures",
    "EncodedRows",
    "Features",
    "Key",
    "Names",
    "Numbers",
    "RawTargets",
    "Rows",
    "SparseFeatures",
    "SparseRows",
    "Split",
    "all_finite",
    "are_numbers",
    "as_samples",
    "blocks",
    "check_classes",
    "check_names",
    "check_row_order",
    "choose_split",
    "compressed",
    "concat_rows",
    "finite",
    "gather_rows",
    "is_ready",
    "of_lists",
    "open_dense",
    "open_features",
    "read_targets",
    "rescaled",
    "sample_rows",
    "shown",
    "some",
    "split_rows",
    "take_rows",
]
