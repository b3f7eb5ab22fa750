"""Exported networks, run by onnxruntime, predict as their trainers do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp import Trainer
from fastmlp.kernels.plugins.activations import ACTIVATIONS
from tests.helpers.basics import needs_compiler
from tests.helpers.onnx import agree

pytestmark = needs_compiler

RNG = np.random.default_rng(0)
# Five features of different units, one of which is a time that float32 would round by 64.
X = RNG.normal(size=(300, 5)) * [1, 10, 0.1, 1e3, 1e6] + [0, 5, 0, 0, 1.7e9]
LABELS = np.array(["no", "perhaps", "sì"])[(X[:, 0] > 0) * 1 + (X[:, 1] > 5)]

NUMBERS = X[:, 0] + np.sin(X[:, 1]) + 0.5


def trainer(hidden: Any = (16, 8), **settings: Any) -> Trainer:
    return Trainer(hidden, **{"epochs": 8, "learning_rate": 0.02, "seed": 0, **settings})


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation: str, dtype: Any, tmp_path: Path) -> None:
    """Also of arguments far from zero, on both sides."""
    options = {"activation": activation, "dtype": dtype.name}
    agree(trainer(**options).fit(X, LABELS), X, tmp_path)
    model = trainer(**options).fit(X, NUMBERS)
    agree(model, X, tmp_path)
    W, b, *rest = model.get_weights()
    model.set_weights([100 * W, 100 * b, *rest])
    agree(model, X, tmp_path)
