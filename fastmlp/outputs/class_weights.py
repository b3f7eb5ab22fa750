"""Class weights, which multiply the sample weights."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..data import Array, Numbers, some
from .outputs import Outputs
from .targets import Targets

# Divisor in place of 0 for a class without rows, whose weight has no effect.
_TINY = 1e-300

ClassWeight = str | Mapping[Any, float] | None


def with_class_weights(targets: Targets, outputs: Outputs, setting: ClassWeight) -> Targets:
    """Return targets whose sample weights are multiplied by the weights of their classes.

    Raises
    ------
    ValueError
        If rows have no single class, the setting names an unknown class, or all weights become 0.
    """
    if setting is None:
        return targets
    if outputs.kind != "pair" and targets.labels is None:
        raise ValueError(
            f"class_weight needs a class for each row; got {setting!r} with loss="
            f"{outputs.loss.name!r} and other targets"
        )
    indices = outputs.indices(targets)
    weights = targets.weights_or_ones
    totals = np.bincount(indices, weights, len(outputs.labels)).astype(np.float64)
    weights = weights * _class_weights(setting, outputs.labels, totals)[indices]
    if not weights.any():
        raise ValueError(f"class_weight must leave a weight > 0; got {setting!r}")
    return replace(targets, weights=weights)


def _class_weights(setting: str | Mapping[Any, float], classes: Array, totals: Numbers) -> Numbers:
    """Weight of each class: "balanced" gives all classes the same total weight, as in scikit-learn.

    Raises
    ------
    ValueError
        If a mapping names an unknown class.
    """
    if isinstance(setting, str):
        balanced: Numbers = totals.sum() / (len(classes) * np.maximum(totals, _TINY))
        return balanced
    weights, known = np.ones(len(classes)), classes.tolist()
    for label, weight in setting.items():
        if label not in known:
            raise ValueError(f"class_weight names {label!r}; the classes are {some(classes)}")
        weights[known.index(label)] = weight
    return weights
