"""``fastmlp warmup``: compile kernels before they are needed."""

import time
import warnings
from typing import Any

from ..kernels.language.object_cache import kept_objects
from ..trainer import Trainer
from ..warmup import warm_up_all, warmup
from .parser import Commands, add_command, value

_DTYPES = "float32", "float64"
# Settings of a trainer on which its kernels depend.
_SETTINGS = {
    "hidden": "units of the hidden layers, as 100,50",
    "activation": "one name, or one for each hidden layer",
    "dropout": "fraction, or one for the features and for each hidden layer",
    "loss": "name of the loss", "optimizer": "name of the update rule", "l2": "penalty",
    "l1": "penalty", "clip_norm": "largest norm of the gradient", "batch_size": "rows",
    "scaling": "of the features", "threads": "number of threads",
}  # fmt: skip

_TEXT = """Compile kernels and keep them on disk, for this kind of processor and version of Numba.

Without settings: all kernels, in less than a minute. With settings: the kernels of such a trainer,
for any data. The image of a container should have them, which otherwise compiles at each start.
"""
_EXAMPLES = """\
  fastmlp warmup                    all kernels, as for the image of a container
  fastmlp warmup --dtype float32    all kernels of one dtype
  fastmlp warmup --hidden 100,50 --activation gelu --features 28 --classes 2
"""


def add(commands: Commands) -> None:
    """Add the command and its arguments."""
    parser = add_command(
        commands, "warmup", run, short="compile kernels and keep them on disk", text=_TEXT,
        examples=_EXAMPLES,
    )  # fmt: skip
    parser.add_argument("--dtype", choices=_DTYPES, help="by default both, for a trainer float32")
    parser.add_argument("--features", type=int, metavar="N", help="columns of X")
    parser.add_argument("--classes", type=int, metavar="N", help="classes, or columns of Y")
    for name, text in _SETTINGS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=value, metavar="VALUE", help=text)


def run(given: dict[str, Any]) -> None:
    """Compile kernels; print what was done."""
    before, start = set(kept_objects()), time.perf_counter()
    sizes = {f"n_{name}": given.pop(name) for name in ("features", "classes") if name in given}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the cache or of rows that are not a user's
        if given.keys() <= {"dtype"} and not sizes:
            warm_up_all((given["dtype"],) if given else _DTYPES)
        else:
            warmup(Trainer(**given), any_data=True, **sizes)
    seconds, now = time.perf_counter() - start, kept_objects()
    if not now:
        raise OSError("compiled kernels cannot be kept on disk: NUMBA_CACHE_DIR may name a folder")
    new = len(set(now) - before)
    print(f"compiled {new} kernels in {seconds:.1f} s; {len(now)} are kept in {now[0].parent}")
