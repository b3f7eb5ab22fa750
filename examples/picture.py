"""Shared by the scripts: arguments, and a picture if matplotlib is installed."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def parse_args(description: str, name: str) -> argparse.Namespace:
    """Parse ``seed`` and ``plot``, the path of the picture, None for no picture."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seed", type=int, default=0, help="of the data and the network")
    output = parser.add_mutually_exclusive_group()
    default = Path(f"{name}.png")
    output.add_argument(
        "--plot", type=Path, metavar="PATH", default=default, help=f"default: {default}"
    )
    output.add_argument("--no-plot", action="store_const", dest="plot", const=None)
    args = parser.parse_args()
    # Fail now rather than after training.
    if args.plot and not os.access(args.plot.parent, os.W_OK):
        parser.error(f"argument --plot: no such folder, or read-only: {args.plot.parent}")
    return args


def write(
    path: Path | None,
    draw: Callable[..., None],
    n_panels: int,
    metadata: dict[str, str] | None = None,
    **options: Any,
) -> None:
    """Write a PNG with a row of panels, filled by ``draw(axes)``, and with ``metadata``."""
    if path is None:
        return
    try:
        import matplotlib
    except ImportError:
        print("no picture, as matplotlib is not installed: pip install '.[plot]'")
        return
    matplotlib.use("Agg")  # draws to files: needs no display
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(
        1, n_panels, figsize=(10, 4.2), dpi=120, layout="constrained", squeeze=False, **options
    )
    for ax in axes[0]:
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    draw(*axes[0])
    figure.savefig(path, format="png", metadata=metadata)
    print(f"picture written to {path}")
