"""Run examples/mnist.ipynb, and save it with what it shows: ``python -m docs.notebook``."""

import hashlib
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "examples" / "mnist.ipynb"


def code_digest(notebook: nbformat.NotebookNode) -> str:
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return hashlib.sha256(code.encode()).hexdigest()


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
    # Of which code the output is, so that a test finds code that was changed and not run.
    notebook.metadata["code"] = code_digest(notebook)
    for cell in notebook.cells:
        # What stays is the text of a picture for readers who do not see it.
        cell.metadata = {key: cell.metadata[key] for key in ("mystnb",) if key in cell.metadata}
    return notebook


if __name__ == "__main__":
    nbformat.write(executed(), NOTEBOOK)
