"""Kernels: functions compiled each on its own, that call one another.

Numba optimises and emits a helper anew inside every function that calls it, at each level of
calls. So every kernel is compiled once for a dtype, to object code that is kept on disk, and called
by its address, through a symbol of its own or, where a run chooses among kernels, through a
*plug-in* (an address in a record). What a run does not call is neither compiled nor loaded; with
all object code on disk, no part of Numba's compiler is started.
"""

from collections.abc import Callable, Iterator
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
    """Call ``announce`` before anything is compiled within, if anything is."""
    token = _announcement.set(announce)
    try:
        yield
    finally:
        _announcement.reset(token)


def _caller(prototype: Prototype, target: Callable[..., Any], *before: str) -> Any:
    """An intrinsic that calls kernels of this prototype.

    ``target(dtype)`` makes the function (builder, kind, args) that gives the pointer to one, of the
    LLVM type ``kind``. Arguments named in ``before`` come first and are int64s for it alone.
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
    """A function that is compiled on its own, once for each dtype if it works on a memory."""

    def __init__(self, function: Callable[..., Any], is_parallel: bool) -> None:
        self.name = f"{function.__module__.rpartition('.')[2]}_{function.__name__}"
        # Files go by the sources of the package: they would not tell of a change elsewhere.
        self._is_kept = function.__module__.partition(".")[0] == __name__.partition(".")[0]
        # Others may have names that are taken.
        self._symbol = f"fastmlp_{self.name}" + ("" if self._is_kept else f".{next(_numbers)}")
        self.prototype = Prototype(function)
        # Numba names machine code by this. Of functions made by one other it is the same, and so
        # may be all of the name, as it counts on from 1 in every process.
        function.__qualname__ = function.__name__
        self.function = function
        self._is_parallel = is_parallel
        self._addresses: dict[types.Float | None, int] = {}

    def address(self, dtype: types.Float | None = None) -> int:
        """Where the machine code is; compiled, or loaded from the disk, at first."""
        own = self._own(dtype)
        # All that Numba and LLVM do for a kernel is done undisturbed; here it is only announced.
        if own not in self._addresses and not undisturbed(partial(self.provide, own)):
            self._announce()
            undisturbed(partial(self.provide, own, compiles=True))
        return self._addresses[own]

    def _own(self, dtype: types.Float | None) -> types.Float | None:
        return None if self.prototype.memory is None else dtype

    def provide(self, dtype: types.Float | None, *, compiles: bool = False) -> bool:
        """Link the kernel and all that it calls; False if one is to be compiled before."""
        own = self._own(dtype)
        if own in self._addresses:
            return True
        symbol = self.symbol(own)
        kept = load_object(symbol) if self._is_kept else None
        if kept is None and not compiles:
            return False
        code = kept or self._compiled(own)
        # Linking asks for whatever it calls. What is compiled has that already, see ``_kernel``.
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
        """The name by which the linker finds the kernel."""
        own = self._own(dtype)
        return self._symbol if own is None else f"{self._symbol}_{own}"

    def _announce(self) -> None:
        """Say that kernels are compiled, once within :func:`announcing`."""
        announce = _announcement.get()
        if announce is not None:
            announce()
            _announcement.set(None)

    def _compiled(self, dtype: types.Float | None) -> ObjectCode:
        arguments = self.prototype.types(dtype)
        return backend.compiled(self.function, arguments, is_parallel=self._is_parallel)


_numbers = count()
# What links a kernel, by its symbol.
_providers: dict[str, Callable[..., bool]] = {}


def kernel(function: Callable[..., Any]) -> Any:
    """Make a function a kernel; other kernels call it as a function, through its symbol."""
    return _kernel(function, is_parallel=False)


def parallel_kernel(function: Callable[..., Any]) -> Any:
    """The same for one that starts threads, with ``prange``."""
    return _kernel(function, is_parallel=True)


def _kernel(function: Callable[..., Any], is_parallel: bool) -> Any:
    made = Kernel(function, is_parallel)
    for dtype in (types.float32, types.float64):
        _providers[made.symbol(dtype)] = partial(made.provide, dtype)

    def target(dtype: types.Float | None) -> Callable[..., Any]:
        # Numba has come to a call of it, from a global, a closure or an attribute of a module, and
        # will link the caller.
        made.provide(dtype, compiles=True)
        return lambda builder, kind, args: declared(builder, kind, made.symbol(dtype))

    caller = _caller(made.prototype, target)
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

    def locate(builder: Any, kind: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], kind.as_pointer())

    return _caller(Prototype(prototype), lambda dtype: locate, "address")


@plugin
def call(memory: Memory, run: Run, layer: Layer):
    """A step of a run at a layer: most kernels that a run chooses are of this kind."""


@kernel
def _digits(a: int, b: int, c: int) -> int:
    """What a call from outside must give, for :func:`c_function`."""
    return a + 10 * b + 100 * c


@cache
def _check_convention() -> None:
    """Raise an error where numbers would be wrong; it takes a millisecond."""
    if backend.outcome(kernel_of(_digits).address(), 7, 8, 9) != (0, 987):
        raise RuntimeError(
            f"{backend.versions()} call compiled functions in another way than fastmlp knows; it "
            f"was tried with versions up to {backend.TRIED}"
        )


def c_function(address: int, n_arguments: int) -> Callable[..., int]:
    """The kernel at an address, of integers or pointers, called without the GIL."""
    _check_convention()
    return backend.c_function(address, n_arguments)
