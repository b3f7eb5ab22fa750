"""Files of plain values and arrays: read strictly, within bounds, and replaced atomically."""

from .errors import ModelFileError
from .replace import replace_file
from .safetensors_file import SUFFIX, is_model_file, need_safetensors, read_file, to_bytes

__all__ = [
    "SUFFIX",
    "ModelFileError",
    "is_model_file",
    "need_safetensors",
    "read_file",
    "replace_file",
    "to_bytes",
]
