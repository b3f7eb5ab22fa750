"""Fast training of multilayer perceptrons on the CPU, in kernels compiled by Numba."""

from . import presets
from .callbacks import EarlyStopping
from .ensemble import Ensemble, fit_many
from .fitting.diagnostics import FitWarning
from .history import History
from .inference.predictor import NotFittedError
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
