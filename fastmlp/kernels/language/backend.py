"""The one seam to Numba and llvmlite: no other module of fastmlp imports them.

What is public there passes through as it is (``ir``, ``types``, ``intrinsic``, ``prange``,
``from_dtype``). What is private, or on its way out, is behind functions: code generation, linking,
the calling convention, the target, the compiler's lock, the folder of the cache, and threads. A
version of Numba that changes any of them is met in this file alone.

What takes locks of Numba or llvmlite is called through ``undisturbed``.
"""

import ctypes
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba import from_dtype, prange, types
from numba.core import config
from numba.core.caching import CompileResultCacheImpl
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.extending import intrinsic
from numba.np.ufunc import parallel

__all__ = ["from_dtype", "intrinsic", "ir", "prange", "types"]

# The newest versions that the tests have passed with.
TRIED = "Numba 0.68.1, llvmlite 0.50.0"

# Neither nnan nor ninf: with them LLVM may assume away the non-finite values that
# tell a diverged run.
FASTMATH = frozenset({"contract", "reassoc", "nsz", "arcp", "afn"})

_OPTIONS: dict[str, Any] = {
    "error_model": "numpy", "fastmath": set(FASTMATH),
    "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "no_rewrites": True,
}  # fmt: skip

# Variables of Numba that change the code it makes.
SETTINGS = (
    "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "DEBUGINFO_DEFAULT", "BOUNDSCHECK",
    "DISABLE_INTEL_SVML", "LLVM_REFPRUNE_PASS", "LLVM_PASS_TIMINGS",
)  # fmt: skip


def versions() -> str:
    """Of Numba and llvmlite."""
    return f"Numba {numba.__version__}, llvmlite {llvmlite.__version__}"


def settings() -> list[str]:
    """What the user has set that changes the code."""
    return [str(getattr(config, name, None)) for name in SETTINGS]


def cache_folder(function: Callable[..., Any]) -> Path:
    """Where Numba would keep compiled code of a function; RuntimeError, OSError if nowhere."""
    return Path(CompileResultCacheImpl(function).locator.get_cache_path())


def is_compiling() -> bool:
    """Whether this thread is inside of Numba's compiler."""
    return bool(global_compiler_lock.is_locked())


# --------------------------------------------------------------------------------------- the target


def target() -> tuple[str, str, str]:
    """The target triple, the CPU and its features that Numba compiles for."""
    triple, cpu, features = cpu_target.target_context.codegen().magic_tuple()
    return triple, cpu, features


def assembly(source: str) -> str:
    """What Numba's target makes of LLVM's language."""
    return str(_target_machine().emit_assembly(llvm.parse_assembly(source)))


def _target_machine() -> llvm.TargetMachine:
    """A target machine like Numba's."""
    triple, cpu, features = target()
    return llvm.Target.from_triple(triple).create_target_machine(
        cpu=cpu, features=features, reloc="static" if triple.startswith(("x86_64", "i686"))
        else "default", codemodel="jitdefault", jit=True,
    )  # fmt: skip


# -------------------------------------------------------------------------------------- object code


class ObjectCode(NamedTuple):
    """Machine code of a function, not linked yet."""

    symbol: str  # its name there
    needs: tuple[str, ...]  # symbols that it asks the linker for
    code: bytes


# External functions and variables of a module in LLVM's language.
_EXTERNAL = re.compile(r'^(?:declare .*?@"?([^"(]+)"?\(|@"?([^"=]+?)"? = external )', re.MULTILINE)


def compiled(
    function: Callable[..., Any], arguments: tuple[Any, ...], *, is_parallel: bool
) -> ObjectCode:
    """Object code of a function for arguments of these types."""
    if config.DISABLE_JIT:
        raise RuntimeError("fastmlp has compiled kernels only: unset NUMBA_DISABLE_JIT")
    dispatcher = numba.njit(**_OPTIONS, **({"parallel": True} if is_parallel else {}))(function)
    dispatcher.compile(arguments)
    result = dispatcher.overloads[arguments]
    _, _, (code, _) = result.library.serialize_using_object_code()
    names = {"".join(found) for found in _EXTERNAL.findall(dispatcher.inspect_llvm(arguments))}
    needs = sorted(name for name in names if not name.startswith("llvm."))
    return ObjectCode(result.fndesc.llvm_func_name, tuple(needs), code)


def link(code: ObjectCode) -> int:
    """Address of a function, linked into this process for good."""
    library = llvm.JITLibraryBuilder().add_object_img(code.code).add_current_process()
    for name in code.needs:
        address = llvm.address_of_symbol(name)
        if address is not None:  # else it is one of the process, or of a library that it has loaded
            library.import_symbol(name, address)
    linked = library.export_symbol(code.symbol).link(_engine(), f"fastmlp {next(_numbers)}")
    address = int(linked[code.symbol])
    linked.detach()  # else it would be unloaded
    return address


_numbers = count()


@cache
def _engine() -> Any:
    return llvm.create_lljit_compiler(_target_machine(), suppress_errors=True)


def publish(symbol: str, address: int) -> None:
    """Let the linker, Numba's too, find a function by this name."""
    llvm.add_symbol(symbol, address)


# --------------------------------------------------------------------------------- functions called


def emit_call(
    context: Any, builder: Any, result: Any, kinds: Sequence[Any], values: Sequence[Any],
    locate: Callable[[Any], Any],
) -> Any:  # fmt: skip
    """Emit the call of a compiled function; ``locate`` gives the pointer to it by its LLVM type."""
    function = locate(context.call_conv.get_function_type(result, kinds))
    return context.call_conv.call_function(builder, function, result, kinds, values)[1]


# Where a function leaves its result, and its exception; kernels called from outside have neither.
_RESULT, _EXCEPTION = ctypes.c_int64(), ctypes.c_void_p()


def c_function(
    address: int, n_arguments: int, result: ctypes.c_int64 = _RESULT
) -> Callable[..., int]:
    """The function at an address, of integers or pointers, without the GIL; returns its status.

    It is called as Numba calls it: before the arguments come the addresses of result and exception.
    """
    kinds = [ctypes.c_void_p] * 2 + [ctypes.c_int64] * n_arguments
    places = (ctypes.c_void_p(ctypes.addressof(place)) for place in (result, _EXCEPTION))
    return partial(ctypes.CFUNCTYPE(ctypes.c_int32, *kinds)(address), *places)


def outcome(address: int, *arguments: int) -> tuple[int, int]:
    """Status and result of the function at an address."""
    result = ctypes.c_int64()
    return c_function(address, len(arguments), result)(*arguments), result.value


# ------------------------------------------------------------------------------------------ threads


def thread_limit() -> int:
    """Threads of Numba at the most."""
    return int(config.NUMBA_NUM_THREADS)


def thread_mask() -> int:
    """What ``numba.set_num_threads`` has set in this thread; no limit before Numba's threads start.

    Numba's own function takes locks, which in a forked child may be held by a thread that is gone,
    and which an exception of a signal handler may leave taken.
    """
    mask = getattr(parallel, "_get_num_threads", None)
    return sys.maxsize if mask is None else int(mask())


def set_thread_mask(n_threads: int) -> None:
    """As ``numba.set_num_threads``, without its locks, once Numba's threads have started."""
    parallel._set_num_threads(n_threads)


def threads_started() -> bool:
    """Whether Numba's threads have."""
    return bool(parallel._is_initialized)


def start_threads() -> None:
    """Start Numba's threads."""
    numba.get_num_threads()


def threading_layer() -> str:
    """The layer of Numba's threads, which have started."""
    return str(numba.threading_layer())


def tbb_launcher() -> Callable[[int], None] | None:
    """What starts threads of TBB, if that is the layer that Numba will choose."""
    layer = str(config.THREADING_LAYER).lower()
    first = config.THREADING_LAYER_PRIORITY[0] if layer == "default" else layer
    if first in ("tbb", "safe", "threadsafe", "forksafe"):
        with suppress(ImportError):
            parallel._check_tbb_version_compatible()
            launch = import_module("numba.np.ufunc.tbbpool").launch_threads
            return ctypes.PYFUNCTYPE(None, ctypes.c_int)(launch)
    return None
