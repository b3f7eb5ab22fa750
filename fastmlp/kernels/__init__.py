"""Compiled kernels: free functions on memory that others own; they allocate nothing and never
raise.

Folders, each of which imports only from those above it::

    language  how kernels are written: the interface to Numba, records, vectors, the target
    products  matrix products: tiles, hidden layer, output layer, updates; first layers on sparse
              rows and on features with bins
    plugins   kernels that a run selects by name: activations, losses, update rules, readers
    runs      layout and plan of memory, teams of threads, training, prediction, launch

A kernel opens with the shapes that it reads and writes. Their letters, and those of indices::

    n  rows of X                      m  rows of the present chunk of a mini-batch
    d  features of X                  c  outputs of the network, such as classes
    n_in, n_out  units of the layer below, and of the layer itself
    lanes  elements of a vector       panel  columns of a panel of weights, at most 4 * lanes
    binned  features with bins

    s  row of the chunk               l  layer
    j  feature, unit below            p, q  panel
    k  output, unit                   v, u  vector of a row
    i  any other

Products in general, in ``products.tiles`` and ``products.inner``, sum over i; j and k are row and
column of the result. Formulas in ``plugins`` keep the letters of their sources. A member of a team
computes its own panels alone, unless a kernel says otherwise.

Layouts, all in vectors that start on a 64-byte boundary (offsets are planned in ``runs.layout``
and ``runs.plan``):

* Weights of a hidden layer (n_in, n_out): panels of ``panel`` columns, each panel n_in + 1 rows
  with the biases last. The member that owns a panel computes these units and updates them.
* Weights of the output layer (n_in, c): transposed, a row of n_in (padded) for each output; the
  owner of a panel of hidden units owns these columns. Biases follow.
* Activations (m, n_out): row by row, ``stride`` elements apart; layer 0 is the input.
* Deltas of a hidden layer: panel by panel, m rows of ``panel`` columns each.
* Logits and their deltas (c, m): output by output, samples contiguous.
* Optimiser state and gradient: as the weights.
* Entries of sparse rows (m, d): columns and values, row by row; for gradients also sorted by units
  of weights: rows of a panel, or vectors of a row of the output layer, see ``products.strips``.
* Values at the knots of features with bins: panel by panel, a row of ``panel`` columns for each
  knot, feature by feature, see ``products.bins``.
* Places of values among the knots (m, binned), and links to the samples of a segment (binned, m):
  two elements each, a fraction and the bits of a number, see ``language.places``.

Padding is zero in every array and stays zero. The loss is the weighted sum over a mini-batch,
divided by its rows and by the mean weight of all training rows: the output deltas carry that
factor.

All numbers are in one array, ``memory``, a pointer; the records ``run`` and ``layer`` of
``language.records`` hold their offsets and everything else that a kernel needs. The order of
arguments is memory, records, outputs, inputs, sizes; operands of products are small tuples, see
``products.tiles``. Annotations give the types of parameters, see ``language.parameters``.
"""
