"""Command-line options of the scripts here."""

import argparse
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def parser_of(file: str, doc: str | None) -> argparse.ArgumentParser:
    """The parser of a script, from its ``__file__`` and its docstring, which is the help."""
    parts = Path(file).absolute().relative_to(ROOT).with_suffix("").parts
    return argparse.ArgumentParser(
        prog=f"python -m {'.'.join(parts).removesuffix('.__main__')}",
        description=doc and doc.replace("``", ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_names(
    parser: argparse.ArgumentParser, option: str, valid: Iterable[str], default: Iterable[str]
) -> None:
    """Add an option for names separated by commas."""
    valid = list(valid)

    def parse(text: str) -> list[str]:
        chosen = text.split(",")
        unknown = [name for name in chosen if name not in valid]
        if unknown:
            raise argparse.ArgumentTypeError(
                f"unknown: {', '.join(unknown)}; there are {', '.join(valid)}"
            )
        return chosen

    parser.add_argument(
        option, type=parse, default=list(default), metavar="NAME,...", help=", ".join(valid)
    )


def add_count(parser: argparse.ArgumentParser, option: str, default: int, help: str) -> None:
    """Add an option for a whole number of at least 1."""
    parser.add_argument(
        option, type=at_least_one, default=default, metavar="N", help=f"{help} (default: {default})"
    )


def add_output(parser: argparse.ArgumentParser, option: str, **settings: Any) -> None:
    """Add an option for the path of a file to write, in an existing folder."""

    def parse(text: str) -> Path:
        path = Path(text)
        if not path.absolute().parent.is_dir():  # fail now rather than after hours of work
            raise argparse.ArgumentTypeError(f"no such folder: {path.parent}")
        return path

    parser.add_argument(option, type=parse, metavar="PATH", **settings)


def add_outcome(parser: argparse.ArgumentParser, results: Path | None = None) -> None:
    """Add the options for the results of a race: their file, and what is shown of them."""
    add_output(
        parser, "--results", default=results,
        help="what is there is not run again; what is run is added",
    )  # fmt: skip
    parser.add_argument("--no-run", action="store_true", help="only show what is there")
    add_output(parser, "--plot", help="draw the result")


def at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def processors() -> int:
    """Number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def installed(names: Iterable[str], systems: Mapping[str, Any]) -> list[str]:
    """The systems that can run, at least one; print a line for each that cannot."""
    found = []
    for name in names:
        if missing := systems[name].missing():
            print(f"{name}: skipped, not installed: {', '.join(missing)}")
        else:
            found.append(name)
    if not found:
        sys.exit("no system is installed; --no-run shows what is there")
    return found
