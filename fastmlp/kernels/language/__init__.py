"""How kernels are written: kernels, records, vectors, elements, and what Numba compiles for."""
