"""Compiled kernels: free functions on memory that others own; they allocate nothing and never
raise.

Folders, each importing from those above it alone::

    language  how kernels are written: the seam to Numba, records, vectors, the target
    products  matrix products: the tiles, a hidden layer, the output layer, updates
    plugins   what a run chooses, a table each: activations, losses, update rules, readers
    runs      what stands around them: plan, team, training, prediction, launch

Legend of shapes, used in every kernel::

    n  samples                     m  rows of the present chunk of a mini-batch
    d  input features              h  hidden units of a layer
    c  classes                     p  a panel
    lanes  elements in one vector  panel  columns in one weight panel, at most 4 * lanes

Layouts, all in vectors that start on a 64-byte boundary (offsets are planned in ``runs.plan``):

* Weights of a hidden layer (n_in x h): panels of ``panel`` columns, each panel n_in + 1 rows
  with the biases last. The member that owns a panel computes these units and updates them.
* Weights of the output layer (n_in x c): transposed, a row of n_in (padded) for each class; the
  owner of a panel of hidden units owns these columns. Biases follow.
* Activations (m x h): row by row, ``stride`` elements apart; layer 0 is the input.
* Deltas of a hidden layer: panel by panel, m rows of ``panel`` columns each.
* Logits and their delta: class by class, samples contiguous.
* Optimiser state and gradient: as the weights.

Padding is zero in every array and stays zero. The loss is the mean over a mini-batch: the output
delta carries the factor 1 / batch, so every gradient is that of the mean.

All numbers lie in one array, ``memory``, a bare pointer; where they lie in it, and all else that a
kernel goes by, stands in the records ``run`` and ``layer`` of ``language.records``. Arguments come
in the order: memory, records, outputs, inputs, sizes; operands of products are small tuples, see
``products.tiles``. Annotations give the types of parameters, see ``language.parameters``.
"""
