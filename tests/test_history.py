"""What a history makes of itself: a table and a picture."""

import pickle
import sys
from pathlib import Path

import pytest

from fastmlp import History
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, Y, trainer

LOGS = [
    {"loss": 1.0, "accuracy": 0.5, "val_loss": 1.1, "val_accuracy": 0.4, "seconds": 0.1},
    {"loss": 0.5, "accuracy": 0.75, "val_loss": 0.8, "val_accuracy": 0.6, "seconds": 0.1},
]


def history() -> History:
    made = History()
    for logs in LOGS:
        made.append(logs)
    return made


@needs_compiler
def test_a_table() -> None:
    model = trainer().fit(X, Y, validation_data=(X, Y))
    frame = model.history.to_dataframe()
    assert list(frame.columns) == list(model.history)
    assert frame.index.tolist() == [0, 1, 2]
    assert frame.index.name == "epoch"
    assert frame["val_loss"].tolist() == model.history["val_loss"]


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_picture(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"curves.{ending}"
    figure = history().plot(path)
    assert path.stat().st_size > 1000
    assert [axis.get_ylabel() for axis in figure.axes] == ["loss", "accuracy"]
    for axis, name in zip(figure.axes, ("loss", "accuracy"), strict=True):
        training, validation = axis.get_lines()
        assert list(training.get_ydata()) == [logs[name] for logs in LOGS]
        assert list(validation.get_ydata()) == [logs[f"val_{name}"] for logs in LOGS]
        assert list(training.get_xdata()) == [1, 2]
        assert axis.get_xlabel() == "epoch"


def test_a_notebook_shows_the_picture() -> None:
    """IPython's formatters make an image of it before pyplot has set up anything, and but one."""
    from IPython.core.formatters import DisplayFormatter

    figure = history().plot()
    shown, _ = DisplayFormatter().format(figure)
    assert shown.keys() == {"text/plain", "image/png"}
    assert shown["image/png"].startswith(b"\x89PNG")
    assert len(pickle.loads(pickle.dumps(figure)).axes) == 2


def test_a_picture_without_validation() -> None:
    made = History({"loss": [1.0], "learning_rate": [0.1], "seconds": [0.1]})
    (axis,) = made.plot().axes
    assert len(axis.get_lines()) == 1
    assert axis.get_legend() is None


def test_nothing_to_plot() -> None:
    with pytest.raises(ValueError, match="nothing to plot"):
        History().plot()


@pytest.mark.parametrize(
    ("package", "method", "message"),
    [
        ("pandas", "to_dataframe", "to_dataframe needs pandas"),
        ("matplotlib.figure", "plot", r"plot needs matplotlib: pip install 'fastmlp\[plot\]'"),
    ],
)
def test_without_the_package(
    package: str, method: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "fastmlp.figure", raising=False)
    with pytest.raises(ImportError, match=message):
        getattr(history(), method)()
