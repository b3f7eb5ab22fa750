"""Settings of a trainer: as users give them, checked, and what "auto" becomes."""

from .given import SETTINGS, Settings, as_callables, check_setting, near_miss

__all__ = ["SETTINGS", "Settings", "as_callables", "check_setting", "near_miss"]
