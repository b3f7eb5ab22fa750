"""Kernels compiled by one process serve the next one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastmlp

pytestmark = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT", "0") != "0", reason="only compiled kernels can run"
)

# Zeros enough to be skipped, so that every kernel is at work.
SCRIPT = """
import hashlib, sys
import numpy as np
import fastmlp

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 50)) * (rng.uniform(size=(300, 50)) < 0.1)
Y = rng.integers(3, size=300)
trainer = fastmlp.Trainer((70, 9), dtype=sys.argv[1], epochs=2, seed=0).fit(X, Y)
arrays = [*trainer.get_weights(), trainer.predict_proba(X)]
print(hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest())
"""


def process(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own that can import fastmlp."""
    path = [str(Path(fastmlp.__file__).parents[1]), os.environ.get("PYTHONPATH")]
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path)), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def run(dtype: str, cache: Path) -> str:
    """What a process prints that trains and predicts."""
    done = process(SCRIPT, dtype, NUMBA_CACHE_DIR=str(cache))
    assert done.returncode == 0, done.stderr
    return done.stdout


def files(folder: Path) -> dict[Path, int]:
    """Files with the times of their last change."""
    return {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}


def test_a_cache_serves_and_its_damage_does_no_harm(tmp_path: Path) -> None:
    first = run("float64", tmp_path)
    compiled = files(tmp_path)
    assert compiled
    assert run("float64", tmp_path) == first
    assert files(tmp_path) == compiled
    # The other dtype shares the kernels that work on tables alone.
    assert run("float32", tmp_path) == run("float32", tmp_path)
    for file in compiled:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert run("float64", tmp_path) == first


def test_without_a_folder_for_a_cache(tmp_path: Path) -> None:
    no_folder = tmp_path / "file"
    no_folder.write_text("")
    assert run("float32", no_folder) == run("float32", tmp_path)


def test_without_the_compiler_an_error_says_so() -> None:
    done = process(
        "import fastmlp; fastmlp.Trainer().fit([[0], [1]], [0, 1])", NUMBA_DISABLE_JIT="1"
    )
    assert "RuntimeError: fastmlp has compiled kernels only: unset NUMBA_DISABLE_JIT" in done.stderr
