"""Kernels: functions that are compiled separately and call one another.

Numba compiles a helper again inside every function that calls it, at each level of calls. So every
kernel is compiled once for each dtype, to object code that is saved on disk, and is called by its
address: through its symbol or, where a run selects a kernel, through an address in a record (a
*plug-in*). Kernels that a run does not call are neither compiled nor loaded; if all object code is
on disk, Numba's compiler is not started.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial
from itertools import count
from typing import Any

from . import backend
from .backend import ObjectCode, types
from .builders import declared, intrinsic_of
from .object_cache import load_object, save_object
from .parameters import Layer, Memory, Prototype, Run
from .undisturbed import undisturbed

_announcement: ContextVar[Callable[[], None] | None] = ContextVar("announcement", default=None)


@contextmanager
def announcing(announce: Callable[[], None]) -> Iterator[None]:
    """Call ``announce`` before the first compilation in this context, if there is one."""
    token = _announcement.set(announce)
    try:
        yield
    finally:
        _announcement.reset(token)


def _caller(prototype: Prototype, target: Callable[..., Any], *before: str) -> Any:
    """An intrinsic that calls kernels of this prototype.

    ``target(dtype)`` returns a function (builder, kind, args) that returns the pointer to a kernel,
    of the LLVM type ``kind``. The arguments named in ``before`` come first, are int64s, and are
    passed to that function only.
    """
    extra = len(before)

    def call(typing_context: Any, *arguments: Any) -> Any:
        dtype = None if prototype.memory is None else arguments[extra + prototype.memory].dtype
        locate = target(dtype)

        def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return backend.emit_call(
                context, builder, sig.return_type, sig.args[extra:], args[extra:],
                lambda kind: locate(builder, kind, args),
            )  # fmt: skip

        return prototype.result(*[types.int64] * extra, *prototype.types(dtype)), emit

    return intrinsic_of(call, (*before, *prototype.names))


class Kernel:
    """A function that is compiled separately, for each dtype if a parameter is ``Memory``."""

    def __init__(self, function: Callable[..., Any], is_parallel: bool) -> None:
        self.name = f"{function.__module__.rpartition('.')[2]}_{function.__name__}"
        # The names of files depend on the sources of this package: not on changes elsewhere.
        self._is_kept = function.__module__.partition(".")[0] == __name__.partition(".")[0]
        # Kernels of other packages may have the same name as another kernel.
        self._symbol = f"fastmlp_{self.name}" + ("" if self._is_kept else f".{next(_numbers)}")
        self.prototype = Prototype(function)
        # Numba's symbols are made of this name and a number that counts from 1 in every process:
        # those of two functions with the same qualified name may be equal.
        function.__qualname__ = function.__name__
        self.function = function
        self._is_parallel = is_parallel
        self._addresses: dict[types.Float | None, int] = {}

    def address(self, dtype: types.Float | None = None) -> int:
        """Address of the machine code, which is compiled, or loaded from disk, at first use."""
        own = self._own(dtype)
        # Numba and LLVM run undisturbed; the announcement does not.
        if own not in self._addresses and not undisturbed(partial(self.provide, own)):
            self._announce()
            undisturbed(partial(self.provide, own, compiles=True))
        return self._addresses[own]

    def _own(self, dtype: types.Float | None) -> types.Float | None:
        return None if self.prototype.memory is None else dtype

    def provide(self, dtype: types.Float | None, *, compiles: bool = False) -> bool:
        """Link the kernel and all that it calls; False if one must be compiled and may not be."""
        own = self._own(dtype)
        if own in self._addresses:
            return True
        symbol = self.symbol(own)
        kept = load_object(symbol) if self._is_kept else None
        if kept is None and not compiles:
            return False
        code = kept or self._compiled(own)
        # The linker needs all kernels that it calls; compilation has linked them, see ``_kernel``.
        for need in code.needs:
            if need in _providers and not _providers[need](compiles=compiles):
                return False
        address = backend.link(code)
        backend.publish(symbol, address)
        self._addresses[own] = address
        if kept is None and self._is_kept:
            save_object(symbol, code)
        return True

    def symbol(self, dtype: types.Float | None) -> str:
        """Symbol of the kernel for the linker."""
        own = self._own(dtype)
        return self._symbol if own is None else f"{self._symbol}_{own}"

    def _announce(self) -> None:
        """Call the function of :func:`announcing`, once."""
        announce = _announcement.get()
        if announce is not None:
            announce()
            _announcement.set(None)

    def _compiled(self, dtype: types.Float | None) -> ObjectCode:
        arguments = self.prototype.types(dtype)
        return backend.compiled(self.function, arguments, is_parallel=self._is_parallel)


_numbers = count()
# Functions that link a kernel, by its symbol.
_providers: dict[str, partial[bool]] = {}


def kernel(function: Callable[..., Any]) -> Any:
    """Make a function a kernel, which other kernels can call."""
    return _kernel(function, is_parallel=False)


def parallel_kernel(function: Callable[..., Any]) -> Any:
    """The same for a function that starts threads, with ``prange``."""
    return _kernel(function, is_parallel=True)


def _kernel(function: Callable[..., Any], is_parallel: bool) -> Any:
    made = Kernel(function, is_parallel)
    takes_memory = made.prototype.memory is not None
    for dtype in (types.float32, types.float64):
        _providers[made.symbol(dtype)] = partial(made.provide, dtype if takes_memory else None)

    def target(dtype: types.Float | None) -> Callable[..., Any]:
        # Numba is compiling a call of this kernel and will link the caller.
        made.provide(dtype, compiles=True)
        return lambda builder, kind, args: declared(builder, kind, made.symbol(dtype))

    caller = _caller(made.prototype, target)
    caller.kernel = made
    return caller


def provide_all(dtypes: Collection[types.Float]) -> None:
    """Compile all kernels for these dtypes, or load them from disk."""
    for provide in list(_providers.values()):
        if provide.args[0] in (None, *dtypes):
            undisturbed(partial(provide, compiles=True))


def kernel_of(caller: Any) -> Kernel:
    """The kernel behind the function that :func:`kernel` returned."""
    made: Kernel = caller.kernel
    return made


def plugin(prototype: Callable[..., Any]) -> Any:
    """A function that calls any kernel with the parameters of the prototype.

    Kernels call it with the address of the kernel before the other arguments.
    """

    def locate(builder: Any, kind: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], kind.as_pointer())

    return _caller(Prototype(prototype), lambda dtype: locate, "address")


@plugin
def call(memory: Memory, run: Run, layer: Layer):
    """A step of a run at a layer: most kernels that a run selects have these parameters."""


@kernel
def _digits(a: int, b: int, c: int) -> int:
    """Digits of a number, to check the calling convention."""
    return a + 10 * b + 100 * c


@cache
def _check_convention() -> None:
    """Raise a RuntimeError if calls would give wrong numbers; takes a millisecond."""
    if backend.outcome(kernel_of(_digits).address(), 7, 8, 9) != (0, 987):
        raise RuntimeError(
            f"{backend.versions()} have another calling convention than fastmlp expects; it was "
            f"tested with versions up to {backend.TRIED}"
        )


def c_function(address: int, n_arguments: int) -> Callable[..., int]:
    """The kernel at an address as a callable, of integers or pointers, that releases the GIL."""
    _check_convention()
    return backend.c_function(address, n_arguments)
