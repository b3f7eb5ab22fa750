"""What a fit shows: a bar in a terminal, lines elsewhere; and the summary of a network."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from typing import Any

import pytest

from fastmlp import NotFittedError, Trainer
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, Y, fitted, trainer
from tests.helpers.processes import ROOT

pytestmark = needs_compiler

FIT = """
import sys
from tests.helpers.models import X, Y, trainer
{before}
model = trainer(epochs=4, verbose={verbose}, validation_fraction=0.2{settings})
{fit}
print("end")
"""


def shown(
    verbose: int = 1, before: str = "", settings: str = "", fit: str = "model.fit(X, Y)"
) -> str:
    """What a program that fits writes to a terminal of 200 columns."""
    code = FIT.format(verbose=verbose, before=before, settings=settings, fit=fit)
    terminal, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=inside, stderr=inside, env=environment
    ) as process:
        os.close(inside)
        text = b""
        with suppress(OSError):  # when the other side is closed
            while part := os.read(terminal, 1 << 16):
                text += part
    os.close(terminal)
    assert process.returncode == 0, text.decode()
    return text.decode()


def test_a_bar_in_a_terminal() -> None:
    text = shown()
    assert re.search(r"epoch 1/4 \|.{10}\| .* samples/s, .* left", text)
    last = text.replace("\r\n", "\r").split("\r")[-3]
    assert re.match(
        r"epoch 4/4, val_loss \d\.\d{4} val_accuracy \d\.\d{4} loss \d\.\d{4} accuracy \d\.\d{4}",
        last,
    )
    assert text.endswith("end\r\n")


@pytest.mark.costly
@pytest.mark.parametrize("verbose", [0, 2])
def test_no_bar(verbose: int) -> None:
    text = shown(verbose)
    assert "|" not in text
    assert len(re.findall(r"epoch \d/4   loss", text)) == (4 if verbose else 0)


@pytest.mark.full
def test_lines_without_tqdm() -> None:
    text = shown(before="sys.modules['tqdm'] = sys.modules['tqdm.auto'] = None")
    assert len(re.findall(r"epoch \d/4   loss", text)) == 4


def test_what_auto_became_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    model = Trainer(8, seed=0, epochs=1, verbose=2).fit(1e3 * X, Y)
    first = capsys.readouterr().out.splitlines()[0]
    assert f"batch_size={model.auto_['batch_size']}, " in first
    assert first.endswith("robust scaling (auto: features of any unit)")


def test_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    trainer(verbose=1).fit(X, Y)
    assert len(re.findall(r"epoch \d/3   loss", capsys.readouterr().out)) == 3


@pytest.mark.full
def test_several_networks_have_lines() -> None:
    text = shown(fit="import fastmlp; fastmlp.fit_many([model, trainer(verbose=1)], X, Y)")
    assert "|" not in text
    assert len(re.findall(r"member [01]: epoch \d/\d   loss", text)) == 7


def test_what_callbacks_print_has_lines_of_its_own() -> None:
    text = shown(settings=", callbacks=lambda *_: print('hello')")
    lines = [line.rsplit("\r", 1)[-1] for line in text.split("\r\n")]
    assert lines.count("hello") == 4


@pytest.mark.costly
@pytest.mark.parametrize(
    ("error", "text"), [("KeyboardInterrupt", "interrupted"), ("ZeroDivisionError", "failed")]
)
def test_an_exception_leaves_a_finished_line(error: str, text: str) -> None:
    got = shown(
        before=f"def stop(*_): raise {error}",
        settings=", callbacks=stop",
        fit=f"try: model.fit(X, Y)\nexcept {error}: print('{text}')",
    )
    assert re.search(rf"epoch 1/4, val_loss [^\r]*\r\n.*{text}\r\n", got)


@pytest.mark.full
def test_a_stream_has_no_end_in_sight() -> None:
    text = shown(
        settings="", fit="model.validation_fraction = 0; model.fit_stream(lambda: [(X, Y), (X, Y)])"
    )
    assert "left" not in text
    assert re.search(r"epoch 4/4, loss", text)


# ------------------------------------------------------------------------- other kinds of stdout


class Incomplete:
    """A stream of a service or a frozen program: it can write and has what is named."""

    def __init__(self, **others: Any) -> None:
        self.text = ""
        for name, value in others.items():
            setattr(self, name, value)

    def write(self, text: str) -> None:
        self.text += text


def closed() -> Any:
    stream = io.StringIO()
    stream.close()
    return stream


STDOUTS: dict[str, Any] = {
    "none": lambda: None,
    "closed": closed,
    "without all": Incomplete,
    "without fileno": lambda: Incomplete(flush=lambda: None, isatty=lambda: True),
    "without flush": lambda: Incomplete(fileno=lambda: 1, isatty=lambda: False),
    "with a fileno of no terminal": lambda: io.TextIOWrapper(io.BytesIO()),
}


@pytest.mark.parametrize("verbose", [1, 2])
@pytest.mark.parametrize("kind", STDOUTS)
def test_a_fit_goes_on_without_a_usable_stdout(
    kind: str, verbose: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", stream := STDOUTS[kind]())
    model = trainer(verbose=verbose, validation_fraction=0.2).fit(X, Y)
    assert model.n_iter_ == 3
    if isinstance(stream, Incomplete):
        assert len(re.findall(r"epoch \d/3   loss", stream.text)) == 3


def test_a_stdout_that_closes_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", stream := io.StringIO())
    model = trainer(verbose=2, callbacks=lambda *_: stream.close()).fit(X, Y)
    assert model.n_iter_ == 3


def test_one_bar_in_a_notebook(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tqdm.notebook import tqdm_notebook

    bars: list[Any] = []
    shown: list[str] = []

    class Recorded(tqdm_notebook):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            bars.append(self)

        def display(self, *args: Any, **options: Any) -> None:
            super().display(*args, **options)
            shown.append(" ".join(html.value for html in self.container.children[::2]))

    monkeypatch.setattr("fastmlp.fitting.progress._bar_class", lambda: Recorded)
    trainer(verbose=1, validation_fraction=0.2).fit(X, Y)
    (bar,) = bars
    assert (bar.container.children[1].value, bar.container.children[1].bar_style) == (
        144,
        "success",
    )
    # The widget is the bar: no second one in the text beside it.
    assert not any("|" in text or "█" in text for text in shown)
    last = shown[-1].replace("\u2007", " ")
    values = r"val_loss \d\.\d{4} val_accuracy \d\.\d{4} loss \d\.\d{4} accuracy \d\.\d{4}"
    assert re.fullmatch(rf"epoch 3/3  , {values}", last)


def test_long_epochs_refresh_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    import fastmlp.fitting.epoch
    import fastmlp.fitting.loop

    told: list[int] = []

    class Recorder(fastmlp.fitting.loop.Progress):
        def advance(self, rows: int) -> None:
            told.append(rows)

    monkeypatch.setattr(fastmlp.fitting.loop, "Progress", Recorder)
    monkeypatch.setattr(fastmlp.fitting.epoch, "_FIRST_SLICE_FLOPS", 1)
    monkeypatch.setattr(fastmlp.fitting.epoch, "SLICE_SECONDS", 0)
    trainer(epochs=2, batch_size=16).fit(X, Y)
    assert told == [16, 16, 16, 12] * 2


# ---------------------------------------------------------------------------------------- summary


def test_summary() -> None:
    text = fitted((8, 5), activation=("tanh", "relu")).summary()
    lines = text.splitlines()
    assert [line.split() for line in lines[:5]] == [
        ["layer", "units", "parameters"],
        ["input", "4"],
        ["hidden", "1", "8", "40", "tanh"],
        ["hidden", "2", "5", "45", "relu"],
        ["output", "3", "18", "softmax_cross_entropy"],
    ]
    assert "parameters: 103, in float32 412 bytes" in lines
    assert lines[-1].startswith("memory of a fit beside its rows: ")


def test_memory_of_a_fit_counts_the_state_of_the_optimizer() -> None:
    def memory(**settings: Any) -> float:
        text = Trainer(2000, epochs=1, seed=0, **settings).fit(X, Y).summary()
        size, unit = text.rsplit(": ", 1)[1].split()
        return float(size) * {"kB": 1e3, "MB": 1e6}[unit]

    weights = (4 + 1 + 3) * 2000 * 4
    plain, adam = memory(optimizer="sgd"), memory(optimizer="adam")
    assert 1.9 * weights < adam - plain < 3 * weights


def test_batches_of_all_rows_in_a_summary() -> None:
    model, texts = fitted(), set()
    for size in (10_000, 2**40, 2**70):
        model.batch_size = size
        texts.add(model.summary())
    assert len(texts) == 1


def test_no_summary_before_a_fit() -> None:
    with pytest.raises(NotFittedError):
        Trainer().summary()
