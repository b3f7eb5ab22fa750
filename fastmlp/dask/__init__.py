"""Estimators over the partitions of Dask's collections, which are fitted where they lie."""

try:
    import dask.array
    import dask.dataframe  # noqa: F401
    import distributed  # noqa: F401
except ImportError as error:
    message = "fastmlp.dask needs Dask: pip install 'fastmlp[dask]'"
    raise ImportError(message) from error

from .estimators import DaskMLPClassifier, DaskMLPRegressor

__all__ = ["DaskMLPClassifier", "DaskMLPRegressor"]
