"""load: models from files."""

from __future__ import annotations

import os
from typing import Any

from .ensemble import Ensemble
from .network.model_files import read_model, restoring
from .settings import check_setting
from .trainer import Trainer


def load(path: str | os.PathLike[str], callbacks: Any = None) -> Any:
    """Return what ``save`` has written to a file: an object of the same class, in the same state.

    Nothing in the file is run, so that it may come from anyone. All is checked. Reading takes less
    memory than twice the size of the file plus 50 MB, unless the network itself or the names of its
    categories need more.

    Parameters
    ----------
    path : path
    callbacks : callable or object of ``fastmlp.callbacks``, or a sequence of them, optional
        The setting ``callbacks``, which a file cannot hold; by default none.

    Returns
    -------
    Trainer, Ensemble, MLPClassifier or MLPRegressor

    Raises
    ------
    ModelFileError
        If the file is damaged, no model file, or of a newer format; a ``ValueError``.
    OSError
        If it cannot be read; ``FileNotFoundError`` if there is none.
    ImportError
        Without safetensors, and for an estimator without scikit-learn.
    TypeError, ValueError
        For a wrong path, or for callbacks that are none.
    """
    callbacks = () if callbacks is None else callbacks
    check_setting("callbacks", callbacks)
    kind, values = read_model(path)
    with restoring(path):
        model: Any = _class_of(kind).from_file_state(values, callbacks)
    return model


def _class_of(kind: str) -> Any:
    """The class whose objects are saved under a name."""
    if kind in ("MLPClassifier", "MLPRegressor"):  # scikit-learn is imported here
        from . import estimators

        return getattr(estimators, kind)
    for known in (Trainer, Ensemble):
        if kind == known.__name__:
            return known
    raise ValueError(f"it holds an object of {kind[:40]!r}")
