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


def run(dtype: str, cache: Path) -> str:
    """What a process of its own prints that trains and predicts."""
    path = [str(Path(fastmlp.__file__).parents[1]), os.environ.get("PYTHONPATH")]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, dtype],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
            "NUMBA_CACHE_DIR": str(cache),
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    first = run("float64", tmp_path)
    compiled = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.is_file()}
    assert compiled
    assert run("float64", tmp_path) == first
    assert compiled == {
        file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.is_file()
    }
    # The other dtype shares the kernels that work on tables alone.
    assert run("float32", tmp_path) == run("float32", tmp_path)
