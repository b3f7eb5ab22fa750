"""Plots: functions ``(names, left, right)``, which draw two panels from the names of a page."""

from typing import Any

Names = dict[str, Any]
