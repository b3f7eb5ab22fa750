"""What the outputs of a network stand for: targets as kernels take them, predictions as users do.

Numbers are centred and scaled on the way in, each column by its mean and standard deviation over
the training rows, counts by their mean; predictions and losses are in the unit of the targets.
"""

from .encoded import Targets
from .learn_outputs import given_outputs, learn_outputs
from .outputs import Outputs

__all__ = [
    "Outputs",
    "Targets",
    "given_outputs",
    "learn_outputs",
]
