"""The race: fastmlp and its peers on the same jobs, ``python -m asv_benchmarks.race --help``.

Every (system, job) runs in its own process, in turn. All systems train the same network in
float32 on the same rows, with the same batch size, learning rate and distribution of initial
weights, and gather rows by a new permutation for every epoch. The limit is the multiply-add rate
measured between the processes.

Each peer is a module with the names that it imports and ``train(run, *imported)``. Peers are
imported only in the worker: asv, which imports every module here, and the parent need none.
"""
