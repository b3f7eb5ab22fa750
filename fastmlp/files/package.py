"""The package safetensors, and the names of its files."""

import os
from typing import Any

SUFFIX = ".safetensors"


def is_model_file(path: str | os.PathLike[str]) -> bool:
    """Whether the name of a file is that of a model file."""
    return os.fspath(path).endswith(SUFFIX)


def need_safetensors() -> Any:
    """Return the module ``safetensors``.

    Raises
    ------
    ImportError
        Without it, with the command that installs it.
    """
    try:
        import safetensors.numpy
    except ImportError as error:
        message = "model files need safetensors: pip install 'fastmlp[safetensors]'"
        raise ImportError(message) from error
    return safetensors
