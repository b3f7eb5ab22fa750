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
from pkgutil import walk_packages
from typing import Any

from . import backend
from .backend import ObjectCode
from .target import CPU, FEATURES, TRIPLE

_PACKAGE = __name__.rpartition(".language.")[0]
_DIGEST_BYTES = hashlib.sha256().digest_size


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
    parts = (backend.versions(), TRIPLE, CPU, FEATURES, backend.settings())
    digest = hashlib.sha256(repr(parts).encode())
    for name in _modules():
        digest.update(name.encode() + _module_digest(name))
    return digest.hexdigest()[:16]


def _modules() -> list[str]:
    """All modules of kernels, imported yet or not."""
    found = walk_packages(sys.modules[_PACKAGE].__path__, f"{_PACKAGE}.")
    return [_PACKAGE, *sorted(module.name for module in found)]


@cache
def _folder() -> Path:
    """Where Numba would keep compiled code of this module.

    Raises
    ------
    RuntimeError, OSError
        If there is no such folder, or the sources cannot be told apart from others.
    """
    return backend.cache_folder(_module_digest)


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
    names, _, code = rest.partition(b"\0")
    symbol, *needs = names.decode().split(" ")
    return ObjectCode(symbol, tuple(needs), code)


def save_object(kernel: str, object_code: ObjectCode) -> None:
    """Save a kernel for the next process, whole or not at all; a failure is told once."""
    names = " ".join((object_code.symbol, *object_code.needs))
    rest = names.encode() + b"\0" + object_code.code
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
