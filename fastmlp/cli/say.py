"""What the commands print: lines with a heading, tables, warnings, the progress of a fit."""

import math
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from ..trainer import Trainer

_HEADING = 10
# Lines on columns that are printed.
_LINES = 20
_NOT_SHOWN = "learning_rate", "seconds"
# The trainer that a FitWarning names.
_NAMED = re.compile(r"^Trainer\(.*?\): ")


def say(heading: str, text: str) -> None:
    """Print a line under a short heading, at once."""
    print(f"{heading:{_HEADING}}{text}", flush=True)


def one_line(error: BaseException | str) -> str:
    """The message of an error in one line."""
    text = error
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    return " ".join(str(text).split())


@contextmanager
def short_warnings() -> Iterator[None]:
    """Print warnings meant for users in one line on stderr, without places in Python; each once,
    though the pieces of a file may give it again; no others."""
    shown: set[str] = set()

    def show(message: Any, *_: Any, **__: Any) -> None:
        text = _NAMED.sub("", one_line(str(message)))
        if text not in shown:
            shown.add(text)
            print(f"warning: {text}", file=sys.stderr, flush=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


@contextmanager
def no_warnings() -> Iterator[None]:
    """Print no warnings, as of a fit that is there for comparison only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def say_lines(heading: str, lines: Sequence[str]) -> None:
    """Print lines under a heading, not more than fit on a screen."""
    shown = lines if len(lines) <= _LINES else lines[: _LINES - 1]
    if len(shown) < len(lines):
        shown = [*shown, f"and {len(lines) - len(shown)} more"]
    for k, line in enumerate(shown):
        say("" if k else heading, line)


def table(rows: Sequence[Sequence[Any]], *, right: bool = True) -> str:
    """Text of rows in aligned columns, but the first to the right if ``right``."""
    texts = [[short(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    lines = (
        "  ".join(
            text.rjust(width) if k and right else text.ljust(width)
            for k, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in texts
    )
    return "\n".join(line.rstrip() for line in lines)


def short(value: Any) -> str:
    """Text of a value: four decimals of a share, four digits of a larger number."""
    if not isinstance(value, float) or not math.isfinite(value):
        return f"{value:,}" if isinstance(value, int) else str(value)
    value = round(value, 4) + 0.0  # not -0.0000
    digits = len(str(int(abs(value))))
    return f"{value:,.{4 if digits == 1 else max(0, 4 - digits)}f}"


def shows_bar() -> bool:
    """Whether a trainer shows a bar: in a terminal, with tqdm."""
    return sys.stdout.isatty() and find_spec("tqdm") is not None


def print_epoch(trainer: Trainer, epoch: int, logs: dict[str, float]) -> None:
    """A callback that prints a line for epochs 1, 2, 5, 10, 20, 50, ..."""
    number = epoch + 1
    if str(number).strip("0") in ("1", "2", "5"):
        values = [f"{name} {short(logs[name])}" for name in logs if name not in _NOT_SHOWN]
        say("", f"epoch {number:>3}   {'   '.join(values)}")
