"""A figure that a notebook shows; imports matplotlib."""

from io import BytesIO

from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A figure that a notebook shows where a cell ends with it.

    IPython shows figures only once pyplot has set up its inline backend; by this method, always.
    """

    def _repr_png_(self) -> bytes:
        file = BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()
