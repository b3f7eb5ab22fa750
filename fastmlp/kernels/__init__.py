"""Compiled kernels: free functions on memory that others own; they allocate nothing and never
raise.

Legend of shapes, used in every kernel::

    n  samples                     m  rows of the present chunk of a mini-batch
    d  input features              h  hidden units of a layer
    c  classes                     l  a layer: offset of its row in the table ``layers``
    lanes  elements in one vector  panel  columns in one weight panel, at most 4 * lanes

Layouts, all in vectors that start on a 64-byte boundary (offsets are planned in ``plan``):

* Weights of a hidden layer (n_in x h): panels of ``panel`` columns, each panel n_in + 1 rows
  with the biases last. The thread that owns a panel computes these units and updates them.
* Weights of the output layer (n_in x c): transposed, a row of n_in (padded) for each class; the
  owner of a panel of hidden units owns these columns. Biases follow.
* Activations (m x h): row by row, ``stride`` elements apart; layer 0 is the input.
* Deltas of a hidden layer: panel by panel, m rows of ``panel`` columns each.
* Logits and their delta: class by class, samples contiguous.
* Optimiser state and gradient: as the weights.

Padding is zero in every array and stays zero. The loss is the mean over a mini-batch: the output
delta carries the factor 1 / batch, so every gradient is that of the mean.

All numbers lie in one array, ``memory``; operands are offsets in it. Arguments come in the order:
memory, outputs, inputs, tables, sizes. Arrays are bare pointers, so that a call costs little and
an access compiles to one instruction. A kernel marked ``unit`` is compiled on its own; its
parameters have the types that ``jit`` knows by their names. One marked ``jit`` is inlined.
"""
