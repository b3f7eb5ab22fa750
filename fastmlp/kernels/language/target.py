"""What Numba compiles for: vectors, registers and instructions of its own target.

The target is asked, not guessed: by the code that it makes of an addition of long vectors and of a
multiply-add. So what Numba is told (``NUMBA_CPU_NAME``, ``NUMBA_CPU_FEATURES``,
``NUMBA_ENABLE_AVX``) holds here too.
"""

from . import backend
from .undisturbed import undisturbed

# The target triple, the CPU and its features; with them a cache tells machines apart.
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
