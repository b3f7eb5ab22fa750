"""The Numba type of a network that other compiled code calls, and what a call is compiled to."""

from functools import cache
from typing import Any

import numpy as np

from ..language.backend import (
    NumbaTypeError,
    address_of,
    from_dtype,
    register_jitable,
    register_type,
    types,
)
from ..language.elements import int64s
from ..language.records import CALL
from ..plugins.given_rows import KINDS
from .calls import call_at_address

# Counts changes of the fields that callers read and of the arguments of ``call_network``: callers
# that Numba has kept on disk with another number are compiled anew.
PROTOCOL = 1
ENTRY, FEATURES, COLUMNS = (CALL.names.index(name) for name in ("entry", "features", "columns"))

_KINDS = {from_dtype(dtype): kind for dtype, kind in KINDS.items()}


class NetworkType(types.Type):
    """The type of a network by the dtype of its results, so that callers serve all networks."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(f"fastmlp.CompiledPredictor({dtype}, protocol {PROTOCOL})")


@cache
def register(python_type: type) -> None:
    """Let Numba take objects of a Python type that has attributes ``dtype``, ``network`` and a
    method ``pin``."""
    register_type(
        python_type, NetworkType, lambda value: NetworkType(from_dtype(value.dtype)),
        lambda value: value.pin(), _call,
    )  # fmt: skip


def _call(network, x, out=None):
    """Implementation of a call for arguments of these types."""
    if not (isinstance(x, types.Array) and x.ndim in (1, 2) and x.aligned):
        raise NumbaTypeError(f"x must be an array, one row (d,) or rows (n, d); got {x}")
    kind = _KINDS.get(x.dtype)
    if kind is None:
        names = ", ".join(map(str, KINDS))
        raise NumbaTypeError(f"x must have one of the dtypes {names}; got {x.dtype}")
    if isinstance(out, types.Array):
        if not (out.layout == "C" and out.mutable and (out.dtype, out.ndim) == (network.dtype, x.ndim)):
            wanted = types.Array(network.dtype, x.ndim, "C")
            raise NumbaTypeError(f"out must be {wanted}; got {out}")
        return lambda network, x, out=None: _filled(network, x, out, kind)
    if not (out is None or isinstance(out, types.Omitted | types.NoneType)):
        raise NumbaTypeError(f"out must be an array or None; got {out}")
    dtype = np.dtype(network.dtype.name)

    def made(network, x, out=None):
        columns = int64s(address_of(network))[COLUMNS]
        return _filled(network, x, np.empty(x.shape[:-1] + (columns,), dtype), kind)

    return made


@register_jitable
def _filled(network, x, result, kind):
    """Fill the result of a call."""
    address = address_of(network)
    fields = int64s(address)
    if x.shape[-1] != fields[FEATURES]:
        raise ValueError("x must have the features of the fit; got:", x.shape[-1])
    if result.shape != x.shape[:-1] + (fields[COLUMNS],):
        raise ValueError("out must have a row for each row of x, and the columns of the result")
    # Callers hold the arrays until this function returns.
    failed = call_at_address(
        fields[ENTRY], address, x.ctypes.data, kind, result.size // fields[COLUMNS],
        x.strides[0], x.strides[-1], result.ctypes.data, 0,
    )  # fmt: skip
    if failed:
        raise MemoryError("there is no memory for a call of the network")
    return result
