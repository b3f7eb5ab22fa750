"""Tables of runs on sparse input rows."""

import numpy as np

from ..language.simd import LINE_BYTES
from ..products.gather import AHEAD
from .plan import Plan

# Further elements of a table of entries, as prefetches and whole vectors go beyond its end.
_BEHIND = max(AHEAD, LINE_BYTES // 4)


def plan_entries(
    plan: Plan, entries: int, *, trains: bool = False, remembers: bool = False, unites: bool = False
) -> None:
    """Add tables for chunks of up to ``entries`` entries to a plan.

    Parameters
    ----------
    plan : Plan
    entries : int
    trains : bool
    remembers : bool
        Whether the number of updates that each unit of weights has had is kept.
    unites : bool
        Whether the units that the chunks of a batch touch are listed.
    """
    runs, layers, layer, table = plan.runs, plan.layers, plan.layers[0, 1], plan.table
    lanes, chunk = int(runs["lanes"][0]), int(runs["chunk"][0])
    is_linear = layers.shape[1] == 2
    # Rows of a panel; of an output layer whole vectors.
    units = int(layer["stride"]) // lanes if is_linear else int(layer["n_in"])
    strips = int(layer["n_out" if is_linear else "panels"])
    layers["units"][:, 1] = units
    runs["unit_shift"] = lanes.bit_length() - 1 if is_linear else 0
    most = min(entries, units)
    for run in runs:
        run["row_starts"] = table(np.zeros(chunk + 1))
        run["columns"] = table(np.zeros(entries + _BEHIND, np.int64))
        if trains:
            run["touched"] = table(np.zeros(most + _BEHIND))
            run["unit_starts"] = table(np.zeros(most + 1))
            run["entry_rows"] = table(np.zeros(entries + _BEHIND, np.int64))
            run["entry_places"] = table(np.zeros(entries, np.int64))
            run["counts"] = table(np.zeros(units, np.int64))
    if remembers:
        layers["present"][:, 1] = table(np.zeros(strips * units, np.int64))
        plan.present = plan.tables[-1]
    if unites:
        layers["united"][:, 1] = table(np.zeros(strips * units, np.int64))
        layers["united_counts"][:, 1] = table(np.zeros(strips))
