"""Model files changed at random are refused, or work."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.fuzzing.model_files import changed_file, good_files, try_to_load
from tests.helpers.basics import needs_compiler

pytestmark = [
    needs_compiler,
    pytest.mark.repeated,
    pytest.mark.filterwarnings("ignore"),  # numbers may be huge
]


def test_model_files(times: int, tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    path, outcomes = tmp_path / "model.safetensors", Counter[bool]()
    files = good_files()
    for content in files:
        path.write_bytes(content)
        assert try_to_load(path)
    rng = np.random.default_rng(0 if times == 1 else None)
    for number in range(300 * times):
        path.write_bytes(changed_file(rng, files[number % len(files)]))
        outcomes[try_to_load(path)] += 1
    assert outcomes[False] > outcomes[True] > 5
