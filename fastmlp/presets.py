"""Settings for kinds of data, as plain dicts: ``Trainer(**presets.tabular)``.

Whatever else is to be set goes beside them, or in place of theirs:
``Trainer(**presets.tabular | {"hidden": 512, "loss": "squared_error"})``.
"""

from typing import Any

tabular: dict[str, Any] = {"refit": True, "missing": "impute"}
"""For tables: rows kept for validation are trained on in the end, and gaps are filled.

``Ensemble(Trainer(**presets.tabular), 8)`` is better still, at eight times the time. More units
with dropout, and more layers, were not better in ``asv_benchmarks/defaults``.
"""

images: dict[str, Any] = {"hidden": 512, "dropout": (0.1, 0.4)}
"""For flat images: four times the units of the default; pixels and units are dropped."""
