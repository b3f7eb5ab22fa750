"""The parser of all commands; errors in one line."""

from collections.abc import Sequence

from . import bench, warmup
from .parser import Parser

_COMMANDS = (warmup, bench)
_ERRORS = ValueError, TypeError, RuntimeError, OSError, ImportError, FloatingPointError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; an error is one line, with exit code 2."""
    parser = Parser(prog="fastmlp", description="Train multilayer perceptrons, fast, on the CPU.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands)
    given = vars(parser.parse_args(arguments))
    command, run = given.pop("command"), given.pop("run")
    try:
        run(given)
    except _ERRORS as error:
        parser.exit(2, f"{parser.prog} {command}: error: {' '.join(str(error).split())}\n")
