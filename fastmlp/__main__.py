"""Commands: ``python -m fastmlp COMMAND``."""

import argparse
import ast
import time
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from .kernels.language.object_cache import kept_objects
from .trainer import Trainer
from .warmup import warm_up_all, warmup

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

_WARMUP = """Compile kernels and keep them on disk, for this kind of processor and version of Numba.

Without settings: all kernels, in less than a minute. With settings: the kernels of such a trainer,
for any data. The image of a container should have them, which otherwise compiles at each start.
"""
_EXAMPLES = """examples:
  python -m fastmlp warmup                    all kernels, as for the image of a container
  python -m fastmlp warmup --dtype float32    all kernels of one dtype
  python -m fastmlp warmup --hidden 100,50 --activation gelu --features 28 --classes 2
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong, without the usage."""
        self.exit(2, f"{self.prog}: error: {message}; see --help\n")


def _value(text: str) -> Any:
    """A number or a name, or several of them, in brackets or without."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return tuple(map(_value, text.split(","))) if "," in text else text


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m fastmlp", description=__doc__.partition(":")[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    one = commands.add_parser(
        "warmup", help="compile kernels and keep them on disk", description=_WARMUP,
        epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )  # fmt: skip
    one.add_argument("--dtype", choices=_DTYPES, help="by default both, for a trainer float32")
    one.add_argument("--features", type=int, metavar="N", help="columns of X")
    one.add_argument("--classes", type=int, metavar="N", help="classes, or columns of Y")
    for name, text in _SETTINGS.items():
        one.add_argument(f"--{name.replace('_', '-')}", type=_value, metavar="VALUE", help=text)
    return parser


def _warm_up(given: dict[str, Any]) -> str:
    """Compile kernels; return what was done."""
    before, start = set(kept_objects()), time.perf_counter()
    sizes = {f"n_{name}": given.pop(name) for name in ("features", "classes") if name in given}
    if given.keys() <= {"dtype"} and not sizes:
        warm_up_all((given["dtype"],) if given else _DTYPES)
    else:
        warmup(Trainer(**given), any_data=True, **sizes)
    seconds, now = time.perf_counter() - start, kept_objects()
    if not now:
        raise OSError("compiled kernels cannot be kept on disk: NUMBA_CACHE_DIR may name a folder")
    new = len(set(now) - before)
    return f"compiled {new} kernels in {seconds:.1f} s; {len(now)} are kept in {now[0].parent}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; an error is one line, with exit code 2."""
    parser = _parser()
    given = vars(parser.parse_args(arguments))
    command = given.pop("command")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the cache or of rows that are not a user's
            done = _warm_up(given)
    except (ValueError, TypeError, RuntimeError, OSError) as error:
        parser.exit(2, f"{parser.prog} {command}: error: {' '.join(str(error).split())}\n")
    print(done)


if __name__ == "__main__":
    main()
