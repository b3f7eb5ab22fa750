"""Kernels: functions compiled each on its own, that call one another.

Numba optimises and emits a helper anew inside every function that calls it, at each level of
calls. So every kernel is compiled once for a dtype, to object code that is kept on disk, and called
by its address, through a symbol of its own or, where a run chooses among kernels, through a
*plug-in* (an address in a record). What a run does not call is neither compiled nor loaded; with
all object code on disk, no part of Numba's compiler is started.
"""

import ctypes
import dis
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial
from typing import Any

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .object_cache import ObjectCode, load_object, save_object
from .parameters import Layer, Memory, Prototype, Run
from .target import target_machine
from .undisturbed import undisturbed

# Neither nnan nor ninf: with them LLVM may assume away the non-finite values that
# tell a diverged run.
FASTMATH = frozenset({"contract", "reassoc", "nsz", "arcp", "afn"})

_OPTIONS: dict[str, Any] = {
    "error_model": "numpy", "fastmath": set(FASTMATH),
    "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "no_rewrites": True,
}  # fmt: skip

_announcement: ContextVar[Callable[[], None] | None] = ContextVar("announcement", default=None)


@contextmanager
def announcing(announce: Callable[[], None]) -> Iterator[None]:
    """Call ``announce`` before anything is compiled within, if anything is."""
    token = _announcement.set(announce)
    try:
        yield
    finally:
        _announcement.reset(token)


def _caller(prototype: Prototype, locate: Callable[..., Any], *before: str) -> Any:
    """An intrinsic that calls a kernel in Numba's calling convention.

    ``locate(builder, kind, dtype, args)`` gives the pointer to the function of LLVM type ``kind``;
    arguments named in ``before`` come first and are not the kernel's, but int64s for ``locate``.
    """
    extra = len(before)

    def call(typing_context: Any, *arguments: Any) -> Any:
        dtype = None if prototype.memory is None else arguments[extra + prototype.memory].dtype

        def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            taken = sig.args[extra:]
            kind = context.call_conv.get_function_type(sig.return_type, taken)
            packed = context.get_arg_packer(taken).as_arguments(builder, args[extra:])
            value = cgutils.alloca_once(builder, kind.args[0].pointee)
            no_exception = ir.Constant(kind.args[1], None)
            builder.call(locate(builder, kind, dtype, args), [value, no_exception, *packed])
            if sig.return_type == types.none:
                return context.get_dummy_value()
            return builder.load(value)

        return prototype.result(*[types.int64] * extra, *prototype.types(dtype)), emit

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = ("typing_context", *before, *prototype.names)
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, kind) for name in names]
    )
    return intrinsic(call)


class Kernel:
    """A kernel that is compiled on its own, once for each dtype if it works on ``memory``."""

    def __init__(self, function: Callable[..., Any], parallel: bool) -> None:
        self.name = f"{function.__module__.rpartition('.')[2]}_{function.__name__}"
        # Files go by the sources of the package: they would not tell of a change elsewhere.
        self._is_kept = function.__module__.partition(".")[0] == __name__.partition(".")[0]
        self.prototype = Prototype(function)
        # Numba names machine code by this. Of functions made by one other it is the same, and so
        # may be all of the name, as it counts on from 1 in every process.
        function.__qualname__ = function.__name__
        self.function = function
        self._options = _OPTIONS | ({"parallel": True} if parallel else {})
        self._addresses: dict[types.Float | None, int] = {}

    def address(self, dtype: types.Float | None = None) -> int:
        """Where the machine code is; compiled, or loaded from the disk, at first."""
        own = self._own(dtype)
        # All that Numba and LLVM do for a kernel is done undisturbed; here it is only announced.
        if own not in self._addresses and not undisturbed(partial(self._provide, own)):
            self._announce()
            undisturbed(partial(self._provide, own, compiles=True))
        return self._addresses[own]

    def _own(self, dtype: types.Float | None) -> types.Float | None:
        return None if self.prototype.memory is None else dtype

    def _provide(self, dtype: types.Float | None, *, compiles: bool = False) -> bool:
        """Link the kernel and all that it calls; False if one is to be compiled before."""
        own = self._own(dtype)
        if own in self._addresses:
            return True
        # Machine code is linked when it is loaded, so whatever it calls has to be there.
        for called in callees(self.function):
            if not called._provide(own, compiles=compiles):
                return False
        symbol = self.symbol(own)
        kept = load_object(symbol) if self._is_kept else None
        if kept is None and not compiles:
            return False
        code = kept or self._compiled(own)
        address = _link(code)
        llvm.add_symbol(symbol, address)
        self._addresses[own] = address
        if kept is None and self._is_kept:
            save_object(symbol, code)
        return True

    def symbol(self, dtype: types.Float | None) -> str:
        """The name by which the linker finds the kernel."""
        return f"fastmlp_{self.name}" + f"_{dtype}" * (self.prototype.memory is not None)

    def _announce(self) -> None:
        """Say that kernels are compiled, once within :func:`announcing`."""
        announce = _announcement.get()
        if announce is not None:
            announce()
            _announcement.set(None)

    def _compiled(self, dtype: types.Float | None) -> ObjectCode:
        if numba.config.DISABLE_JIT:
            raise RuntimeError("fastmlp has compiled kernels only: unset NUMBA_DISABLE_JIT")
        arguments = self.prototype.types(dtype)
        made = numba.njit(**self._options)(self.function)
        made.compile(arguments)
        result = made.overloads[arguments]
        _, _, (code, _) = result.library.serialize_using_object_code()
        return ObjectCode(result.fndesc.llvm_func_name, code)


def kernel(function: Callable[..., Any]) -> Any:
    """Make a function a kernel; other kernels call it as a function, through its symbol."""
    return _kernel(function, parallel=False)


def parallel_kernel(function: Callable[..., Any]) -> Any:
    """The same for one that starts threads, with ``numba.prange``."""
    return _kernel(function, parallel=True)


def _kernel(function: Callable[..., Any], parallel: bool) -> Any:
    made = Kernel(function, parallel)

    def locate(builder: Any, kind: Any, dtype: types.Float | None, args: Any) -> Any:
        return cgutils.get_or_insert_function(builder.module, kind, made.symbol(dtype))

    caller = _caller(made.prototype, locate)
    caller.kernel = made
    return caller


def kernel_of(caller: Any) -> Kernel:
    """The kernel that other kernels call by this name."""
    made: Kernel = caller.kernel
    return made


def plugin(prototype: Callable[..., Any]) -> Any:
    """The caller of kernels that a run chooses: all have the prototype's parameters.

    Kernels call it with the address of the chosen one before the other arguments.
    """

    def locate(builder: Any, kind: Any, dtype: types.Float | None, args: Any) -> Any:
        return builder.inttoptr(args[0], kind.as_pointer())

    return _caller(Prototype(prototype), locate, "address")


def callees(function: Callable[..., Any]) -> Iterator[Kernel]:
    """The kernels that a kernel calls by name."""
    for instruction in dis.get_instructions(function):
        if instruction.opname == "LOAD_GLOBAL":
            called = getattr(function.__globals__.get(instruction.argval), "kernel", None)
            if isinstance(called, Kernel):
                yield called


@cache
def _engine() -> Any:
    """What links object code into this process."""
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine())


def _link(code: ObjectCode) -> int:
    engine = _engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(code.code))
    engine.finalize_object()
    address: int = engine.get_function_address(code.symbol)
    return address


# A function's result and exception, of which kernels have none, in Numba's calling convention.
_RESULT = ctypes.create_string_buffer(2 * ctypes.sizeof(ctypes.c_void_p))
_UNUSED = ctypes.c_void_p(ctypes.addressof(_RESULT)), ctypes.c_void_p(None)


def c_function(address: int, count: int) -> Callable[..., None]:
    """The kernel at an address, of ``count`` integers or pointers, called without the GIL."""
    pointers, numbers = [ctypes.c_void_p] * 2, [ctypes.c_int64] * count
    return partial(ctypes.CFUNCTYPE(ctypes.c_int32, *pointers, *numbers)(address), *_UNUSED)


@plugin
def call(memory: Memory, run: Run, layer: Layer):
    """A step of a run at a layer: most kernels that a run chooses are of this kind."""
