"""Update rules: new weights and state from the gradient, over ``count`` contiguous elements.

Weights start at ``w0`` of ``memory``, their gradient at ``g0``. The state of element w lies at
``w + size`` (velocity, or first moment) and at ``w + 2 * size`` (second moment).
"""

import math

import numpy as np
import numpy.typing as npt

from .elements import as_element
from .jit import unit

SGD, MOMENTUM, NESTEROV, ADAM = range(4)

# Vectors of state that a rule keeps.
STATE_VECTORS = {SGD: 0, MOMENTUM: 1, NESTEROV: 1, ADAM: 2}

# Constants of Adam (Kingma and Ba 2015, algorithm 1), with the epsilon of Keras.
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-7


def step_sizes(rule: int, learning_rate: float, done: int, count: int) -> npt.NDArray[np.float64]:
    """Factors of ``count`` updates after ``done`` ones; Adam's with its bias corrections."""
    if rule != ADAM:
        return np.full(count, learning_rate)
    steps = np.arange(done + 1.0, done + count + 1.0)
    return learning_rate * np.sqrt(1 - BETA2**steps) / (1 - BETA1**steps)


@unit
def update(rule, memory, w0, g0, count, size, rate, momentum):
    """Apply ``rule`` to ``count`` elements."""
    if rule == SGD:
        for i in range(count):
            memory[w0 + i] -= rate * memory[g0 + i]
    elif rule == ADAM:
        keep1, take1 = as_element(BETA1, memory), as_element(1.0 - BETA1, memory)
        keep2, take2 = as_element(BETA2, memory), as_element(1.0 - BETA2, memory)
        epsilon = as_element(EPSILON, memory)
        for i in range(count):
            w, slope = w0 + i, memory[g0 + i]
            first = keep1 * memory[w + size] + take1 * slope
            second = keep2 * memory[w + 2 * size] + take2 * slope * slope
            memory[w + size] = first
            memory[w + 2 * size] = second
            memory[w] -= rate * first / (math.sqrt(second) + epsilon)
    else:
        # Nesterov's step goes on along the new velocity before it takes the gradient's.
        along, straight = as_element(1, memory), as_element(0, memory)
        if rule == NESTEROV:
            along, straight = momentum, rate
        for i in range(count):
            w, slope = w0 + i, memory[g0 + i]
            velocity = momentum * memory[w + size] - rate * slope
            memory[w + size] = velocity
            memory[w] += along * velocity - straight * slope
