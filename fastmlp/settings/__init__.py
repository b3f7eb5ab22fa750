"""Settings of a trainer: given -> chosen -> resolved.

``Settings`` holds the values that users give, ``Choices`` the checked values, ``FitSettings`` those
of one fit, where only what is learned from the rows may still be "auto".
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
