"""Settings of a trainer: given -> chosen -> resolved.

``Settings`` holds the values that users give, ``Choices`` the checked values, ``FitSettings`` those
of one fit, where only what is learned from the rows may still be "auto".
"""

from .auto import auto_values, resolved
from .fit_settings import Choices, FitSettings, LearningRate
from .settings import SETTINGS, Settings, check_setting, choices

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
