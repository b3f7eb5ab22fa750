"""The records that kernels read: a run and a layer; ``call_record`` has that of a call.

Each member of a team has its own records, which hold what differs between members (their panels,
their scratch memory, the present chunk) beside what does not. Python fills NumPy arrays of these
dtypes, kernels get the address of a record.

An *offset* counts elements of ``memory``; an *address* is a pointer. A table is an array of int64,
given by its address.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .backend import from_dtype, intrinsic, ir, types
from .simd import INT, LINE_BYTES

_I, _F = np.int64, np.float64


def record_dtype(fields: list[tuple[str, Any]]) -> np.dtype[Any]:
    """A dtype of 8-byte fields. No two records share a cache line."""
    names, formats = zip(*fields, strict=True)
    size = -(-8 * len(fields) // LINE_BYTES) * LINE_BYTES
    offsets = list(range(0, 8 * len(fields), 8))
    return np.dtype(
        {"names": names, "formats": formats, "offsets": offsets, "itemsize": size}, align=True
    )


RUN = record_dtype(
    [
        # The team.
        ("member", _I),  # whose record this is
        ("size", _I),  # members of the team
        ("asked", _I),  # threads that were requested
        ("team", _I),  # address of the counters that members wait on, see ``team``
        ("credit", _I),  # nanoseconds that the team has recently saved over one thread
        ("balanced_at", _I),  # when that was computed
        # What to do.
        ("first", _I), ("last", _I),  # chunks
        ("n_rows", _I),  # rows of an epoch, or to predict
        ("batch_size", _I),  # rows of a mini-batch
        ("chunk", _I),  # rows that pass through the network at a time, at most
        ("chunks_per_batch", _I),
        # The present chunk.
        ("step", _I),  # its number
        ("row", _I),  # its first row, in the order of the rows
        ("m", _I),  # its rows
        ("slot", _I),  # which copy of the activations is its own
        ("opens", _I), ("closes", _I),  # whether it is the first, and the last, of its batch
        ("updates", _I),  # whether products are followed by the update, at once
        ("straight", _I),  # whether sums over it may go straight to the weights
        ("sample_scale", _F),  # factor of a weight of 1, which makes the sum over a batch a mean
        ("rate", _F),  # step size
        # Kernels selected for this run: their addresses, see ``plugins``.
        ("read", _I),  # reader of input rows
        # Finds the non-zero inputs, as masks or as sparse columns; 0 where zeros are not skipped.
        ("mask", _I),
        ("loss", _I),  # loss, or output function in a prediction
        ("finish", _I),  # stores predictions, or loss and score
        ("rule", _I),  # update rule
        ("step_kernel", _I),  # called by updates: the rule, or a kernel that ends with it
        ("penalise", _I), ("shrink", _I),  # add penalties, let weights decay; 0 without
        ("end_batch", _I),  # ends a batch where its whole gradient is needed, see ``gradients``
        ("measure", _I),  # adds penalties to the gradient, and sums its squares; 0 without
        ("weigh", _I),  # adds the penalty of the weights to those of the epoch; 0 without
        ("weigh_block", _I),  # sums the squares of weights
        ("pack", _I),  # transposes the inputs of large batches; 0 where there are none
        ("outer", _I), ("outer_masked", _I),  # tables of tiles by their vectors
        ("gather", _I),  # the same of sums over sparse entries
        # Arrays of the caller.
        ("input", _I),  # address of X (n x d)
        ("input_factor", _F),  # its factor
        ("features", _I),  # its columns, where the network has more inputs: bins, see ``readers``
        ("bin_ends", _I),  # table j -> the first bin of feature j
        ("bin_slopes", _I), ("bin_offsets", _I),  # addresses of the lines of the bins
        ("bin_reach", _F),  # largest absolute value of a line
        ("row_ends", _I),  # table: row i of a sparse X has the entries from i to i + 1
        ("entry_columns", _I),  # address of their int32 columns; ``input`` has their values
        # Features with bins, see ``products.bins``.
        ("place", _I),  # finds their places, see ``plugins.places``; 0 where there are none
        ("n_binned", _I),  # their number
        ("binned", _I),  # table i -> column, row of weights of the first bin, first knot
        ("unbinned", _I), ("n_unbinned", _I),  # table of the runs of others: first column, columns
        ("knots", _I), ("widths", _I), ("inverses", _I),  # addresses of x, of distances to the next
        ("cuts", _I),  # address of the cuts, feature by feature
        ("cut_vectors", _I), ("cut_bytes", _I),  # of the cuts of one
        ("segments", _I),  # address of the uint8 segments (n x binned) of X
        ("n_knots", _I),  # of all features; 0 where bins are inputs, or there are none
        ("add_knots", _I), ("sum_bins", _I),  # tables of kernels by the vectors of a panel
        ("added_together", _I),  # features whose knots fit into the L1 cache
        ("places", _I),  # offset of the places
        ("links", _I), ("heads", _I),  # offset of the samples of a segment; table of the first ones
        ("values", _I),  # offset of the values at knots of some features
        ("row_sums", _I),  # offset of sums over some features: own lines, which no one else reads
        ("total", _I), ("bin_tile", _I),  # offsets of sums of deltas, and of gradients of a feature
        ("order", _I),  # table of the rows of X, as they are gathered
        ("labels", _I),  # address of the int32 class indices, in that order
        ("targets", _I),  # address of the targets, output by output, in that order
        ("target_stride", _I),  # elements between the targets of two outputs
        ("weights", _I),  # address of the weights of samples in the loss, in that order
        ("score_weights", _I),  # address of those in the score, perhaps the same
        ("parameters", _I),  # address of the parameter of the loss for each output
        ("rates", _I),  # address of the float64 step sizes of the batches
        ("sample_scales", _I),  # address of those of the batches, float64
        ("is_uint8", _I),  # whether X is of uint8, not of the network's dtype
        ("row_masks", _I),  # table of the masks of each row of X, see ``zeros``
        ("mask_words", _I), ("feature_words", _I),  # words of a row's masks; those of its features
        ("predictions", _I),  # address of the output (n x c)
        ("call", _I),  # address of the record of the call, in one by other compiled code
        ("totals", _I),  # address of the sums of each member or, predicted, of each chunk
        ("sum_count", _I),  # their number for one, see ``samples``
        ("smoothing", _F),  # fraction of a target spread evenly over all classes
        ("least_loss", _F), ("largest_loss", _F),  # bounds of the cross-entropy that is summed up
        # The update rule's settings.
        ("plain", _I),  # whether the rule only adds multiples of the gradient
        ("momentum", _F), ("beta1", _F), ("beta2", _F), ("epsilon", _F),  # see ``update_rules``
        # Penalties, decay and clipping, see ``regularisation``.
        ("l2", _F), ("l1", _F),  # factors of the penalties in the present batch
        ("decay", _F),  # fraction of the weights that the present update subtracts
        ("l2s", _I), ("l1s", _I), ("decays", _I),  # addresses of those of all batches, float64
        ("clip_norm", _F),  # largest norm of the gradient
        ("squares", _F),  # sum of squares of a panel's gradient, or of its weights
        ("factor", _F),  # of the gradient, to clip it
        ("dropout_key", _I),  # of the present epoch, see ``dropout``
        # Updates that a unit of sparse weights missed, see ``replay``.
        ("settled", _I),  # how many of these move weights
        ("powers", _I),  # address of what fades the state in 0, 1, ... updates, vector by vector
        ("power_count", _I),  # their number for one vector
        ("penalty_factors", _I),  # address of those of squared weights, float64, by batch
        # The network.
        ("layers", _I),  # address of the record of the input, those of the layers follow
        ("n_layers", _I),  # without the input
        ("lanes", _I),  # elements in a vector
        ("line", _I),  # elements in a line of the cache
        ("weight_count", _I),  # elements of all weights, the distance of their state
        ("state_vectors", _I),  # vectors of state of each weight
        ("gradient", _I),  # distance from a weight to its gradient
        ("zeros", _I), ("one", _I),  # offsets of a panel of zeros, and of a one
        ("samples", _I),  # distance between rows of logits
        ("partial", _I), ("partial_slot", _I),  # offset of the logits by panel; distance of copies
        # The member's own scratch memory.
        ("logits", _I),  # offset of the logits and their delta
        ("copy", _I),  # offset of the copied input rows
        ("transposed", _I),  # offset of transposed weights or inputs
        ("tile", _I),  # offset of a few rows of gradient
        ("row_offsets", _I),  # table s -> distance of row s of the input from the first row of X
        ("feature_masks", _I), ("sample_masks", _I),  # tables, see ``zeros``
        ("bit_block", _I),  # table of 64 words to work in
        # Sparse entries of the chunk, row by row: their values are ``copy``.
        ("row_starts", _I), ("columns", _I),  # tables: first entry of row s; their columns
        # And unit by unit; a unit is ``2 ** unit_shift`` columns, see ``strips``.
        ("unit_shift", _I),
        ("touched", _I), ("touched_count", _I),  # table of the units that have entries
        ("unit_starts", _I),  # table: first entry of the touched units
        ("entry_rows", _I), ("entry_places", _I),  # tables of their rows, and of places in a unit
        ("sorted", _I),  # offset of their values
        ("counts", _I),  # table of zeros, one for each unit, to work in
        # Tables.
        ("iota", _I),  # 0, 1, 2, ...
        ("zero_offsets", _I),  # 0, 0, 0, ...
        ("sample_rows", _I),  # k -> k * samples
        # Results.
        ("sums", _I),  # address of the float64 sums over the samples, see ``samples``
    ]
)  # fmt: skip

LAYER = record_dtype(
    [
        ("n_in", _I), ("n_out", _I),  # units of the layer below and of its own
        ("panel", _I),  # columns of a panel
        ("panels", _I),  # panels: of its units; of the output layer, of its inputs
        ("last_vectors", _I),  # vectors in the last panel, the others have panel / lanes
        ("first", _I), ("last", _I),  # the member's panels
        ("weights", _I),  # offset
        ("weight_panel", _I),  # elements of a panel of weights
        ("bias", _I),  # offset of the biases (output layer)
        ("stride", _I),  # elements between rows: of activations; of the output layer, of weights
        ("rows", _I),  # table s -> distance of row s of the activations
        ("activations", _I), ("slot", _I),  # offset; elements between their copies
        ("outputs", _I),  # offset of the activations of the present chunk
        ("slopes", _I),  # offset of the derivatives that the forward pass left, laid out as those
        ("deltas", _I), ("delta_panel", _I),  # offset; elements of a panel of deltas
        ("delta_rows", _I),  # table s -> distance of the deltas of sample s
        ("delta_units", _I),  # table unit -> distance of its deltas
        ("knots", _I), ("knot_panel", _I),  # offset of all values at knots; elements of a panel
        ("below", _I),  # address of the record of the layer below
        ("forward", _I), ("backward", _I), ("update", _I),  # addresses of kernels, see ``plugins``
        ("each_block", _I),  # address of the kernel that visits a panel's gradient
        ("squares", _I),  # address of the float64 sums of squares of the gradient, by panel
        ("penalties", _I),  # address of the float64 penalties of the weights, by panel
        ("activate", _I),  # address of its activation; 0 if the products apply it
        ("derive", _I),  # address of the derivative of its activation
        # Of sparse inputs, by strip and unit, see ``strips``.
        ("units", _I),  # units of a strip
        ("present", _I),  # table of the updates that each has had; 0 if none is ever missed
        ("replay", _I),  # address of the kernel that makes up for missed ones; 0 if they do nothing
        ("united", _I), ("united_counts", _I),  # tables of the units of a batch; 0 if of no use
        ("settle", _I),  # address of the kernel that brings all up to date
        ("number", _I),  # 0 for the input, 1 for the first hidden layer, ...
        ("drop", _I), ("drop_deltas", _I),  # addresses of its dropout; 0 without
        ("kept", _F),  # the fraction of its units that stay; outputs carry the factor 1 / kept
        ("threshold", _I),  # kept * 2^32
        ("rectified", _I),  # whether the products store only the positive part
        ("masked", _I),  # whether its products skip zeros
        ("forward_waits", _I),  # whether the team meets after the forward pass
        ("backward_waits", _I),  # and between backward pass and update
    ]
)  # fmt: skip

RUN_TYPE, LAYER_TYPE = map(from_dtype, (RUN, LAYER))


def record_at(record: Any, itemsize: int) -> Any:
    """An intrinsic (address, index): record number ``index`` of those from ``address`` on."""

    @intrinsic
    def at(typing_context, address, index):
        def emit(context, builder, sig, args):
            distance = builder.mul(args[1], ir.Constant(INT, itemsize))
            return builder.inttoptr(
                builder.add(args[0], distance), context.get_value_type(sig.return_type)
            )

        return record(types.int64, types.int64), emit

    return at


# Record number ``index`` of those from ``address`` on.
run_at, layer_at = record_at(RUN_TYPE, RUN.itemsize), record_at(LAYER_TYPE, LAYER.itemsize)


def fields(context: Any, builder: Any, kind: Any, record: Any) -> Callable[[str], Any]:
    """A function that reads fields of a record by their names, for a code generator."""

    def field(name: str) -> Any:
        return context.get_getattr(kind, name)(context, builder, kind, record, name)

    return field


@intrinsic
def vectors_of(typing_context, run, layer, p):
    """Vectors in panel ``p`` of a layer."""
    i = types.int64

    def emit(context, builder, sig, args):
        of_run, of_layer = (fields(context, builder, sig.args[k], args[k]) for k in (0, 1))
        last = builder.sub(of_layer("panels"), ir.Constant(INT, 1))
        whole = builder.sdiv(of_layer("panel"), of_run("lanes"))
        is_last = builder.icmp_signed("==", args[2], last)
        return builder.select(is_last, of_layer("last_vectors"), whole)

    return i(run, layer, i), emit
