"""Fast training of multilayer perceptrons on the CPU, in kernels compiled by Numba."""

# First: below other imports, that of Numba took 0.1 s longer in Python 3.11.
from .kernels.language import backend as _backend  # noqa: F401, I001

from importlib.util import find_spec as _find_spec
from typing import TYPE_CHECKING, Any

from . import presets
from .callbacks import EarlyStopping
from .ensemble import Ensemble
from .files import ModelFileError
from .fit_warning import FitWarning
from .history import History
from .inference.predictor import NotFittedError
from .load import load
from .several_fits import fit_many
from .trainer import Trainer
from .warmup import warmup

if TYPE_CHECKING:
    from .estimators import MLPClassifier, MLPRegressor

__all__ = [
    "EarlyStopping",
    "Ensemble",
    "FitWarning",
    "History",
    "ModelFileError",
    "NotFittedError",
    "Trainer",
    "__version__",
    "fit_many",
    "load",
    "presets",
    "warmup",
]


def _has_scikit_learn() -> bool:
    try:
        return _find_spec("sklearn") is not None
    except ImportError:  # from a finder of the user's own
        return False


# Without scikit-learn they are not listed: help(fastmlp) and import * read all that is.
if TYPE_CHECKING or _has_scikit_learn():
    __all__ += ["MLPClassifier", "MLPRegressor"]

__version__ = "0.1.0"


# Loaded when they are first used, so that scikit-learn stays optional.
_ESTIMATORS = ("MLPClassifier", "MLPRegressor")


def __getattr__(name: str) -> Any:
    if name not in _ESTIMATORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import estimators

    return getattr(estimators, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
