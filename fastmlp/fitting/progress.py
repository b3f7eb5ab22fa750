"""Progress of a fit: a bar, or a line for each epoch."""

import os
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any

from ..callbacks import Logs
from ..member import current_member

_NOT_SHOWN = ("learning_rate", "seconds")
# Width of a bar without its values and the digits of its epochs.
_BESIDE = 54
_BAR = "{desc} |{bar:10}| {rate_noinv_fmt}, {remaining} left{postfix}"
_DONE = "{desc}{postfix}"
_ENDLESS = "{desc} {rate_noinv_fmt}{postfix}"
# In a notebook {bar} is a widget, and one of another form a text beside it.
_BAR_IN_NOTEBOOK = "{desc} {bar} {rate_noinv_fmt}, {remaining} left{postfix}"
_DONE_IN_NOTEBOOK = "{desc} {bar}{postfix}"
_WIDTH_IN_NOTEBOOK = 200
# A fit goes on if nothing can be written: without stdout, or with a closed or incomplete one.
_if_possible = suppress(Exception)


def say(text: str) -> None:
    """Print a line, if possible, above a bar if there is one."""
    tqdm, line = sys.modules.get("tqdm"), f"{_whose()}{text}\n"
    with _if_possible:
        if tqdm is None:
            print(line, end="", flush=True)
        else:
            tqdm.tqdm.write(line, end="")


def _whose() -> str:
    """The number of the fit, if it runs beside others."""
    member = current_member()
    return "" if member is None else f"member {member.number}: "


class Progress:
    """A live bar for a fit, or a line for each epoch.

    Parameters
    ----------
    verbose : int
        0 shows nothing, 1 a bar in a terminal or a notebook with tqdm, else lines; 2 lines.
    first, last : int
        Epochs done before, and the last one's number.
    rows : int, optional
        Rows of an epoch, if known.
    """

    def __init__(self, verbose: int, first: int, last: int, rows: int | None) -> None:
        self._verbose, self._first, self._last, self._rows = verbose, first, last, rows
        self._bar: Any = None
        self._is_widget = False

    def __enter__(self) -> "Progress":
        if self._verbose == 1 and (bar := _bar_class()) is not None:
            self._is_widget = "tqdm.notebook" in (base.__module__ for base in bar.__mro__)
            total = self._rows and self._rows * (self._last - self._first)
            form = _BAR_IN_NOTEBOOK if self._is_widget else _BAR
            with _if_possible:
                self._bar = bar(
                    total=total, desc=self._count(self._first),
                    bar_format=form if total else _ENDLESS, unit=" samples", unit_scale=True,
                    miniters=1, file=sys.stdout, dynamic_ncols=True,
                )  # fmt: skip
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            is_widget = self._is_widget and self._bar.total
            self._bar.bar_format = _DONE_IN_NOTEBOOK if is_widget else _DONE
            with _if_possible:
                self._bar.refresh()
                self._bar.close()

    def advance(self, rows: int) -> None:
        """Advance the bar by rows that have been trained on."""
        if self._bar is not None:
            with _if_possible:
                self._bar.update(rows)

    def show(self, epoch: int, logs: Logs, rows: int) -> None:
        """Show the values of a finished epoch of ``rows`` rows."""
        if self._bar is not None:
            self._bar.set_description_str(self._count(epoch), refresh=False)
            self._bar.set_postfix_str(self._numbers(logs), refresh=False)
        elif self._verbose:
            line = f"{_whose()}{self._line(epoch, logs, rows)}\n"
            with _if_possible:
                print(line, end="", flush=True)  # at once, as other threads print too

    def make_way(self) -> None:
        """Clear the bar for other output; it returns at its next refresh."""
        if self._bar is not None:
            with _if_possible:
                self._bar.clear()

    def _numbers(self, logs: Logs) -> str:
        """Text of the values that fit into the bar, validation first."""
        width = _WIDTH_IN_NOTEBOOK if self._is_widget else self._bar.ncols or 80
        room = width - _BESIDE - 2 * len(str(self._last))
        text = ""
        for name, value in sorted(_shown(logs), key=lambda item: not item[0].startswith("val_")):
            number = f" {name} {value:.4f}"
            if len(text) + len(number) > room:
                break
            text += number
        return text[1:]

    def _count(self, epoch: int) -> str:
        return f"epoch {min(epoch + 1, self._last):{len(str(self._last))}}/{self._last}"

    def _line(self, epoch: int, logs: Logs, rows: int) -> str:
        numbers = "".join(f"   {name} {value:7.4f}" for name, value in _shown(logs))
        seconds = logs["seconds"]
        speed = rows / seconds
        return f"{self._count(epoch)}{numbers}   {seconds:6.3f} s {speed:9,.0f} samples/s"


def _shown(logs: Logs) -> list[tuple[str, float]]:
    return [(name, value) for name, value in logs.items() if name not in _NOT_SHOWN]


def _bar_class() -> Any:
    """tqdm's bar; None without tqdm or a terminal or notebook, or outside the main thread."""
    is_notebook = "ipykernel" in sys.modules
    if threading.current_thread() is not threading.main_thread() or not (
        is_notebook or _is_terminal()
    ):
        return None
    try:
        from tqdm.auto import tqdm
    except ImportError:  # optional; lines do as well
        return None
    return tqdm


def _is_terminal() -> bool:
    """Whether lines can be overwritten, which needs a terminal of known width."""
    with _if_possible:
        return sys.stdout.isatty() and os.get_terminal_size(sys.stdout.fileno()).columns > 0
    return False
