"""Object code of compiled kernels on disk, where Numba would keep it.

A file is named by all that its content depends on: the kernel, the sources of all kernels, the
versions of Numba and llvmlite, what they compile for and how hard they optimise. It begins with a
digest of the rest, so a damaged one is as good as none.
"""

import hashlib
import os
import sys
import tempfile
import warnings
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
import numba
from numba.core import config
from numba.core.caching import CompileResultCacheImpl

from .target import CPU, FEATURES, TRIPLE

_PACKAGE = __name__.rpartition(".language.")[0]
_DIGEST_BYTES = hashlib.sha256().digest_size

# Variables of Numba that change the code it makes.
_SETTINGS = (
    "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "DEBUGINFO_DEFAULT", "BOUNDSCHECK",
    "DISABLE_INTEL_SVML", "LLVM_REFPRUNE_PASS", "LLVM_PASS_TIMINGS",
)  # fmt: skip


class ObjectCode(NamedTuple):
    """A kernel's machine code, not linked yet, and the name of its function there."""

    symbol: str
    code: bytes


def _module_digest(name: str) -> bytes:
    """Digest of a module's file, source or byte code, from wherever its loader has it."""
    spec: Any = find_spec(name)
    content: bytes = spec.loader.get_data(spec.origin)
    if not content:
        raise ImportError(f"no source of {name}")
    return hashlib.sha256(content).digest()


@cache
def _state() -> str:
    """Digest of what the code of every kernel depends on."""
    settings = [str(getattr(config, name, None)) for name in _SETTINGS]
    versions = (numba.__version__, llvmlite.__version__)
    digest = hashlib.sha256(repr((versions, TRIPLE, CPU, FEATURES, settings)).encode())
    for name in sorted(sys.modules):
        if name.startswith(_PACKAGE):
            digest.update(_module_digest(name))
    return digest.hexdigest()[:16]


@cache
def _folder() -> Path:
    """Where Numba would keep compiled code of this module.

    Raises
    ------
    RuntimeError, OSError
        If there is no such folder, or the sources cannot be told apart from others.
    """
    return Path(CompileResultCacheImpl(_module_digest).locator.get_cache_path())


def _file(kernel: str) -> Path:
    return _folder() / f"{kernel}.{_state()}.o"


# What may go wrong with files, and where a package's loader or folder is of an unknown kind.
_FAILURES = (OSError, RuntimeError, AttributeError, ImportError)


def load_object(kernel: str) -> ObjectCode | None:
    """What was saved for a kernel; None if there is nothing, or nothing whole."""
    try:
        content = _file(kernel).read_bytes()
    except _FAILURES:
        return None
    digest, rest = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(rest).digest() != digest:
        return None
    symbol, _, code = rest.partition(b"\0")
    return ObjectCode(symbol.decode(), code)


def save_object(kernel: str, object_code: ObjectCode) -> None:
    """Save a kernel for the next process, whole or not at all; a failure is told once."""
    rest = object_code.symbol.encode() + b"\0" + object_code.code
    try:
        file = _file(kernel)
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=file.parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(hashlib.sha256(rest).digest() + rest)
            os.replace(temporary, file)
        except BaseException:
            Path(temporary).unlink()
            raise
    except _FAILURES as error:
        _tell_once(type(error).__name__)


@cache
def _tell_once(reason: str) -> None:
    warnings.warn(
        f"compiled kernels cannot be kept on disk ({reason}), so every process compiles them anew; "
        "NUMBA_CACHE_DIR may name a folder for them",
        RuntimeWarning,
        stacklevel=2,
    )
