"""Functions of C that call a network, for programs that know nothing of Numba."""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..language import backend
from ..language.backend import ir, types
from ..language.simd import INT
from ..language.undisturbed import undisturbed
from ..plugins.given_rows import KINDS
from .numba_type import COLUMNS, ENTRY, FEATURES

_INT32, _DOUBLE = ir.IntType(32), ir.DoubleType()
_FLOAT64 = KINDS[np.dtype(np.float64)]


class CFunctions(NamedTuple):
    """Addresses of functions of C."""

    call: int  # int64_t f(the arguments of ``call_network``, each int64_t)
    rows: int  # int f(void *network, const double *x, int64_t n_rows, double *out)
    integrand: int  # double f(int n, double *x, void *network)


@cache
def c_functions() -> CFunctions:
    """Compile the functions; takes some milliseconds."""
    return undisturbed(_compiled)


def python_function() -> Callable[..., int]:
    """``CFunctions.call`` as a callable of integers that releases the GIL."""
    return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 8)(c_functions().call)


def _compiled() -> CFunctions:
    module = ir.Module("c_functions")
    for define in (_call, _rows, _integrand):
        define(module)
    return CFunctions(**backend.linked(module))


def _function(module: Any, name: str, result: Any, kinds: list[Any]) -> tuple[Any, tuple[Any, ...]]:
    function = ir.Function(module, ir.FunctionType(result, kinds), name)
    return ir.IRBuilder(function.append_basic_block()), function.args


def _field(b: Any, network: Any, index: int) -> Any:
    fields = b.inttoptr(network, INT.as_pointer())
    return b.load(b.gep(fields, [ir.Constant(INT, index)]))


def _status(b: Any, network: Any, *rest: Any) -> Any:
    kinds = [types.int64] * (1 + len(rest))
    entry = _field(b, network, ENTRY)
    return backend.emit_call_from_c(b, types.int64, kinds, [network, *rest], entry)


def _dense_status(b: Any, network: Any, x: Any, rows: Any, out: Any) -> Any:
    """Status for rows and results of contiguous doubles."""
    kind, size, one = (ir.Constant(INT, number) for number in (_FLOAT64, 8, 1))
    row_step = b.mul(_field(b, network, FEATURES), size)
    return _status(b, network, x, kind, rows, row_step, size, out, one)


def _call(module: Any) -> None:
    b, arguments = _function(module, "call", INT, [INT] * 8)
    b.ret(_status(b, *arguments))


def _rows(module: Any) -> None:
    b, arguments = _function(module, "rows", _INT32, [INT] * 4)
    b.ret(b.trunc(_dense_status(b, *arguments), _INT32))


def _integrand(module: Any) -> None:
    b, (n, x, network) = _function(module, "integrand", _DOUBLE, [_INT32, INT, INT])
    columns = _field(b, network, COLUMNS)
    results = b.alloca(_DOUBLE, size=columns)
    fits = b.icmp_signed("==", b.sext(n, INT), _field(b, network, FEATURES))
    with b.if_then(b.not_(fits)):
        b.ret(ir.Constant(_DOUBLE, float("nan")))
    status = _dense_status(b, network, x, ir.Constant(INT, 1), b.ptrtoint(results, INT))
    with b.if_then(b.icmp_signed("!=", status, ir.Constant(INT, 0))):
        b.ret(ir.Constant(_DOUBLE, float("nan")))
    last = b.sub(columns, ir.Constant(INT, 1))
    b.ret(b.load(b.gep(results, [last])))
