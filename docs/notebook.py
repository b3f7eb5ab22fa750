"""Run examples/mnist.ipynb, and save it with what it shows: ``python -m docs.notebook``."""

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "examples" / "mnist.ipynb"


def executed(**options: Any) -> nbformat.NotebookNode:
    """The notebook with the output of a new process; ``options`` are those of its start."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    folder = {"metadata": {"path": str(NOTEBOOK.parent)}}
    client = NotebookClient(
        notebook, resources=folder, timeout=None, startup_timeout=600, record_timing=False,
        coalesce_streams=True,
    )  # fmt: skip
    client.execute(**options)
    # Versions of this machine would be a change in each commit.
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata = {}
    return notebook


if __name__ == "__main__":
    nbformat.write(executed(), NOTEBOOK)
