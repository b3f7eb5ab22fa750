"""Class weights, which multiply the sample weights in the loss."""

import re
from collections.abc import Mapping
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import starmap
from numbers import Real
from typing import Any

import numpy as np

from ..data import Array, Numbers, Rows, rescaled, shown, some
from ..fit_warning import warn
from .outputs import Outputs
from .targets import Targets
from .weights import Weights

ClassWeight = str | Mapping[Any, float] | None

# Similarity above which a word is taken for another one, misspelt: "vergnica" for "virginica" has
# 0.82, "male" for "female" 0.8.
_ALIKE = 0.81


def of_known_classes(setting: ClassWeight, outputs: Outputs, targets: Targets) -> ClassWeight:
    """The setting without classes that do not occur, as in a part of the data; a warning of them.

    Raises
    ------
    ValueError
        If rows have no single class, or a name is probably meant for another one.
    """
    if setting is not None and outputs.kind != "pair" and targets.labels is None:
        raise ValueError(
            f"class_weight needs a class for each row; got {setting!r} with loss="
            f"{outputs.loss.name!r} and other targets"
        )
    if not isinstance(setting, Mapping):
        return setting
    known = outputs.labels.tolist()
    unknown = [name for name in setting if name not in known]
    for name in unknown:
        _check_name(name, outputs.labels, [label for label in known if label not in setting])
    if unknown:
        warn(
            f"class_weight names {some(unknown)}, which Y does not hold; the classes are "
            f"{some(outputs.labels)}"
        )
    return {name: weight for name, weight in setting.items() if name in known}


def class_factors(setting: ClassWeight, outputs: Outputs, targets: Targets) -> Numbers | None:
    """The weight of each class, by these training rows; None without class weights.

    "balanced" gives all classes the same total weight, as in scikit-learn.

    Raises
    ------
    ValueError
        If no row keeps a weight.
    """
    if setting is None:
        return None
    indices = outputs.indices(targets)
    totals = np.bincount(indices, targets.weights_or_ones, len(outputs.labels)).astype(np.float64)
    if isinstance(setting, Mapping):
        factors = given_factors(setting, outputs)
    else:
        factors = balanced_factors(totals)
    if not factors[indices].any():
        raise ValueError(f"class_weight must leave a weight > 0; got {setting!r}")
    return factors


def given_factors(setting: Mapping[Any, float], outputs: Outputs) -> Numbers:
    """The weight of each class, by the labels that have one."""
    known = outputs.labels.tolist()
    factors = np.ones(len(known))
    for label, weight in setting.items():
        factors[known.index(label)] = weight
    return factors


def balanced_factors(totals: Numbers) -> Numbers:
    """Weights by which all classes have the same total weight."""
    factors = np.ones(len(totals))  # also of a class that the training rows lack
    np.divide(totals.sum(), totals * len(totals), out=factors, where=totals > 0)
    return factors


def with_class_weights(targets: Targets, outputs: Outputs, factors: Numbers | None) -> Targets:
    """Targets whose weights in the loss are multiplied by those of their classes."""
    if factors is None:
        return targets
    weights, (values, unit) = targets.of_scores, rescaled(factors)
    product = weights.values * values[outputs.indices(targets)]
    return replace(targets, loss_weights=Weights(product, weights.unit * unit))


def trained_on(targets: Targets) -> tuple[Rows, Targets]:
    """Rows whose weight in the loss is > 0, and their targets."""
    if not targets.is_weighted or targets.of_loss.values.all():
        return slice(None), targets
    kept = np.flatnonzero(targets.of_loss.values)
    return kept, targets.part(kept)


def _check_name(name: Any, labels: Array, unnamed: list[Any]) -> None:
    """Raise a ValueError for a name of another type than the labels, or one that resembles a label
    without a weight of its own."""
    are_numbers, text = labels.dtype.kind not in "OU", str(name)
    if not isinstance(name, Real | np.bool_ if are_numbers else str):
        meant = [label for label in labels.tolist() if str(label) == text]
        wanted = "numbers" if are_numbers else "strings"
        got = f"class_weight names {shown(name)}, but the classes are {wanted}, {some(labels)}"
    elif are_numbers:
        if float(name).is_integer():
            return
        meant, got = [], f"class_weight names {shown(name)}; the classes are {some(labels)}"
    else:
        meant = [label for label in unnamed if _are_alike(text, label)]
        if not meant:
            return
        got = f"class_weight names {shown(name)}, which Y does not hold"
    raise ValueError(f"{got}: did you mean {shown(meant[0])}?" if meant else got)


def _are_alike(a: str, b: str) -> bool:
    """Whether one is probably the other, misspelt: not if they have other numbers or signs."""
    squeezed, other = (re.sub(r"[\s_.-]", "", text.casefold()) for text in (a, b))
    if squeezed and squeezed == other:
        return True
    words = [re.findall(r"[^\W\d_]+|\d+|[^\w\s]", text.casefold()) for text in (a, b)]
    same_length = len(words[0]) == len(words[1])
    return same_length and all(starmap(_is_same_word, zip(*words, strict=True)))


def _is_same_word(a: str, b: str) -> bool:
    if not (a.isalpha() and b.isalpha()):
        return a == b
    swapped = sorted(a) == sorted(b)
    return swapped or SequenceMatcher(None, a, b).ratio() > _ALIKE
