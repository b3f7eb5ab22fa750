"""The records of a network that other compiled code calls, see ``kernels.runs.calls``."""

from typing import Any

import numpy as np

from ..inputs import Scaling
from ..inputs.knots import Knots
from ..kernels.language.call_record import CALL
from ..kernels.language.records import LAYER, RUN
from ..kernels.language.simd import LINE_BYTES
from ..kernels.plugins.losses import OUTPUTS
from ..kernels.runs.calls import call_network
from ..kernels.runs.jobs import called_job, values_job
from ..kernels.runs.layout import aligned_zeros, round_up
from ..kernels.runs.plan import Plan, make_plan
from ..kernels.runs.predict import predict
from ..network.encoding import Encoding
from ..network.input_reader import knots_in, set_scaling
from ..network.packed_network import Network
from ..outputs import Outputs

# Bytes that a call takes on the stack at most: threads have 512 kB on macOS.
STACK = 1 << 16


class CallRecords:
    """Records that each call copies, with the arrays that they point to.

    Parameters
    ----------
    network : Network
    encoding : Encoding
    columns : int
        Columns of the result.

    Attributes
    ----------
    address : int
        Address of the first record.
    """

    def __init__(self, network: Network, encoding: Encoding, columns: int) -> None:
        inputs, outputs, dtype = encoding.inputs, encoding.outputs, network.dtype
        features = inputs.columns.n_given
        knots = knots_in(network, inputs.scaling)
        plan, sizes = _planned(network, max(features, columns), knots)
        weights = aligned_zeros(plan.scratch_start, dtype)
        weights[: network.packed.size] = network.packed
        job = called_job(
            plan, weights, kernel=OUTPUTS[outputs.loss.name], activations=network.activations
        )
        set_scaling(job, inputs.scaling, dtype, knots)
        if knots:
            values_job(plan, weights).run()
        numbers = {
            "entry": job.address(call_network), "predict": job.address(predict),
            "features": features, "columns": columns, "itemsize": dtype.itemsize,
        }  # fmt: skip
        arrays = {"memory": weights}
        for given in (_of_scaling(inputs.scaling, features), _of_outputs(outputs)):
            for name, value in given.items():
                if isinstance(value, np.ndarray):
                    arrays[name] = np.ascontiguousarray(value, np.float64)
                else:
                    numbers[name] = value
        self._kept = job, arrays
        call = np.zeros(1, CALL)
        for name, value in (sizes | numbers).items():
            call[name] = value
        for name, array in arrays.items():
            call[name] = array.ctypes.data
        plan.layers["below"][:, 1:] -= plan.layers.ctypes.data
        parts = [array.view(np.uint8).ravel() for array in (call, plan.runs, plan.layers)]
        self._block = aligned_zeros(sizes["records"], np.dtype(np.uint8))
        self._block[:] = np.concatenate(parts)
        self.address = self._block.ctypes.data


def _planned(network: Network, widest: int, knots: Knots | None) -> tuple[Plan, dict[str, int]]:
    """A plan whose chunks of rows fit on the stack, of a line of samples at most, and the distances
    in the memory of a call."""
    itemsize = network.dtype.itemsize
    chunk = LINE_BYTES // itemsize
    while True:
        plan = make_plan(
            network.layer_sizes, network.dtype, chunk=chunk, together=False,
            activations=network.activations, binned=knots.sizes if knots else None,
        )  # fmt: skip
        sizes = {"run": CALL.itemsize, "layers": CALL.itemsize + RUN.itemsize}
        sizes["records"] = sizes["layers"] + plan.layers.size * LAYER.itemsize
        sizes["finite"] = sizes["records"]
        sizes["row"] = sizes["finite"] + round_up(8 * chunk, LINE_BYTES)
        sizes["scratch"] = sizes["row"] + round_up(8 * widest, LINE_BYTES)
        sizes["scratch_start"] = plan.scratch_start
        total = sizes["scratch"] + (plan.memory_size - plan.scratch_start) * itemsize
        if total <= STACK:
            return plan, sizes | {"stack": total}
        if chunk == 1:
            return plan, sizes | {"heap": total + LINE_BYTES}
        chunk //= 2


def _of_scaling(scaling: Scaling, features: int) -> dict[str, Any]:
    """Fields for a scaling that is more than a factor."""
    if scaling.leaves_rows:
        return {}
    if scaling.points is not None and scaling.levels is not None:
        count = len(scaling.points)
        return {"points": scaling.points.T, "levels": scaling.levels.T, "n_points": count}
    centres = np.zeros(features) if scaling.centre is None else scaling.centre
    factors = np.broadcast_to(scaling.factor, features)
    return {"factors": factors, "centres": centres, "clips": scaling.clips}


def _of_outputs(outputs: Outputs) -> dict[str, Any]:
    """Fields for the decoding of numbers."""
    if not outputs.loss.is_numeric:
        return {}
    means, spreads = (np.broadcast_to(a, outputs.count) for a in (outputs.centre, outputs.spread))
    return {"means": means, "spreads": spreads, "sorts": outputs.loss.count > 1, "as_float64": 1}
