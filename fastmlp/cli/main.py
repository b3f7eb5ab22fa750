"""The parser of all commands; errors and warnings in one line."""

import os
import sys
from collections.abc import Sequence

from . import bench, evaluate, info, predict, train, warmup
from .parser import Parser
from .say import one_line, short_warnings

_COMMANDS = (train, predict, evaluate, info, warmup, bench)
_ERRORS = (
    ValueError, TypeError, RuntimeError, OSError, ImportError, FloatingPointError, MemoryError,
)  # fmt: skip
# Exit codes of a process that a signal has ended, as shells report them.
_INTERRUPTED, _NOBODY_READS = 128 + 2, 128 + 13


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; an error is one line, with exit code 2."""
    parser = Parser(prog="fastmlp", description="Train multilayer perceptrons, fast, on the CPU.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands)
    given = vars(parser.parse_args(arguments))
    command, run = given.pop("command"), given.pop("run")
    name = f"{parser.prog} {command}"
    try:
        with short_warnings():
            run(given)
        sys.stdout.flush()
    except BrokenPipeError:  # as of "| head"
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        parser.exit(_NOBODY_READS)
    except _ERRORS as error:
        parser.exit(2, f"{name}: error: {one_line(error)}\n")
    except KeyboardInterrupt as interrupt:
        parser.exit(_INTERRUPTED, f"{name}: {one_line(interrupt) or 'interrupted'}\n")
