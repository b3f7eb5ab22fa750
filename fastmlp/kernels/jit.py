"""The one place that owns Numba's options, and the compiled units that jump to one another.

Numba optimises and emits a helper anew inside every function that calls it, at each level of
calls: compiled that way the training loop took 17 s. So every kernel with a loop in it is a unit,
compiled once and called by its address; what remains is small enough to be inlined (``jit``).
"""

import hashlib
import inspect
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
from numba import types
from numba.core import cgutils
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaError
from numba.extending import intrinsic

# Neither nnan nor ninf: with them LLVM may assume away the non-finite values that
# tell a diverged run.
FASTMATH = frozenset({"contract", "reassoc", "nsz", "arcp", "afn"})

_OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": set(FASTMATH)}
_NO_WRAPPERS: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

# Numba's cache of a function does not see changes in the modules that it calls, so the names in
# the cache tell the state of all kernels.
_SOURCES = hashlib.sha256(
    b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
).hexdigest()[:16]

# Types of the parameters of units, by name; every other one is an int64.
_ELEMENTS = {"rate", "momentum", "scale"}
_TABLES = {"job", "layers", "sizes", "index", "order", "row_masks"}


def _compiled(function: Callable[..., Any], compile_: Callable[..., Any]) -> Any:
    """``compile_(function, cache=True)``; in memory alone where there is no cache.

    No folder for one may be writable, and files in it may be damaged: Numba lets all the errors of
    reading them through.
    """
    function.__qualname__ = f"{function.__name__}_{_SOURCES}"
    try:
        return compile_(function, cache=True)
    except NumbaError:
        raise
    except Exception:
        return compile_(function, cache=False)


def _specialised(
    function: Callable[..., Any], arguments: tuple[Any, ...], **options: Any
) -> tuple[Any, Any]:
    """A Numba function compiled for one signature, and what Numba knows of that."""
    made = numba.njit(**options, **_OPTIONS)(function)
    made.compile(arguments)
    return made, made.overloads[arguments]


def jit(function: Callable[..., Any]) -> Any:
    """Compile a helper into whatever calls it; it cannot be called from Python."""
    return numba.njit(**_NO_WRAPPERS, **_OPTIONS)(function)


def jit_parallel(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Compile an entry point that starts threads; cached on disk."""
    specialised = partial(_specialised, arguments=arguments, nogil=True, parallel=True)
    return _compiled(function, specialised)[0]


def _type_of(parameter: str, dtype: types.Float) -> Any:
    if parameter == "memory":
        return types.CPointer(dtype)
    if parameter == "labels":
        return types.CPointer(types.int32)
    if parameter in _TABLES:
        return types.CPointer(types.int64)
    return dtype if parameter in _ELEMENTS else types.int64


# Machine code, kept alive as long as other code may jump to it.
_libraries: list[Any] = []

# Of what Numba knows of a compiled function.
_PARTS = attrgetter("library", "fndesc", "signature")


class Unit:
    """A kernel that is compiled on its own, once for each dtype if it works on ``memory``."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = function.__name__
        self._needs = _units_called(function)
        self._parameters = list(inspect.signature(function).parameters)
        self._function = function
        self._results: dict[types.Float | None, Any] = {}

    def compile(self, dtype: types.Float | None) -> Any:
        """Compile, or load from the cache, and make the address known to the linker.

        Returns Numba's descriptor of the compiled function, and its signature.
        """
        own = self._own(dtype)
        result = self._results.get(own)
        if result is None:
            # Machine code from the cache links at once, so whatever it calls has to be there.
            for each in self._needs:
                each.compile(dtype)
            arguments = tuple(_type_of(name, dtype) for name in self._parameters)
            specialised = partial(_specialised, arguments=arguments, **_NO_WRAPPERS)
            library, *result = _PARTS(_compiled(self._function, specialised)[1])
            address = library.get_pointer_to_function(result[0].llvm_func_name)
            llvm.add_symbol(self._symbol(own), address)
            _libraries.append(library)
            self._results[own] = result
        return result

    def _own(self, dtype: types.Float | None) -> types.Float | None:
        return dtype if "memory" in self._parameters else None

    def _symbol(self, own: types.Float | None) -> str:
        return f"fastmlp_{self.name}_{own}"

    def caller(self) -> Any:
        """An intrinsic that calls the unit."""

        def call(typing_context: Any, *arguments: Any) -> Any:
            named = dict(zip(self._parameters, arguments, strict=True))
            dtype = named["memory"].dtype if "memory" in named else None
            descriptor, signature = self.compile(dtype)

            def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
                convention = context.call_conv
                kind = convention.get_function_type(descriptor.restype, descriptor.argtypes)
                symbol = self._symbol(dtype)
                function = cgutils.get_or_insert_function(builder.module, kind, symbol)
                _, value = convention.call_function(
                    builder, function, descriptor.restype, descriptor.argtypes, args
                )
                return value

            return signature, emit

        names = ["typing_context", *self._parameters]
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(name, kind) for name in names]
        )
        return intrinsic(call)


# Units by the identity of the intrinsics that call them.
_units: dict[int, Unit] = {}


def unit(function: Callable[..., Any]) -> Any:
    """Make a kernel a unit of its own, which other kernels call as a function."""
    made = Unit(function)
    caller = made.caller()
    _units[id(caller)] = made
    return caller


def _units_called(function: Callable[..., Any]) -> list[Unit]:
    """The units that a kernel calls by name, itself or through its helpers."""
    found = []
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, Dispatcher):
            found += _units_called(value.py_func)
        elif id(value) in _units:
            found.append(_units[id(value)])
    return found


def entry(function: Callable[..., Any], dtype: types.Float) -> int:
    """Compile a C function that calls units; returns its address."""
    for each in _units_called(function):
        each.compile(dtype)
    parameters = inspect.signature(function).parameters
    signature = types.void(*(_type_of(name, dtype) for name in parameters))

    def compile_(function: Callable[..., Any], cache: bool) -> Any:
        return numba.cfunc(signature, cache=cache, **_OPTIONS)(function)

    compiled = _compiled(function, compile_)
    _libraries.append(compiled)
    address: int = compiled.address
    return address
