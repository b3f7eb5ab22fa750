"""Loss and gradient of all rows: against the reference, and the loss against ``evaluate``."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastmlp import Trainer
from fastmlp.fitting import memory
from fastmlp.losses import Quantile
from tests.helpers import models, reference
from tests.helpers.basics import Array, needs_compiler
from tests.helpers.losses import KINDS
from tests.helpers.networks import TOLERANCE, assert_close, problem, trainer_from

pytestmark = needs_compiler

NAMES = [name for name in KINDS if not name.endswith(("_rows", "_weighted"))]
SIZES = [((9, 5), 31), ((33, 127, 3), 70), ((2, 31, 9, 2), 9), ((5, 1, 1), 2), ((3, 130, 4), 1)]


def targets_of(loss: str, n: int, count: int) -> Array:
    rng = np.random.default_rng(n)
    return {
        "labels": lambda: rng.integers(count, size=n),
        "ones": lambda: rng.integers(2, size=(n, count)),
        "numbers": lambda: rng.normal(size=(n, count)),
        "counts": lambda: rng.poisson(2, (n, count)),
    }[KINDS[loss]]()


@pytest.mark.parametrize("chunk", [1024, 33])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("loss", NAMES)
@pytest.mark.parametrize(("sizes", "n"), SIZES)
def test_gradient(
    sizes: Any, n: int, loss: str, threads: int, chunk: int, dtype: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if sizes[-1] == 1 and loss == "softmax_cross_entropy":
        pytest.skip("one output is not enough")
    monkeypatch.setattr(memory, "MAX_CHUNK", chunk)
    weights, X, _ = problem(sizes, n)
    Y, w = targets_of(loss, n, sizes[-1]), np.random.default_rng(1).uniform(0, 3, n)
    trainer = trainer_from(
        weights, hidden=sizes[1:-1], dtype=dtype, loss=loss, threads=threads, l2=0.3, l1=0.1,
        dropout=0.5 if sizes[1:-1] else 0.0, clip_norm=1e-3, scaling=0.5,
    )  # fmt: skip
    got, gradient = trainer.loss_and_gradient(X, Y, w)
    Z = reference.forward(weights, X / 2)[-1]
    wanted = reference.loss(loss, Z, Y, w)
    scale = np.abs(reference.loss_terms(loss, Z, Y)).max()
    assert abs(got - wanted) <= TOLERANCE[dtype.name] * scale
    exact = reference.gradients(weights, X / 2, Y, loss=loss, sample_weight=w / w.mean())
    for g, reference_g, own in zip(gradient, exact, trainer.get_weights(), strict=True):
        assert (g.dtype, g.shape) == (own.dtype, own.shape)
        assert_close(g, reference_g, TOLERANCE[dtype.name], loss)
    before = trainer.get_weights()
    again = trainer.loss_and_gradient(X, Y, w)
    assert again[0] == got
    assert models.same_weights(again[1], gradient)
    assert models.same_weights(trainer.get_weights(), before)


@pytest.mark.parametrize("loss", ["squared_error", "huber", Quantile((0.1, 0.9)), "poisson"])
@pytest.mark.parametrize("hidden", [(), (9, 33)])
def test_targets_in_their_own_unit(loss: Any, hidden: Any) -> None:
    """A step of the weights that users see changes the loss by the gradient that they see."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(70, 4))
    Y = rng.poisson(40 + 30 * (X[:, 0] > 0)) if loss == "poisson" else 1_000 + 500 * X[:, 0] ** 3
    fit = {"activation": "tanh"} if hidden else {}
    trainer = Trainer(hidden, loss=loss, dtype="float64", epochs=3, seed=0, **fit).fit(X, Y)
    weights = trainer.get_weights()
    got, gradient = trainer.loss_and_gradient(X, Y)
    assert got == pytest.approx(trainer.evaluate(X, Y)["loss"], rel=1e-12)
    step = [1e-6 * rng.normal(size=w.shape) * (np.abs(w) + 1) for w in weights]
    losses = []
    for sign in (-1, 1):
        trainer.set_weights([w + sign * s for w, s in zip(weights, step, strict=True)])
        losses.append(trainer.evaluate(X, Y)["loss"])
    change = sum((g * s).sum() for g, s in zip(gradient, step, strict=True))
    assert np.diff(losses)[0] == pytest.approx(2 * change, rel=1e-4)


def test_tables_with_categories_and_gaps() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({
        "size": np.where(rng.random(200) < 0.1, np.nan, rng.normal(size=200)),
        "kind": pd.Categorical(rng.choice(["a", "b", "c"], 200)),
    })  # fmt: skip
    Y = np.where(table["kind"] == "a", "yes", "no")
    trainer = Trainer(8, missing="impute", epochs=2, seed=0).fit(table, Y)
    loss, gradient = trainer.loss_and_gradient(table, Y)
    assert loss == pytest.approx(trainer.evaluate(table, Y)["loss"], rel=1e-6)
    assert [g.shape for g in gradient] == [w.shape for w in trainer.get_weights()]


def test_its_minimum_is_where_the_gradient_is_zero() -> None:
    """Steps along it lead to the minimum, as an optimizer's own would."""
    trainer = models.trainer(dtype="float64", loss="softmax_cross_entropy").fit(models.X, models.Y)
    first = previous = trainer.evaluate(models.X, models.Y)["loss"]
    for _ in range(30):
        _, gradient = trainer.loss_and_gradient(models.X, models.Y)
        steps = zip(trainer.get_weights(), gradient, strict=True)
        trainer.set_weights([w - 0.1 * g for w, g in steps])
        loss = trainer.evaluate(models.X, models.Y)["loss"]
        assert loss < previous
        previous = loss
    assert previous < first / 2


def test_settings_of_later_fits_do_not_matter() -> None:
    trainer = models.fitted()
    wanted = trainer.loss_and_gradient(models.X, models.Y)
    trainer.refit = True  # without early stopping
    trainer.hidden, trainer.dropout = (), 0.3
    loss, gradient = trainer.loss_and_gradient(models.X, models.Y)
    assert loss == wanted[0]
    assert models.same_weights(gradient, wanted[1])


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="no weights yet"):
        Trainer().loss_and_gradient(models.X, models.Y)
    trainer = models.fitted()
    with pytest.raises(ValueError, match="X must have 4 features; got 3"):
        trainer.loss_and_gradient(models.X[:, 1:], models.Y)
    with pytest.raises(ValueError, match="unseen labels"):
        trainer.loss_and_gradient(models.X, models.Y + 1)
    trainer.set_weights([1e30 * w for w in trainer.get_weights()])
    with pytest.raises(FloatingPointError, match="not finite"):
        trainer.loss_and_gradient(1e6 * models.X, models.Y)
