"""Losses, and what becomes of the logits in a prediction."""

from typing import Any, NamedTuple

from .softmax import softmax, softmax_cross_entropy


class Loss(NamedTuple):
    """A loss, and what it makes of the logits in a prediction."""

    loss: Any  # unit (memory, run, layer): logits -> delta, in place, and sums to the run
    output: Any  # unit (memory, run, layer): logits -> outputs, in place


LOSSES = {"softmax_cross_entropy": Loss(softmax_cross_entropy, softmax)}
