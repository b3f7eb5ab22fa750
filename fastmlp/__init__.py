"""Fast training of multilayer perceptrons on the CPU, in kernels compiled by Numba."""

# First: below other imports, that of Numba took 0.1 s longer in Python 3.11.
from .kernels.language import backend as _backend  # noqa: F401, I001

from . import presets
from .callbacks import EarlyStopping
from .ensemble import Ensemble
from .fit_warning import FitWarning
from .history import History
from .inference.predictor import NotFittedError
from .several_fits import fit_many
from .trainer import Trainer
from .warmup import warmup

__all__ = [
    "EarlyStopping",
    "Ensemble",
    "FitWarning",
    "History",
    "NotFittedError",
    "Trainer",
    "__version__",
    "fit_many",
    "presets",
    "warmup",
]

__version__ = "0.1.0"
