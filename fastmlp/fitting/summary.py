"""Text that describes a network."""

from itertools import pairwise

from ..network.model import Model
from ..settings import FitSettings
from .memory import fit_bytes

_ROW = "{:10}{:>9}{:>13}   {}"


def summary(model: Model, settings: FitSettings) -> str:
    """Text of the layers, the parameters, and the memory of the weights and of a fit."""
    network = model.network
    sizes = network.layer_sizes
    lines = [
        _ROW.format("layer", "units", "parameters", ""),
        _ROW.format("input", sizes[0], "", ""),
    ]
    names = [f"hidden {number}" for number in range(1, len(sizes) - 1)]
    functions = (*network.activations, model.encoding.outputs.loss.name)
    total = 0
    for name, (n_in, n_out), function in zip(
        [*names, "output"], pairwise(sizes), functions, strict=True
    ):
        count = (n_in + 1) * n_out
        total += count
        lines.append(_ROW.format(name, n_out, f"{count:,}", function))
    weights = _size(total * network.dtype.itemsize)
    lines += [
        f"features: {model.encoding.inputs.scaling}",
        f"parameters: {total:,}, in {network.dtype.name} {weights}",
        f"memory of a fit beside its rows: {_size(fit_bytes(network, settings))}",
    ]
    return "\n".join(line.rstrip() for line in lines)


def _size(n_bytes: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} GB"
