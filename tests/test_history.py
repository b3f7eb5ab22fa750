"""What a history makes of itself: a table and a picture."""

import pickle
import sys
from pathlib import Path

import numpy as np
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


def test_values_of_some_epochs_only(tmp_path: Path) -> None:
    """Every list has an element per epoch, NaN where nothing was recorded."""
    made = history()
    made.append({"loss": 0.25, "f1": 0.8, "seconds": 0.1})
    made.append(LOGS[0])
    assert {len(values) for values in made.values()} == {4}
    np.testing.assert_array_equal(made["val_loss"], [1.1, 0.8, np.nan, 1.1])
    np.testing.assert_array_equal(made["f1"], [np.nan, np.nan, 0.8, np.nan])
    assert made["loss"] == [1.0, 0.5, 0.25, 1.0]
    assert made.to_dataframe().isna().sum().to_dict() == {
        "loss": 0, "accuracy": 1, "val_loss": 1, "val_accuracy": 1, "seconds": 0, "f1": 3,
    }  # fmt: skip
    figure = made.plot(tmp_path / "curves.png")
    assert [axis.get_ylabel() for axis in figure.axes] == ["loss", "accuracy", "f1"]
    made.cut(3)
    assert {len(values) for values in made.values()} == {3}


@needs_compiler
def test_fits_that_record_different_values() -> None:
    model = trainer(metrics="f1").fit(X, Y, validation_data=(X, Y))
    before = {name: list(values) for name, values in model.history.items()}
    model.metrics = ["balanced_accuracy"]
    model.partial_fit(X, Y).partial_fit(X, Y)
    assert {len(values) for values in model.history.values()} == {5}
    nothing = [np.nan] * 2
    for name, values in before.items():
        rest = model.history[name][3:] if name in ("loss", "learning_rate", "seconds") else nothing
        np.testing.assert_array_equal(model.history[name], values + rest)
    scores = model.history["balanced_accuracy"]
    assert np.isnan(scores[:3]).all()
    assert scores[4] == model.evaluate(X, Y)["balanced_accuracy"]
    assert len(model.history.to_dataframe()) == 5
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_equal(dict(again.history), dict(model.history))


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
