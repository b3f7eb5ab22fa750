"""How kernels are written: the seam to Numba, records, vectors, elements, and the target."""
