"""scikit-learn's ``MLPClassifier`` and ``MLPRegressor`` on top of ``Trainer``."""

try:
    from sklearn.utils.validation import validate_data  # noqa: F401  # since 1.6
except ImportError as error:
    raise ImportError(
        "MLPClassifier and MLPRegressor need scikit-learn 1.6 or newer: "
        "pip install 'fastmlp[sklearn]'"
    ) from error

from .classifier import MLPClassifier
from .regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
