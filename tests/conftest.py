"""What several test modules share."""

from typing import Any

import numpy as np
import pytest


@pytest.fixture(params=["float32", "float64"], scope="module")
def dtype(request: pytest.FixtureRequest) -> Any:
    return np.dtype(request.param)
