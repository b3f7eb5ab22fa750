"""Losses, and what becomes of the logits in a prediction.

Kernels find the targets of output k at ``run.targets + k * run.target_stride``, or the indices of
classes at ``run.labels``, the weights of samples at ``run.weights`` for losses and deltas and at
``run.score_weights`` for scores, and at ``run.parameters`` the parameter of the loss for each
output. Deltas carry ``run.sample_scale`` and the weight of the sample.

To add one: a formula in ``pointwise``, and a line in ``LOSSES``.
"""

from typing import Any, NamedTuple

from ..language import functions
from . import pointwise, softmax


class Loss(NamedTuple):
    """A loss, and what it makes of the logits in a prediction."""

    loss: Any  # kernel (memory, run, layer): logits -> delta, in place, and sums to the run
    output: Any  # kernel (memory, run, layer): logits -> outputs, in place


_LOGISTIC, _EXP = pointwise.output(functions.logistic), pointwise.output(functions.exp)


def _of_numbers(formula: pointwise.Formula, output: Any = pointwise.identity) -> Loss:
    return Loss(pointwise.pointwise(formula), output)


LOSSES = {
    "softmax_cross_entropy": Loss(softmax.softmax_cross_entropy, softmax.softmax),
    "softmax_cross_entropy_weighted": Loss(softmax.softmax_cross_entropy_weighted, softmax.softmax),
    "softmax_cross_entropy_rows": Loss(softmax.softmax_cross_entropy_rows, softmax.softmax),
    "binary_cross_entropy": Loss(
        pointwise.pointwise(pointwise.binary_cross_entropy, is_class=True), _LOGISTIC
    ),
    "squared_error": _of_numbers(pointwise.squared_error),
    "absolute_error": _of_numbers(pointwise.absolute_error),
    "huber": _of_numbers(pointwise.huber),
    "quantile": _of_numbers(pointwise.quantile),
    "poisson": _of_numbers(pointwise.poisson, _EXP),
}

# What predictions make of the logits: by loss, or nothing.
OUTPUTS = {name: loss.output for name, loss in LOSSES.items()} | {"identity": pointwise.identity}
