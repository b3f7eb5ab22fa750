"""Kernels compiled for narrower vectors than this machine's give the reference's results."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT", "0") != "0", reason="only compiled kernels can run"
)

ROOT = Path(__file__).parents[1]
CHECK = """
import sys
import numpy as np
from fastmlp import Trainer
from fastmlp.kernels.simd import VECTOR_BYTES
from tests import reference

vector_bytes, dtype, tolerance = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
assert vector_bytes == VECTOR_BYTES
rng = np.random.default_rng(0)
X = rng.normal(size=(130, 33)) * (rng.random((130, 33)) < 0.3)
labels = np.arange(130) % 10
weights = reference.initialize(rng, [33, 70, 9, 10], "glorot_uniform")
trainer = Trainer(
    optimizer="adam", batch_size=64, epochs=2, shuffle=False, dtype=dtype, warm_start=True,
    threads=2,
)
trainer.set_weights(weights)
trainer.fit(X, labels)
wanted, history = reference.train(
    weights, X, labels, epochs=2, batch_size=64, step=reference.adam_step, learning_rate=0.001
)
for got, want in zip(trainer.get_weights(), wanted, strict=True):
    assert np.abs(got - want).max() <= tolerance * np.abs(want).max()
np.testing.assert_allclose(trainer.history["loss"], history["loss"], rtol=tolerance)
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names of x86 CPUs")
@pytest.mark.parametrize(
    ("cpu", "features", "vector_bytes", "dtype", "tolerance"),
    [
        ("haswell", "+avx,+avx2,+fma", 32, "float64", "1e-9"),
        ("x86-64", "", 16, "float32", "1e-4"),
    ],
)
def test_narrower_vectors(
    cpu: str, features: str, vector_bytes: int, dtype: str, tolerance: str, tmp_path: Path
) -> None:
    environment = os.environ | {
        "NUMBA_CPU_NAME": cpu,
        "NUMBA_CPU_FEATURES": features,
        "NUMBA_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", CHECK, str(vector_bytes), dtype, tolerance]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
