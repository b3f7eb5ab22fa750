"""What Numba compiles for: vectors, registers and instructions of its own target.

The target is asked, not guessed: by the code that it makes of an addition of long vectors and of a
multiply-add. So what Numba is told (``NUMBA_CPU_NAME``, ``NUMBA_CPU_FEATURES``,
``NUMBA_ENABLE_AVX``) holds here too.
"""

import llvmlite.binding as llvm
from numba.core.registry import cpu_target

from .undisturbed import undisturbed

# The target triple, the CPU and its features; with them a cache tells machines apart.
TRIPLE, CPU, FEATURES = undisturbed(lambda: cpu_target.target_context.codegen().magic_tuple())

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


def target_machine() -> llvm.TargetMachine:
    """A target machine like Numba's."""
    target = llvm.Target.from_triple(TRIPLE)
    machine: llvm.TargetMachine = target.create_target_machine(
        cpu=CPU, features=FEATURES, reloc="static" if X86 else "default", codemodel="jitdefault",
        jit=True,
    )  # fmt: skip
    return machine


_ASSEMBLY: str = undisturbed(lambda: target_machine().emit_assembly(llvm.parse_assembly(_PROBE)))

VECTOR_BYTES = 64 if "zmm" in _ASSEMBLY else 32 if "ymm" in _ASSEMBLY else 16
REGISTERS = 32 if VECTOR_BYTES == 64 or ARM else 16
# Without the instruction each lane would call the C library, 100 times as slow as two instructions.
HAS_FMA = "fmaf" not in _ASSEMBLY
