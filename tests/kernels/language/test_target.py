"""Kernels compiled for what Numba is told, not for this machine, give the reference's results.

Each setting runs in a process of its own, on an empty cache.
"""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import pytest

from tests.helpers.basics import needs_compiler
from tests.helpers.processes import ROOT

pytestmark = [
    needs_compiler,
    pytest.mark.skipif(
        platform.machine() not in ("x86_64", "AMD64"), reason="names and features of x86 CPUs"
    ),
]


# Prints the vectors' bytes and whether there is a fused multiply-add, as the kernels have it.
TARGET = """
import sys
import numba
import numpy as np
from fastmlp import Trainer
from fastmlp.kernels.language.target import HAS_FMA, VECTOR_BYTES
from fastmlp.kernels.runs.launch import Job

print(VECTOR_BYTES, HAS_FMA)
dtype, rng = sys.argv[1], np.random.default_rng(0)
X = rng.normal(size=(130, 33)) * (rng.random((130, 33)) < 0.3)
labels = np.arange(130) % 10
trainer = Trainer(
    (70, 9), optimizer="adam", learning_rate=0.001, batch_size=64, epochs=2, shuffle=False,
    dtype=dtype, warm_start=True, threads=2,
)
"""

# What Numba itself makes of a sum of products must agree.
RUN = """
@numba.njit("void(f4[::1], f4[::1])", fastmath=True)
def add_products(x, y):
    for i in range(x.size):
        x[i] += y[i] * y[i]

(assembly,) = add_products.inspect_asm().values()
assert ("vfmadd" in assembly) == HAS_FMA
widest = 64 if "zmm" in assembly else 32 if "ymm" in assembly else 16
# Numba's own loops may keep to half of the longest vectors.
assert widest == VECTOR_BYTES or (widest, VECTOR_BYTES) == (32, 64)

from tests.helpers import reference

tolerance = {"float32": 1e-4, "float64": 1e-9}[dtype]
weights = reference.initialize(rng, [33, 70, 9, 10], "glorot_uniform")
trainer.set_weights(weights)
trainer.fit(X, labels)
wanted, history = reference.train(
    weights, X, labels, epochs=2, batch_size=64, step=reference.adam_step, learning_rate=0.001
)
for got, want in zip(trainer.get_weights(), wanted, strict=True):
    assert np.abs(got - want).max() <= tolerance * np.abs(want).max()
np.testing.assert_allclose(trainer.history["loss"], history["loss"], rtol=tolerance)
probabilities = reference.softmax(reference.forward(wanted, X)[-1])
np.testing.assert_allclose(trainer.predict_proba(X), probabilities, rtol=0, atol=tolerance)
"""

# For a CPU that this one is not: the same kernels, compiled and linked but not run.
COMPILE = """
def pretend(job, **options):
    job.runs["first"] = job.runs["last"]
    return False

Job.run = pretend
trainer.fit(X, labels)
"""

AVX2 = "+avx,+avx2,+fma"
AVX512 = f"{AVX2},+avx512f,+avx512cd,+avx512bw,+avx512dq,+avx512vl"

# What Numba is told, the vectors and multiply-adds that this means (None: those of this machine),
# and the dtype of the network.
SETTINGS = {
    "no CPU": ({"CPU_NAME": "generic"}, (16, False), "float32"),
    "SSE2": ({"CPU_NAME": "x86-64", "CPU_FEATURES": ""}, (16, False), "float64"),
    "AVX2": ({"CPU_NAME": "haswell", "CPU_FEATURES": AVX2}, (32, True), "float64"),
    "AVX without FMA": ({"CPU_NAME": "ivybridge", "CPU_FEATURES": "+avx"}, (32, False), "float32"),
    "AVX off": ({"ENABLE_AVX": "0"}, None, "float32"),
    "no features": ({"CPU_FEATURES": ""}, None, "float32"),
    "no AVX-512": ({"CPU_FEATURES": "-avx512f"}, None, "float32"),
    "AVX-512": ({"CPU_NAME": "skylake-avx512", "CPU_FEATURES": AVX512}, (64, True), "float32"),
}

# Without the instruction each element would take a call of the C library.
SLOW = re.compile(rb"\0((?:fma|floor|ceil|round|trunc|rint|nearbyint|exp|pow)f?)\0")


def runs_here(features: str) -> bool:
    host = llvm.get_host_cpu_features()
    return all(
        host.get(feature.removeprefix("+"), False) for feature in features.split(",") if feature
    )


@pytest.mark.costly
@pytest.mark.parametrize("setting", SETTINGS)
def test_what_numba_is_told(setting: str, tmp_path: Path) -> None:
    told, target, dtype = SETTINGS[setting]
    wanted = told.get("CPU_FEATURES", "")
    runs = wanted.startswith("-") or runs_here(wanted)
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("NUMBA_CPU_")
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", TARGET + (RUN if runs else COMPILE), dtype],
        env=inherited
        | {f"NUMBA_{name}": value for name, value in told.items()}
        | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    if target is not None:
        assert done.stdout == f"{target[0]} {target[1]}\n"
    kept = list(tmp_path.rglob("*.o"))
    assert len(kept) > 20
    assert {file.name: found for file in kept if (found := SLOW.findall(file.read_bytes()))} == {}
