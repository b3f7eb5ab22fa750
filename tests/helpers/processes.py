"""Running scripts in processes of their own, under each of Numba's layers of threads."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import fastmlp

LAYERS = ("omp", "workqueue", "tbb")

ROOT = Path(fastmlp.__file__).parents[1]
# Environment variables that would change what a script finds; the threading layer is kept.
_SETTINGS = ("OMP_", "GOMP_", "NUMBA_NUM_THREADS")


def run(code: str, layer: str = "", timeout: float = 60, **environment: str) -> str:
    """What a process prints that runs ``code``; it must end in time, without an error.

    Without a ``layer`` it is that of the tests.
    """
    if layer and not _has(layer):
        pytest.skip(f"Numba has no layer {layer} here")
    done = _process(code, layer, timeout, environment)
    assert done.returncode == 0, f"{done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


@cache
def _has(layer: str) -> bool:
    return _process("import numba; numba.get_num_threads()", layer, 60, {}).returncode == 0


def _process(
    code: str, layer: str, timeout: float, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(_SETTINGS)}
    # pip puts the library of tbb where the dynamic linker does not look.
    libraries = [str(Path(sys.prefix) / "lib"), os.environ.get("LD_LIBRARY_PATH", "")]
    path = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    settings = {"PYTHONPATH": os.pathsep.join(filter(None, path))}
    if layer:
        settings["NUMBA_THREADING_LAYER"] = layer
    if layer == "tbb":
        settings["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, libraries))
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**inherited, **settings, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
