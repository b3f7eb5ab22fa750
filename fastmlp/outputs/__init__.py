"""Outputs of a network: encoding of targets, decoding of predictions.

Numbers are centred and scaled, each column by its mean and standard deviation over the training
rows, counts by their mean; predictions and losses are in the unit of the targets.
"""

from .auto_loss import loss_of_parts
from .class_weights import (
    balanced_factors,
    class_factors,
    given_factors,
    of_known_classes,
    trained_on,
    with_class_weights,
)
from .learn_outputs import given_outputs, learn_outputs, match_outputs, with_classes
from .means import Means, Scores
from .outputs import Outputs
from .targets import Targets
from .weights import MeanWeight

__all__ = [
    "MeanWeight",
    "Means",
    "Outputs",
    "Scores",
    "Targets",
    "balanced_factors",
    "class_factors",
    "given_factors",
    "given_outputs",
    "learn_outputs",
    "loss_of_parts",
    "match_outputs",
    "of_known_classes",
    "trained_on",
    "with_class_weights",
    "with_classes",
]
