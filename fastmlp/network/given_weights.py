"""Checks of weights that users give."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data.arrays import Array, as_array, finite


def check_weights(
    weights: Sequence[npt.ArrayLike],
    *,
    n_features: int | None = None,
    n_outputs: int | None = None,
    hidden: tuple[int, ...] | None = None,
    dtype: npt.DTypeLike = np.float64,
) -> list[Array]:
    """Return [W1, b1, W2, b2, ...] as C-contiguous arrays of `dtype`, copied only if needed.

    Layer by layer, W has shape (n_in, n_out) and b (n_out,). If given, `n_features` is n_in of the
    first layer, `n_outputs` n_out of the last, `hidden` the sizes of the layers between.

    Raises
    ------
    TypeError, ValueError
        If the number of arrays or a shape is wrong, or a value is not a finite number in `dtype`.
    """
    if not isinstance(weights, list | tuple):
        raise TypeError(f"weights must be a list W1, b1, ...; got {type(weights).__name__}")
    inner = [None] * (len(weights) // 2 - 1) if hidden is None else hidden
    if len(weights) != 2 * len(inner) + 2:
        raise ValueError(f"weights must be W, b per layer, {hidden=}; got {len(weights)} arrays")
    checked: list[Array] = []
    n_in = n_features
    for layer, n_out in enumerate([*inner, n_outputs], start=1):
        W = _weight(weights[2 * layer - 2], (n_in, n_out), f"W{layer}", dtype)
        checked += W, _weight(weights[2 * layer - 1], W.shape[1:], f"b{layer}", dtype)
        n_in = W.shape[1]
    return checked


def _weight(value: Any, wanted: tuple[int | None, ...], name: str, dtype: npt.DTypeLike) -> Array:
    array = as_array(value, name)
    fits = [want in (None, got) for want, got in zip(wanted, array.shape, strict=False)]
    if array.ndim != len(wanted) or array.size == 0 or not all(fits):
        raise ValueError(f"{name} must have shape {wanted}; got {array.shape}")
    return finite(array, dtype, name)
