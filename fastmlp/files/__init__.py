"""Files of plain values and arrays: read strictly, within bounds, and replaced atomically.

``safetensors_file`` is imported where a file is read or written, not here: 3 ms of each start.
"""

from .errors import ModelFileError
from .package import SUFFIX, is_model_file, need_safetensors
from .replace import replace_file

__all__ = ["SUFFIX", "ModelFileError", "is_model_file", "need_safetensors", "replace_file"]
