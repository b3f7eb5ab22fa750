"""Benchmarks for asv, which use only the public API so that they run on older commits too."""

import hashlib
import inspect
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def _digest_of_sources(package: str) -> str:
    """Digest of a package's Python files, without importing it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package} is not installed in {sys.prefix}")
    files = sorted(Path(spec.origin).parent.rglob("*.py"))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


# Numba's file cache ignores changes in imported modules, so each state of the sources has its
# own cache. Numba reads the variable when it is imported.
os.environ["NUMBA_CACHE_DIR"] = str(
    Path(sys.prefix, "numba-cache", _digest_of_sources("fastmlp")[:16])
)


def as_they_come(trainer: Any) -> dict[str, Any]:
    """Settings for rows that need no scaling, if the class ``trainer`` scales by default."""
    return {"scaling": None} if "scaling" in inspect.signature(trainer).parameters else {}
