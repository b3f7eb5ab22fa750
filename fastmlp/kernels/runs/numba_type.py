"""The Numba type of a network that other compiled code calls, and what a call is compiled to."""

from functools import cache
from typing import Any

import numpy as np

from ..language.backend import NumbaTypeError, from_dtype, register_jitable, types
from ..language.elements import int64s
from ..language.object_cache import kernels_version
from ..language.python_objects import address_of, register_type
from ..plugins.given_rows import KINDS
from .calls import call_at_address

ENTRY, FEATURES, COLUMNS = range(3)  # the first fields of the record

_KINDS = {from_dtype(dtype): kind for dtype, kind in KINDS.items()}


class NetworkType(types.Type):  # type: ignore[misc]
    """The type of a network by the dtype of its results, so that callers serve all networks.

    Callers that Numba has kept on disk are compiled anew where kernels have changed.
    """

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(f"fastmlp.CompiledPredictor({dtype}, kernels {kernels_version()})")


@cache
def network_type(dtype: np.dtype[Any]) -> NetworkType:
    """The Numba type of networks with results of a dtype."""
    return NetworkType(from_dtype(dtype))


def register(python_type: type) -> None:
    """Let Numba take objects of a Python type for networks, see :func:`register_type`."""
    register_type(python_type, NetworkType, _call)


def _call(network, x, out=None):
    """Implementation of a call for arguments of these types."""
    if not (isinstance(x, types.Array) and x.ndim in (1, 2)):
        raise NumbaTypeError(f"x must be an array, one row (d,) or rows (n, d); got {x}")
    kind = _KINDS.get(x.dtype)
    if kind is None:
        names = ", ".join(map(str, KINDS))
        raise NumbaTypeError(f"x must have one of the dtypes {names}; got {x.dtype}")
    if isinstance(out, types.Array):
        same = (out.dtype, out.ndim) == (network.dtype, x.ndim)
        if not (same and out.layout in "CA" and out.mutable and out.aligned):
            wanted = types.Array(network.dtype, x.ndim, "C")
            raise NumbaTypeError(f"out must be {wanted}; got {out}")
        return lambda network, x, out=None: _filled(network, x, out, kind)
    if not (out is None or isinstance(out, types.Omitted | types.NoneType)):
        raise NumbaTypeError(f"out must be an array or None; got {out}")
    dtype = np.dtype(network.dtype.name)

    def made(network, x, out=None):
        columns = int64s(address_of(network))[COLUMNS]
        return _filled(network, x, np.empty(x.shape[:-1] + (columns,), dtype), kind)  # noqa: RUF005

    return made


@register_jitable
def _filled(network, x, result, kind):
    """Fill the result of a call."""
    address = address_of(network)
    fields = int64s(address)
    columns = fields[COLUMNS]
    # Numbers as further arguments: a formatted message would double the time of compilation.
    if x.shape[-1] != fields[FEATURES]:
        raise ValueError("features of x: got, wanted", x.shape[-1], fields[FEATURES])
    shape = x.shape[:-1] + (columns,)  # noqa: RUF005
    if result.shape != shape:
        raise ValueError("shape of out: got, wanted", result.shape, shape)
    size, steps, rows = result.itemsize, result.strides, result.size // columns
    # The step along an axis of one element, or of an array without any, may be any number.
    if (rows and columns > 1 and steps[-1] != size) or (rows > 1 and steps[0] != size * columns):
        raise ValueError("out must be C-contiguous; its strides are", steps)
    # Callers hold the arrays until this function returns.
    failed = call_at_address(
        fields[ENTRY], address, x.ctypes.data, kind, rows,
        x.strides[0], x.strides[-1], result.ctypes.data, 0,
    )  # fmt: skip
    if failed:
        raise MemoryError("there is no memory for a call of the network")
    return result
