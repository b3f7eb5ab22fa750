"""Everything from outside -> checked settings and arrays; every rejection lives here.

Its message names the argument, what was got and what is wanted.
"""

from .arrays import all_finite, finite, is_ready
from .categories import Key
from .features import Features
from .frames import take_rows
from .labels import check_classes, encode_labels, is_one_hot, read_targets
from .messages import shown, some
from .names import Names, check_names, feature_names, outside
from .splits import check_validation_data, split_rows, split_validation
from .tables import blocks
from .targets import (
    check_labels,
    check_numbers,
    check_sample_weight,
    check_shares,
    class_weights,
    guess_loss,
)

__all__ = [
    "Features",
    "Key",
    "Names",
    "all_finite",
    "blocks",
    "check_classes",
    "check_labels",
    "check_names",
    "check_numbers",
    "check_sample_weight",
    "check_shares",
    "check_validation_data",
    "class_weights",
    "encode_labels",
    "feature_names",
    "finite",
    "guess_loss",
    "is_one_hot",
    "is_ready",
    "outside",
    "read_targets",
    "shown",
    "some",
    "split_rows",
    "split_validation",
    "take_rows",
]
