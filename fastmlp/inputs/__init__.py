"""Inputs of a network: rows as users have them -> rows as kernels take them.

Columns of categories become columns of 0 and 1, gaps are filled, and features are scaled on the way
in, all as learned from the training rows.
"""

from .columns import Columns, learn_columns
from .inputs import Inputs, learn_inputs
from .learn_scaling import given_scaling
from .scaling import AS_THEY_COME, Scaling

__all__ = [
    "AS_THEY_COME",
    "Columns",
    "Inputs",
    "Scaling",
    "given_scaling",
    "learn_columns",
    "learn_inputs",
]
