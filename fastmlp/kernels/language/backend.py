"""The interface to Numba and llvmlite, which no other module of fastmlp imports.

Public names, those of ``__all__``, are passed on. Private or deprecated ones are behind functions:
compilation, linking, the calling convention, the target, the compiler's lock, the cache folder and
threads. If Numba changes one, only this file changes.

Call functions that take locks of Numba or llvmlite through ``undisturbed``.
"""

import ctypes
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from importlib import import_module
from inspect import getfile
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba import extending, from_dtype, prange, types
from numba.core import config
from numba.core.caching import CompileResultCacheImpl as _Cache
from numba.core.compiler_lock import global_compiler_lock
from numba.core.errors import NumbaTypeError
from numba.core.imputils import lower_constant
from numba.core.registry import cpu_target
from numba.extending import intrinsic, register_jitable
from numba.np.ufunc import parallel

__all__ = [
    "NumbaTypeError", "extending", "from_dtype", "intrinsic", "ir", "lower_constant",
    "prange", "register_jitable", "types",
]  # fmt: skip

# The newest versions that the tests have passed with.
TRIED = "Numba 0.68.1, llvmlite 0.50.0"

# Neither nnan nor ninf: with them LLVM may assume that there are no non-finite values, by which a
# diverged fit is detected.
FASTMATH = frozenset({"contract", "reassoc", "nsz", "arcp", "afn"})

_OPTIONS: dict[str, Any] = {
    "error_model": "numpy", "fastmath": set(FASTMATH),
    "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "no_rewrites": True,
}  # fmt: skip

# Settings of Numba that change the generated code.
SETTINGS = (
    "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "DEBUGINFO_DEFAULT", "BOUNDSCHECK",
    "DISABLE_INTEL_SVML", "LLVM_REFPRUNE_PASS", "LLVM_PASS_TIMINGS",
)  # fmt: skip


def versions() -> str:
    """The versions of Numba and llvmlite."""
    return f"Numba {numba.__version__}, llvmlite {llvmlite.__version__}"


def settings() -> list[str]:
    """Values of the settings of Numba that change the generated code."""
    return [str(getattr(config, name, None)) for name in SETTINGS]


def cache_folder(function: Callable[..., Any]) -> Path:
    """Folder in which Numba would cache a function; raises RuntimeError or OSError if none."""
    if config.CACHE_DIR:
        subfolder = _Cache._locator_classes[0].get_suitable_cache_subpath(getfile(function))
        folder = Path(config.CACHE_DIR, subfolder)
        # Numba would pass over a folder that is read-only, as in a container; it may be filled.
        if folder.is_dir():
            return folder
    return Path(_Cache(function).locator.get_cache_path())


def is_compiling() -> bool:
    """Whether this thread is in Numba's compiler."""
    return bool(global_compiler_lock.is_locked())


# --------------------------------------------------------------------------------------- the target


def target() -> tuple[str, str, str]:
    """Target triple, CPU and CPU features for which Numba compiles."""
    triple, cpu, features = cpu_target.target_context.codegen().magic_tuple()
    return triple, cpu, features


def assembly(source: str) -> str:
    """Assembly that Numba's target generates from LLVM IR."""
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
    """Object code of a function, not linked yet."""

    symbol: str  # name of the function in it
    needs: tuple[str, ...]  # undefined symbols
    code: bytes


# External functions and variables of a module in LLVM IR.
_EXTERNAL = re.compile(r'^(?:declare .*?@"?([^"(]+)"?\(|@"?([^"=]+?)"? = external )', re.MULTILINE)


def compiled(
    function: Callable[..., Any], arguments: tuple[Any, ...], *, is_parallel: bool
) -> ObjectCode:
    """Compile a function for arguments of these types."""
    if config.DISABLE_JIT:
        raise RuntimeError("fastmlp has compiled kernels only: unset NUMBA_DISABLE_JIT")
    dispatcher = numba.njit(**_OPTIONS, **({"parallel": True} if is_parallel else {}))(function)
    dispatcher.compile(arguments)
    result = dispatcher.overloads[arguments]
    library = result.library
    _, _, (code, _) = library.serialize_using_object_code()
    names = {"".join(found) for found in _EXTERNAL.findall(dispatcher.inspect_llvm(arguments))}
    needs = sorted(name for name in names if not name.startswith("llvm."))
    return ObjectCode(result.fndesc.llvm_func_name, tuple(needs), code)


def link(code: ObjectCode) -> int:
    """Link a function into this process permanently; return its address."""
    library = llvm.JITLibraryBuilder().add_object_img(code.code).add_current_process()
    for name in code.needs:
        address = llvm.address_of_symbol(name)
        if address is not None:  # else it is in the process or in a library that it has loaded
            library.import_symbol(name, address)
    linked = library.export_symbol(code.symbol).link(_engine(), f"fastmlp {next(_numbers)}")
    address = int(linked[code.symbol])
    linked.detach()  # otherwise it is unloaded with this object
    return address


def linked(module: ir.Module) -> dict[str, int]:
    """Compile the functions that a module defines into this process; their addresses by name."""
    module.triple = target()[0]
    names = [function.name for function in module.functions if not function.is_declaration]
    library = llvm.JITLibraryBuilder().add_ir(str(module)).add_current_process()
    for name in names:
        library.export_symbol(name)
    made = library.link(_engine(), f"fastmlp {next(_numbers)}")
    addresses = {name: int(made[name]) for name in names}
    made.detach()
    return addresses


_numbers = count()


@cache
def _engine() -> Any:
    return llvm.create_lljit_compiler(_target_machine(), suppress_errors=True)


def publish(symbol: str, address: int) -> None:
    """Register the address of a symbol with the linker, also for Numba."""
    llvm.add_symbol(symbol, address)


# --------------------------------------------------------------------------------- functions called


def emit_call(
    context: Any, builder: Any, result: Any, kinds: Sequence[Any], values: Sequence[Any],
    locate: Callable[[Any], Any],
) -> Any:  # fmt: skip
    """Emit a call of a compiled function; ``locate`` maps its LLVM type to a pointer to it."""
    function = locate(context.call_conv.get_function_type(result, kinds))
    return context.call_conv.call_function(builder, function, result, kinds, values)[1]


def emit_call_from_c(
    builder: Any, result: Any, kinds: Sequence[Any], values: Sequence[Any], address: Any
) -> Any:
    """The same in a function of C, of the function at an address."""

    def locate(kind: Any) -> Any:
        return builder.inttoptr(address, kind.as_pointer())

    return emit_call(cpu_target.target_context, builder, result, kinds, values, locate)


# Output arguments for result and exception; kernels that Python calls use neither.
_RESULT, _EXCEPTION = ctypes.c_int64(), ctypes.c_void_p()


def c_function(
    address: int, n_arguments: int, result: ctypes.c_int64 = _RESULT
) -> Callable[..., int]:
    """The function at an address as a callable that releases the GIL and returns a status.

    By Numba's calling convention the addresses of result and exception precede the arguments,
    which are integers or pointers.
    """
    kinds = [ctypes.c_void_p] * 2 + [ctypes.c_int64] * n_arguments
    places = (ctypes.c_void_p(ctypes.addressof(place)) for place in (result, _EXCEPTION))
    return partial(ctypes.CFUNCTYPE(ctypes.c_int32, *kinds)(address), *places)


def outcome(address: int, *arguments: int) -> tuple[int, int]:
    """Call the function at an address; return its status and result."""
    result = ctypes.c_int64()
    return c_function(address, len(arguments), result)(*arguments), result.value


# ------------------------------------------------------------------------------------------ threads


def thread_limit() -> int:
    """Maximum number of Numba's threads."""
    return int(config.NUMBA_NUM_THREADS)


def thread_mask() -> int:
    """Value of ``numba.set_num_threads`` in this thread; no limit before Numba's threads start.

    Numba's own function takes locks. In a forked child a thread that no longer exists may hold
    them, and an exception in a signal handler may leave them locked.
    """
    mask = getattr(parallel, "_get_num_threads", None)
    return sys.maxsize if mask is None else int(mask())


def mask_setter() -> Callable[[int], None]:
    """``numba.set_num_threads`` without its locks; Numba's threads must have started."""
    setter: Callable[[int], None] = parallel._set_num_threads
    return setter


def threads_started() -> bool:
    """Whether Numba's threads have started."""
    return bool(parallel._is_initialized)


def start_threads() -> None:
    """Start Numba's threads."""
    numba.get_num_threads()


def threading_layer() -> str:
    """Numba's threading layer; its threads must have started."""
    return str(numba.threading_layer())


def tbb_launcher() -> Callable[[int], None] | None:
    """A function that starts the threads of TBB; None if Numba will choose another layer."""
    layer = str(config.THREADING_LAYER).lower()
    first = config.THREADING_LAYER_PRIORITY[0] if layer == "default" else layer
    if first in ("tbb", "safe", "threadsafe", "forksafe"):
        with suppress(ImportError):
            parallel._check_tbb_version_compatible()
            launch = import_module("numba.np.ufunc.tbbpool").launch_threads
            return ctypes.PYFUNCTYPE(None, ctypes.c_int)(launch)
    return None
