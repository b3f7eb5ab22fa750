"""Settings of a trainer: given -> chosen -> resolved.

``Settings`` keeps them as users give them, ``choices`` are their checked values, ``FitSettings``
what a fit goes by, with nothing left "auto" but what is learned from the rows.
"""

from .defaults import auto_values, resolved
from .given import SETTINGS, Settings, check_setting, choices
from .resolved import FitSettings, LearningRate
from .values import Choices

__all__ = [
    "SETTINGS",
    "Choices",
    "FitSettings",
    "LearningRate",
    "Settings",
    "auto_values",
    "check_setting",
    "choices",
    "resolved",
]
