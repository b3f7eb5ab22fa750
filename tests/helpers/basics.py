"""What nearly all test modules need."""

import os
from typing import Any

import numpy.typing as npt
import pytest

needs_compiler = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT", "0") != "0", reason="only compiled kernels can run"
)

Array = npt.NDArray[Any]

NAN, INF = float("nan"), float("inf")
