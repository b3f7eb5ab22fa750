"""The package pyarrow, which reads files of tables."""

try:
    import pyarrow as pa
    import pyarrow.compute as pc
except ImportError as error:
    raise ImportError("files of tables need pyarrow: pip install 'fastmlp[files]'") from error

__all__ = ["pa", "pc"]
