"""How kernels are written: the interface to Numba, records, vectors, elements, the target."""
