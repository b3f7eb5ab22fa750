"""Rows, targets and settings that the tests draw; all are usable, alone if not together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import sparse

from fastmlp import EarlyStopping
from fastmlp.kernels.plugins.activations import ACTIVATIONS
from fastmlp.losses import Huber, Quantile
from fastmlp.optimizers import OPTIMIZERS, SGD, AdamW
from fastmlp.schedules import SCHEDULES
from fastmlp.settings.checks import INITIALIZERS
from tests.fuzzing.matrices import FORMS
from tests.helpers.basics import Array

N_FEATURES = 3

# Losses that go with each kind of targets, and the targets of labels 0, 1, 2.
TARGETS: dict[str, tuple[list[Any], Callable[[Array], Array]]] = {
    "classes": (["auto", "softmax_cross_entropy"], lambda labels: labels),
    "names": (["auto"], lambda labels: np.array(["cat", "dog", "emu"])[labels]),
    "objects": (["auto"], lambda labels: np.array(["a", "bb", "c"], object)[labels]),
    "pair": (["auto", "binary_cross_entropy"], lambda labels: labels > 0),
    "one-hot": (["auto", "softmax_cross_entropy"], lambda labels: np.eye(3)[labels]),
    "probabilities": (["softmax_cross_entropy"], lambda labels: np.eye(3)[labels] * 0.7 + 0.1),
    "labels": (["auto", "binary_cross_entropy"], lambda labels: np.eye(3)[labels][:, :2]),
    "numbers": (["auto", "squared_error", Quantile((0.2, 0.8))], lambda labels: labels + 0.5),
    "columns": (["absolute_error", Huber()], lambda labels: np.eye(3)[labels] * 1e3),
    "counts": (["poisson"], lambda labels: labels),
}  # fmt: skip
NUMBERS = {"numbers", "columns", "counts"}


@dataclass(frozen=True)
class Rows:
    """Rows of X with their targets: of the same numbers in an odd layout, and plain. Both are
    arrays or sparse matrices."""

    X: Any
    plain: Any
    Y: Array
    weights: Array | None


def unaligned(X: Array) -> Array:
    return np.frombuffer(b"0" + X.tobytes(), X.dtype, offset=1).reshape(X.shape)


LAYOUTS: dict[str, Callable[[Array], Any]] = {
    "C": lambda X: X,
    "F": np.asfortranarray,
    "every second": lambda X: np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2],
    "backwards": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "unaligned": unaligned,
    "swapped": lambda X: X.astype(X.dtype.newbyteorder()),
    "read-only": lambda X: np.frombuffer(X.tobytes(), X.dtype).reshape(X.shape),
    "list": lambda X: X.tolist(),
}
# Stored zeros have updates of their own, and so other rounding.
_FORMS = sorted(FORMS.keys() - {"zeros"})
TYPES = ("float32", "float64", "float16", "int8", "uint8", "int64", "bool")


@st.composite
def rows(draw: st.DrawFn, kind: str, least: int = 1) -> Rows:
    """A few rows of random numbers, whose targets are of that kind."""
    n = draw(st.integers(least, 40))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    labels = rng.permutation(np.arange(n) % 3)
    X = (rng.integers(0, 50, (n, N_FEATURES)) + 20 * labels[:, None]).astype(
        draw(st.sampled_from(TYPES))
    )
    layout = draw(st.sampled_from(sorted(LAYOUTS)))
    plain = np.array(X.tolist()) if layout == "list" else X
    weights = rng.uniform(0.5, 2, n) if draw(st.booleans()) else None
    if (form := draw(st.none() | st.sampled_from(_FORMS))) is not None:
        X = X * (rng.random(X.shape) < 0.5)
        plain = sparse.csr_matrix(X.astype(np.float32) if X.dtype == np.float16 else X)
        return Rows(FORMS[form](plain.copy(), rng), plain, TARGETS[kind][1](labels), weights)
    return Rows(LAYOUTS[layout](X), plain, TARGETS[kind][1](labels), weights)


def _one_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


# Values of settings, the likely ones first: Hypothesis simplifies towards them.
SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "hidden": _one_of(5, (), (4, 3), 1, (33, 2)),
    "activation": _one_of(*sorted(ACTIVATIONS, key=lambda name: name != "relu"), ("tanh", "relu")),
    "initializer": _one_of(*INITIALIZERS),
    "dropout": _one_of(0.0, 0.3, (0.1, 0.2)),
    "class_weight": _one_of(None, "balanced"),
    "label_smoothing": _one_of(0.0, 0.1),
    "optimizer": _one_of("adam", *OPTIMIZERS, SGD(momentum=0.9), AdamW(weight_decay=0.1)),
    "learning_rate": _one_of(None, 0.01, 1e-6, 1e6),
    "schedule": _one_of("auto", None, *SCHEDULES, lambda update: 0.01 / (1 + update)),
    "l2": _one_of(0.0, 0.01),
    "l1": _one_of(0.0, 0.01),
    "clip_norm": _one_of(None, 0.1),
    "epochs": _one_of(2, 1, 4, "auto"),
    "batch_size": _one_of(16, "auto", 1, 7, 1000),
    "weight_averaging": _one_of("auto", 0.0, 0.9),
    "shuffle": st.booleans(),
    "scaling": _one_of("auto", None, "standard", "robust", "piecewise", "quantile", "max_abs", 0.1),
    "missing": _one_of("error", "impute"),
    "validation_fraction": _one_of("auto", 0.0, 0.3),
    "validation_split": _one_of("auto", "last", "shuffled", "stratified"),
    "early_stopping": _one_of("auto", False, True, EarlyStopping(patience=1)),
    "refit": st.booleans(),
    "metrics": _one_of("auto", "accuracy", "f1", ("log_loss", "roc_auc"), "mse", ("mae", "r2")),
    "dtype": _one_of("float32", "float64"),
    "threads": _one_of(None, 1, 2, 5),
    "seed": st.integers(0, 3),
    "warm_start": st.booleans(),
}  # fmt: skip


@st.composite
def settings(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """Some settings, and a loss for that kind of targets; a seed, so that fits repeat."""
    names = draw(st.lists(st.sampled_from(sorted(SETTINGS)), max_size=5, unique=True))
    given = {name: draw(SETTINGS[name]) for name in names}
    return {"epochs": 2, "seed": 0, "loss": draw(st.sampled_from(TARGETS[kind][0])), **given}
