"""What the inputs of a network stand for: rows as users have them -> rows as kernels take them.

Features are scaled on the way in, by what was learned from the training rows.
"""

from .learn import given_scaling
from .meaning import Inputs, learn_inputs, read_rows
from .scaling import Scaling

__all__ = ["Inputs", "Scaling", "given_scaling", "learn_inputs", "read_rows"]
