"""Update rules: new weights and state from the gradient, over ``count`` contiguous elements.

Weights start at ``w0`` of ``memory``, their gradient at ``g0``. The state of element w lies at
``w + size`` (velocity, or first moment) and at ``w + 2 * size`` (second moment).
"""

import math

from .elements import load, store
from .jit import jit

SGD, MOMENTUM, NESTEROV, ADAM = range(4)

# Vectors of state that a rule keeps.
STATE_VECTORS = {SGD: 0, MOMENTUM: 1, NESTEROV: 1, ADAM: 2}

# Constants of Adam (Kingma and Ba 2015, algorithm 1), with the epsilon of Keras.
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-7


@jit
def step_size(rule, learning_rate, step):
    """Factor of update number ``step`` (from 1); for Adam with both bias corrections."""
    if rule == ADAM:
        return learning_rate * math.sqrt(1.0 - BETA2**step) / (1.0 - BETA1**step)
    return learning_rate


@jit
def update(rule, memory, w0, g0, count, size, rate, momentum):
    """Apply ``rule`` to ``count`` elements."""
    kind = memory.dtype.type
    if rule == SGD:
        for i in range(count):
            store(memory, w0 + i, load(memory, w0 + i) - rate * load(memory, g0 + i))
    elif rule == ADAM:
        keep1, take1 = kind(BETA1), kind(1.0 - BETA1)
        keep2, take2 = kind(BETA2), kind(1.0 - BETA2)
        epsilon = kind(EPSILON)
        for i in range(count):
            w, slope = w0 + i, load(memory, g0 + i)
            first = keep1 * load(memory, w + size) + take1 * slope
            second = keep2 * load(memory, w + 2 * size) + take2 * slope * slope
            store(memory, w + size, first)
            store(memory, w + 2 * size, second)
            move = rate * first / (kind(math.sqrt(second)) + epsilon)
            store(memory, w, load(memory, w) - move)
    else:
        # Nesterov's step goes on along the new velocity before it takes the gradient's.
        along, straight = (momentum, rate) if rule == NESTEROV else (kind(1), kind(0))
        for i in range(count):
            w, slope = w0 + i, load(memory, g0 + i)
            velocity = momentum * load(memory, w + size) - rate * slope
            store(memory, w + size, velocity)
            store(memory, w, load(memory, w) + along * velocity - straight * slope)
