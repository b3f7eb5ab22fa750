"""Networks as ONNX graphs, with the encoding of rows and the decoding of outputs inside."""

from .export import write_onnx

__all__ = ["write_onnx"]
