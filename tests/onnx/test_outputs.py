"""Labels, probabilities and numbers of an exported network: their values, names and dtypes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastmlp.losses import LOSSES, Quantile
from tests.helpers.basics import needs_compiler
from tests.helpers.onnx import agree, session_of
from tests.onnx.test_networks import LABELS, NUMBERS, RNG, X, trainer

pytestmark = needs_compiler

N = len(X)
CODES = np.unique(LABELS, return_inverse=True)[1]
FLAGS = np.column_stack([X[:, 0] > 0, X[:, 1] > 5, X[:, 0] > 1]) * 1
BINARY = "binary_cross_entropy"
TARGETS: dict[str, Any] = {
    "softmax_cross_entropy": LABELS, BINARY: X[:, 0] > 0, "poisson": np.floor(np.exp(X[:, 0])),
}  # fmt: skip


def far_from_zero(values: Any) -> Any:
    """As times are, which float32 rounds by 64."""
    return 1.7e9 + 1e3 * values


@pytest.mark.parametrize("hidden", [(), 8])
@pytest.mark.parametrize("loss", [*LOSSES, Quantile((0.1, 0.5, 0.9))], ids=str)
def test_losses(loss: Any, hidden: Any, dtype: Any, tmp_path: Path) -> None:
    target = TARGETS.get(loss, NUMBERS)
    agree(trainer(hidden, loss=loss, dtype=dtype.name).fit(X, target), X, tmp_path)


@pytest.mark.parametrize("loss", ["squared_error", "huber", "quantile", "poisson"])
def test_numbers_of_any_unit(loss: Any, dtype: Any, tmp_path: Path) -> None:
    model = trainer(loss=loss, dtype=dtype.name)
    # Logarithms of numbers that hardly differ have no digits left in float32.
    numbers = 1e6 * np.abs(NUMBERS) if loss == "poisson" else far_from_zero(NUMBERS)
    agree(model.fit(X, numbers), X, tmp_path)
    columns = np.column_stack([np.abs(NUMBERS), numbers, np.abs(X[:, 1]) * 1e-6])
    got = agree(model.fit(X, columns), X, tmp_path)
    assert got["predictions"].shape == (N, 3)


def test_quantiles_are_sorted(tmp_path: Path) -> None:
    model = trainer(loss=Quantile((0.1, 0.5, 0.9)), epochs=1).fit(X, NUMBERS)
    *weights, W, b = model.get_weights()
    model.set_weights([*weights, W[:, ::-1], b[::-1]])
    got = agree(model, X, tmp_path)
    assert (np.diff(got["predictions"], axis=1) >= 0).all()


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", BINARY])
@pytest.mark.parametrize(
    ("classes", "dtype", "kind"),
    [
        (["no", "sì"], object, "tensor(string)"),
        (["", "a"], "<U1", "tensor(string)"),
        ([False, True], bool, "tensor(bool)"),
        ([-1, 1], np.int64, "tensor(int64)"),
        ([0, 10**9], np.int32, "tensor(int64)"),
        ([3, 2**62 + 1], np.uint64, "tensor(int64)"),
        ([0, 200], np.uint8, "tensor(int64)"),
        ([-1.0, 1e300], np.float64, "tensor(double)"),
        ([0.0, 2.0], np.float32, "tensor(double)"),
        ([0.0, 2.0], np.float16, "tensor(double)"),
    ],
)
def test_classes(loss: str, classes: Any, dtype: Any, kind: str, tmp_path: Path) -> None:
    names = np.array(classes, dtype)
    model = trainer(loss=loss, epochs=2).fit(X, names[(X[:, 0] > 0) * 1])
    label, probabilities = session_of(model, tmp_path).get_outputs()
    assert (label.name, label.type, label.shape) == ("label", kind, ["rows"])
    assert probabilities.name == "probabilities"
    assert (probabilities.type, probabilities.shape) == ("tensor(float)", ["rows", 2])
    got = agree(model, X, tmp_path)["label"]
    assert set(got.tolist()) == set(names.tolist())


def test_many_classes(tmp_path: Path) -> None:
    codes = RNG.integers(0, 500, N)
    model = trainer(dtype="float64").fit(
        X, pd.Series(codes).map("class {}".format).astype("category")
    )
    got = agree(model, X, tmp_path)
    assert got["probabilities"].shape == (N, len(set(codes)))


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", BINARY])
def test_columns(loss: str, tmp_path: Path) -> None:
    """Columns of labels have a label and a probability each; columns of one class are classes."""
    target = FLAGS if loss == BINARY else np.eye(3)[CODES]
    got = agree(trainer(loss=loss).fit(X, target), X, tmp_path)
    assert got["label"].dtype == np.int64
    assert got["label"].shape == ((N, 3) if loss == BINARY else (N,))


def test_ties_go_to_the_first_class(tmp_path: Path) -> None:
    """As in ``predict``, also where one of two probabilities is exactly a half."""
    for loss in LOSSES["softmax_cross_entropy"](), LOSSES[BINARY]():
        model = trainer(loss=loss, epochs=1).fit(X, NUMBERS > 0)
        model.set_weights([0 * w for w in model.get_weights()])
        label, probabilities = session_of(model, tmp_path).run(None, {"X": X})
        assert (probabilities == 0.5).all()
        assert not label.any()
        assert not model.predict(X).any()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (np.array([1, 2**63 + 5], np.uint64), "classes_ must fit into int64 for ONNX; got 92233"),
        (np.array(["a", "\udc80"]), r"classes_, .* must be valid Unicode for ONNX; got '\\udc80'"),
    ],
)
def test_classes_that_are_refused(names: Any, said: str, tmp_path: Path) -> None:
    model = trainer(epochs=1).fit(X, names[(X[:, 0] > 0) * 1])
    with pytest.raises(ValueError, match=said):
        model.to_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
