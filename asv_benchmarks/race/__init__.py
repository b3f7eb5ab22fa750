"""The race: fastmlp and its peers on the same jobs, ``python -m asv_benchmarks.race --help``.

Every (system, job) runs in a process of its own, in turn. All systems train the same network in
float32 on the same rows, with the same batch size, learning rate and distribution of first weights,
on rows gathered by a fresh permutation for every epoch. The limit is the rate of multiply-adds
measured between the processes.

Each peer is a module with the names that it imports and ``train(run, *imported)``. Peers are
imported in the worker only: neither asv, which imports every module here, nor the parent needs any.
"""
