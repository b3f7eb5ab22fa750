"""Record of a fit: one list per quantity, one element per epoch."""

import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


class History(dict[str, list[float]]):
    """Values recorded in a fit: a dict of lists with an element per epoch, NaN where there is none.

    Keys are ``loss`` and the metrics (means over the samples, each when its mini-batch was trained
    on), ``val_loss`` and so on with validation data, ``learning_rate`` and ``seconds`` (wall time
    of training, without validation).
    """

    def append(self, logs: Mapping[str, float]) -> None:
        """Append the values of one epoch, NaN for those recorded in other epochs only."""
        if self.keys() != logs.keys():
            n_epochs = max(map(len, self.values()), default=0)
            for name in logs:
                self.setdefault(name, [math.nan] * n_epochs)
        for name, values in self.items():
            values.append(logs.get(name, math.nan))

    def cut(self, n_epochs: int) -> None:
        """Keep the first ``n_epochs`` epochs; an interrupt may leave part of another one."""
        for values in self.values():
            del values[n_epochs:]

    def to_dataframe(self) -> "DataFrame":
        """Return a table with a row for each epoch, counted from 0; needs pandas.

        Raises
        ------
        ImportError
            Without pandas.
        """
        try:
            from pandas import DataFrame, RangeIndex
        except ImportError as error:
            raise ImportError("to_dataframe needs pandas: pip install pandas") from error
        frame = DataFrame(dict(self))
        frame.index = RangeIndex(len(frame), name="epoch")
        return frame

    def plot(self, path: "str | os.PathLike[str] | None" = None) -> "Figure":
        """Plot the loss and each metric by epoch, training and validation; needs matplotlib.

        A notebook shows the figure where a cell ends with the call; elsewhere in a cell,
        ``display(history.plot())`` does.

        Parameters
        ----------
        path : path, optional
            File to write, as PNG, PDF or SVG by its suffix.

        Returns
        -------
        matplotlib.figure.Figure
            The figure.

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If nothing has been recorded.
        """
        try:
            from .figure import NotebookFigure
        except ImportError as error:
            raise ImportError("plot needs matplotlib: pip install 'fastmlp[plot]'") from error
        names = [name for name in self if name not in ("learning_rate", "seconds")]
        names = [name for name in names if not name.startswith("val_")]
        if not names:
            raise ValueError("there is nothing to plot: no epoch has been recorded")
        figure = NotebookFigure(figsize=(4.8 * len(names), 3.6), layout="constrained")
        axes: Any = figure.subplots(1, len(names), squeeze=False)[0]
        for axis, name in zip(axes, names, strict=True):
            self._draw(axis, name)
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure

    def _draw(self, axis: Any, name: str) -> None:
        curves = {"training": self[name], "validation": self.get(f"val_{name}")}
        for label, values in curves.items():
            if values is not None:
                epochs = range(1, len(values) + 1)
                axis.plot(epochs, values, label=label, marker="." if len(values) < 30 else "")
        axis.set(xlabel="epoch", ylabel=name.replace("_", " "))
        axis.grid(alpha=0.3)
        axis.xaxis.get_major_locator().set_params(integer=True)
        if curves["validation"] is not None:
            axis.legend(frameon=False)
