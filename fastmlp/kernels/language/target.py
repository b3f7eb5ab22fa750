"""Vectors, registers and instructions of Numba's target.

They are read from the code that Numba generates for an addition of long vectors and for a
multiply-add, and so follow its settings (``NUMBA_CPU_NAME``, ``NUMBA_CPU_FEATURES``,
``NUMBA_ENABLE_AVX``).
"""

from . import backend
from .undisturbed import undisturbed

# Target triple, CPU and CPU features, which also identify the machine in the cache.
TRIPLE, CPU, FEATURES = undisturbed(backend.target)

X86 = TRIPLE.startswith(("x86_64", "i686"))
ARM = TRIPLE.startswith(("aarch64", "arm64"))

_PROBE = """
define <16 x float> @add(<16 x float> %x, <16 x float> %y) {
  %sum = fadd <16 x float> %x, %y
  ret <16 x float> %sum
}
declare <4 x float> @llvm.fma.v4f32(<4 x float>, <4 x float>, <4 x float>)
define <4 x float> @multiply_add(<4 x float> %x, <4 x float> %y, <4 x float> %z) {
  %sum = call <4 x float> @llvm.fma.v4f32(<4 x float> %x, <4 x float> %y, <4 x float> %z)
  ret <4 x float> %sum
}
"""


_ASSEMBLY = undisturbed(lambda: backend.assembly(_PROBE))

VECTOR_BYTES = 64 if "zmm" in _ASSEMBLY else 32 if "ymm" in _ASSEMBLY else 16
REGISTERS = 32 if VECTOR_BYTES == 64 or ARM else 16
# Without the instruction each lane would call the C library, 100 times as slow as two instructions.
HAS_FMA = "fmaf" not in _ASSEMBLY
