"""Files of plain values and arrays: read strictly, within bounds, and replaced atomically."""

from .errors import ModelFileError
from .replace import replace_file
from .safetensors_file import need_safetensors, read_file, write_file

__all__ = ["ModelFileError", "need_safetensors", "read_file", "replace_file", "write_file"]
