"""Object code of compiled kernels on disk, in Numba's cache folder.

The name of a file identifies everything that its content depends on: the kernel, the sources of all
kernels, the versions of Numba and llvmlite, target and optimization settings. A file begins with a
digest of the rest; a damaged one is ignored.
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
from secrets import token_hex
from typing import Any

from . import backend
from .backend import ObjectCode
from .target import CPU, FEATURES, TRIPLE

_PACKAGE = __name__.rpartition(".language.")[0]
_DIGEST_BYTES = hashlib.sha256().digest_size


def _module_digest(name: str) -> bytes:
    """Digest of a module's source or byte code, as its loader reads it."""
    spec: Any = find_spec(name)
    content: bytes = spec.loader.get_data(spec.origin)
    if not content:
        raise ImportError(f"no source of {name}")
    return hashlib.sha256(content).digest()


@cache
def _state() -> str:
    """Digest of everything that the code of all kernels depends on."""
    parts = (backend.versions(), TRIPLE, CPU, FEATURES, backend.settings())
    digest = hashlib.sha256(repr(parts).encode())
    for name in _modules():
        digest.update(name.encode() + _module_digest(name))
    return digest.hexdigest()[:16]


def _modules() -> list[str]:
    """Names of all modules of ``kernels``, imported or not."""
    found = walk_packages(sys.modules[_PACKAGE].__path__, f"{_PACKAGE}.")
    return [_PACKAGE, *sorted(module.name for module in found)]


@cache
def _folder() -> Path:
    """Folder in which Numba would cache functions of this module.

    Raises
    ------
    RuntimeError, OSError
        If there is none.
    """
    return backend.cache_folder(_module_digest)


def _file(kernel: str) -> Path:
    return _folder() / f"{kernel}.{_state()}.o"


def kept_objects() -> list[Path]:
    """The files of these kernels, as they are now.

    Raises
    ------
    RuntimeError, OSError
        If there is no folder for them.
    """
    return sorted(_folder().glob(f"*.{_state()}.o"))


# Errors of files, and of loaders or folders of an unknown kind.
_FAILURES = (OSError, RuntimeError, AttributeError, ImportError)


def kernels_version() -> str:
    """A name for these kernels and their sources; of this process alone if none can be read."""
    try:
        return _state()
    except _FAILURES:
        return token_hex(8)


def load_object(kernel: str) -> ObjectCode | None:
    """The saved object code of a kernel; None if there is none, or the file is damaged."""
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
    """Save the object code of a kernel atomically; warn once if that fails."""
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
        _warn_once(type(error).__name__)


@cache
def _warn_once(reason: str) -> None:
    warnings.warn(
        f"compiled kernels cannot be kept on disk ({reason}), so every process compiles them anew; "
        "NUMBA_CACHE_DIR may name a folder for them",
        RuntimeWarning,
        stacklevel=2,
    )
