"""Everything from outside -> checked settings and arrays; every rejection lives here.

Its message names the argument, what was got and what is wanted.
"""

from .features import check_features
from .labels import check_classes, encode_labels
from .names import Names, check_names, feature_names
from .settings import LEARNING_RATES, SETTINGS, Settings, as_callables, check_setting, near_miss
from .splits import check_pair, split_validation
from .weights import check_weights

__all__ = [
    "LEARNING_RATES",
    "SETTINGS",
    "Names",
    "Settings",
    "as_callables",
    "check_classes",
    "check_features",
    "check_names",
    "check_pair",
    "check_setting",
    "check_weights",
    "encode_labels",
    "feature_names",
    "near_miss",
    "split_validation",
]
