"""What the commands share: a parser with short errors, values of settings."""

import argparse
import ast
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from ..did_you_mean import did_you_mean, hint, same_name


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and which knows options by their full names only."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong, without the usage."""
        self.exit(2, f"{self.prog}: error: {message}; see --help\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse unknown options here, where the names of the others are known."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            meant = _meant(unknown[0].partition("=")[0], self._option_string_actions)
            self.error(f"unrecognized arguments: {' '.join(unknown)}{meant}")
        return found, unknown


def _meant(option: str, known: Iterable[str]) -> str:
    """A hint at the option that was meant, perhaps by its name in another library."""
    if option[:1].isdigit():
        return "; several values are separated by commas"
    names = {name.lstrip("-").replace("-", "_"): name for name in known}
    meant = same_name(option.lstrip("-"), names)
    return hint(names[meant]) if meant in names else did_you_mean(option, names.values())


Commands = Any  # what add_subparsers returns; its class has no public name
Run = Callable[[dict[str, Any]], None]


def add_command(
    commands: Commands, name: str, run: Run, *, short: str, text: str, examples: str
) -> Parser:
    """Add a command, whose arguments that are not given are left out; ``run`` gets the others."""
    parser: Parser = commands.add_parser(
        name, help=short, description=text, epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter, argument_default=argparse.SUPPRESS,
    )  # fmt: skip
    parser.set_defaults(run=run)
    return parser


def value(text: str) -> Any:
    """A number or a name, or several of them, in brackets or without."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return tuple(map(value, text.split(","))) if "," in text else text
