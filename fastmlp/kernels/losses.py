"""Softmax and cross-entropy: value and output delta, side by side.

Logits z lie class by class, ``stride`` samples apart, so that every loop runs along samples and
vectorises. Behind the c rows of logits there are three more rows of work: the maximum, the sum
of exponentials and the margin (logit of the label minus maximum) of each sample.
"""

import math

from .elements import exp_nonpositive, load, store
from .jit import jit

# Sums of exponentials multiplied in float64 before one logarithm is taken. Each is at most the
# number of classes, so the product stays finite below 1e19 classes.
_LOG_BLOCK = 16


@jit
def _maxima(z, z0, stride, m, c):
    top = z0 + c * stride
    for s in range(m):
        store(z, top + s, load(z, z0 + s))
    for k in range(1, c):
        row = z0 + k * stride
        for s in range(m):
            a, b = load(z, row + s), load(z, top + s)
            store(z, top + s, a if a > b else b)


@jit
def _exponentials(z, z0, stride, m, c):
    top = z0 + c * stride
    total = top + stride
    for s in range(m):
        store(z, total + s, z.dtype.type(0))
    for k in range(c):
        row = z0 + k * stride
        for s in range(m):
            e = exp_nonpositive(load(z, row + s) - load(z, top + s))
            store(z, row + s, e)
            store(z, total + s, load(z, total + s) + e)


@jit
def _scale_by_total(z, z0, stride, m, c, factor):
    total = z0 + (c + 1) * stride
    for s in range(m):
        store(z, total + s, factor / load(z, total + s))
    for k in range(c):
        row = z0 + k * stride
        for s in range(m):
            store(z, row + s, load(z, row + s) * load(z, total + s))


@jit
def softmax(z, z0, stride, m, c):
    """Logits -> probabilities, in place."""
    _maxima(z, z0, stride, m, c)
    _exponentials(z, z0, stride, m, c)
    _scale_by_total(z, z0, stride, m, c, z.dtype.type(1))


@jit
def softmax_cross_entropy(z, z0, stride, labels, first, m, c, scale):
    """Logits -> delta = (p - y) * scale, in place; returns (sum of losses, hits).

    The loss of a sample is -log p[label] = log(sum exp(z - max)) - (z[label] - max), the
    log-sum-exp form, exact where p underflows. Sample s has label ``labels[first + s]``.
    A hit is a label whose logit is the largest, the first one among equals as with ``argmax``.
    """
    top = z0 + c * stride
    total, margin = top + stride, top + 2 * stride
    _maxima(z, z0, stride, m, c)
    hits = 0
    for s in range(m):
        label = labels[first + s]
        largest = load(z, top + s)
        difference = load(z, z0 + label * stride + s) - largest
        store(z, margin + s, difference)
        if difference == 0:
            hits += 1
            for k in range(label):
                if load(z, z0 + k * stride + s) == largest:
                    hits -= 1
                    break
    _exponentials(z, z0, stride, m, c)
    loss = 0.0
    for block in range(0, m, _LOG_BLOCK):
        product = 1.0
        for s in range(block, min(block + _LOG_BLOCK, m)):
            product *= load(z, total + s)
            loss -= load(z, margin + s)
        loss += math.log(product)
    _scale_by_total(z, z0, stride, m, c, scale)
    for s in range(m):
        at_label = z0 + labels[first + s] * stride + s
        store(z, at_label, load(z, at_label) - scale)
    return loss, hits
