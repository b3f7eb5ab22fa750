"""save and load: the same class, in the same state, which goes on bit for bit."""

from pathlib import Path

import numpy as np
import pytest

import fastmlp
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, Y, fitted, same_weights

pytestmark = [needs_compiler, pytest.mark.filterwarnings("error")]


def test_a_trainer_comes_back(tmp_path: Path) -> None:
    model = fitted((9, 5), warm_start=True, seed=0)
    model.save(tmp_path / "m.safetensors")
    other = fastmlp.load(tmp_path / "m.safetensors")
    assert np.array_equal(other.predict_proba(X), model.predict_proba(X))
    for one in (model, other):
        one.fit(X, Y)
    assert same_weights(other.get_weights(), model.get_weights())
