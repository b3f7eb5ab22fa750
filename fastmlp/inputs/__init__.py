"""Inputs of a network: encoding of rows, as learned from the training rows.

Categories are one-hot encoded, missing numbers filled, and features scaled.
"""

from .categories_and_gaps import MOST_DENSE, Columns
from .inputs import Inputs, learn_inputs
from .learn_columns import learn_columns
from .scaling import Scaling

__all__ = [
    "MOST_DENSE",
    "Columns",
    "Inputs",
    "Scaling",
    "learn_columns",
    "learn_inputs",
]
