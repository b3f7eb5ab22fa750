"""The one place that owns Numba's options, and the compiled units that others link against."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils

# Neither nnan nor ninf: with them LLVM may assume away the non-finite values that
# tell a diverged run.
FASTMATH = frozenset({"contract", "reassoc", "nsz", "arcp", "afn"})

_OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": set(FASTMATH)}

# Numba's cache of a function does not see changes in the modules that it calls, so the name that
# an export has in the cache tells the state of all kernels.
_SOURCES = hashlib.sha256(
    b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
).hexdigest()[:16]

# Compiled exports, kept alive as long as other code may jump to them.
_exports: dict[str, Any] = {}


def _cached(decorator: Callable[..., Any], function: Callable[..., Any], **options: Any) -> Any:
    """Apply a Numba decorator; without a cache where no folder for one may be written to."""
    try:
        return decorator(cache=True, **options)(function)
    except RuntimeError:
        return decorator(**options)(function)


def jit(function: Callable[..., Any]) -> Any:
    """Compile a helper into whatever calls it; it cannot be called from Python."""
    return numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_OPTIONS)(function)


def jit_parallel(function: Callable[..., Any]) -> Any:
    """Compile an entry point that starts threads, at its first call; cached on disk."""
    return _cached(numba.njit, function, nogil=True, parallel=True, **_OPTIONS)


def _symbol(name: str, dtype: types.Float) -> str:
    return f"fastmlp_{name}_{dtype}"


def export(name: str, dtype: types.Float, signature: Any, function: Callable[..., Any]) -> int:
    """Compile ``function`` as a unit of its own; returns its address.

    Other code calls it by name (:func:`call_exported`) or by address. Numba optimises and emits
    a function anew inside every function that calls it, at each level of calls: with the tiles
    and the training loop compiled that way, a first fit took 17 s.
    """
    symbol = _symbol(name, dtype)
    if symbol not in _exports:
        function.__qualname__ = f"{name}_{_SOURCES}"
        _exports[symbol] = _cached(
            lambda **options: numba.cfunc(signature, **options), function, **_OPTIONS
        )
        llvm.add_symbol(symbol, _exports[symbol].address)
    address: int = _exports[symbol].address
    return address


def call_exported(
    context: Any, builder: ir.IRBuilder, name: str, dtype: types.Float, arguments: list[Any]
) -> None:
    """Emit a call of an exported function; for use in the code generator of an intrinsic."""
    signature = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, signature, _symbol(name, dtype))
    builder.call(function, arguments)
