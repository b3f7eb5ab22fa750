"""Fast training of multilayer perceptrons on the CPU, in kernels compiled by Numba."""

from .compilation import warmup
from .history import History
from .trainer import NotFittedError, Trainer

__all__ = ["History", "NotFittedError", "Trainer", "__version__", "warmup"]

__version__ = "0.1.0"
