"""How kernels are written: units, records, vectors, elements, and what Numba compiles for."""
