"""An activation, a loss and an update rule that are not of the package train with it."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from fastmlp.data import RawTargets
from fastmlp.fitting.dataset import FitData
from fastmlp.fitting.epoch import TrainingRun
from fastmlp.inputs import Columns, Inputs
from fastmlp.kernels.language import functions, jit
from fastmlp.kernels.plugins import activations, losses, pointwise
from fastmlp.kernels.plugins import update_rules as rules
from fastmlp.losses import Loss
from fastmlp.network.encoding import Encoding
from fastmlp.network.packed_network import Network
from fastmlp.outputs import Outputs
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, fit_settings, random_weights

pytestmark = needs_compiler

RATE, ROWS = 0.01, 13


def softsign(e: Any, x: Any) -> Any:
    return functions.divide(e, x, e.add(e.constant(1.0), functions.absolute(e, x)))


def softsign_slope(e: Any, value: Any) -> Any:
    root = functions.subtract(e, e.constant(1.0), functions.absolute(e, value))
    return functions.multiply(e, root, root)


def quartic(e: Any, z: Any, y: Any, _: Any) -> pointwise.Terms:
    error = functions.subtract(e, z, y)
    cube = functions.multiply(e, functions.multiply(e, error, error), error)
    quarter = functions.multiply(e, e.constant(0.25), error)
    return pointwise.Terms(functions.multiply(e, cube, quarter), cube, error)


def sign_descent(e: Any, run: Any, w: Any, g: Any) -> Any:
    return {"w": e.fma(run.step, e.sign(g), w)}


@dataclass(frozen=True)
class Quartic(Loss):
    targets: ClassVar[str] = "numbers"
    degree: ClassVar[int] = 4
    name: ClassVar[str] = "quartic"


def expected(weights: list[Any], y: Any, epochs: int) -> tuple[list[Any], list[float]]:
    """The same in NumPy."""
    W1, b1, W2, b2 = (w.astype(np.float64) for w in weights)
    means = []
    for _ in range(epochs):
        total = 0.0
        for start in range(0, len(X), ROWS):
            x, target = X[start : start + ROWS].astype(float), y[start : start + ROWS]
            z = x @ W1 + b1
            a = z / (1 + np.abs(z))
            error = a @ W2 + b2 - target
            total += (error**4).sum() / 4 / 2
            delta = error**3 / len(x) / 2
            hidden = (delta @ W2.T) * (1 - np.abs(a)) ** 2
            grads = x.T @ hidden, hidden.sum(axis=0), a.T @ delta, delta.sum(axis=0)
            for w, g in zip((W1, b1, W2, b2), grads, strict=True):
                w -= RATE * np.sign(g)
        means.append(total / len(X))
    return [W1, b1, W2, b2], means


def test_parts_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    made = activations._from_value("softsign", softsign, softsign_slope)
    monkeypatch.setitem(activations.ACTIVATIONS, "softsign", made)
    loss = losses.Loss(pointwise.pointwise(quartic), pointwise.identity)
    monkeypatch.setitem(losses.LOSSES, "quartic", loss)
    monkeypatch.setitem(rules.RULES, "sign_descent", rules._rule(sign_descent))

    weights = [w.astype(np.float64) for w in random_weights(4, 9, 2)]
    y = X[:, :2].astype(np.float64) + 3
    dtype = np.dtype("float64")
    network = Network(weights, dtype, ("softsign",)).restarted("sign_descent")
    outputs = Outputs(Quartic(), 2, centre=np.zeros(2), spread=np.ones(2), flat=False)
    settings = fit_settings(hidden=9, batch_size=ROWS, dtype="float64")
    encoding = Encoding(Inputs(Columns(4)), outputs)
    data = FitData(X.astype(dtype), outputs.encode(RawTargets(y), dtype), encoding, settings)
    run = TrainingRun(network, data)
    wanted, means = expected(weights, y, epochs=2)
    for mean in means:
        network, statistics = run.epoch(
            network, np.arange(len(X)), np.full(run.updates_per_epoch, RATE)
        )
        assert outputs.summed_up(statistics.means).loss == pytest.approx(mean, rel=1e-9)
    for got, want in zip(network.get_weights(), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


def test_their_code_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files go by the sources of the package: they would not tell of a change elsewhere."""
    asked: list[str] = []
    monkeypatch.setattr(jit, "save_object", lambda symbol, code: asked.append(symbol))
    monkeypatch.setattr(jit, "load_object", asked.append)
    made = activations._from_value("softsign", softsign, softsign_slope)
    loss = pointwise.pointwise(quartic), pointwise.output(softsign)
    for kernel in (rules._rule(sign_descent).kernel, made.values, made.derivative, *loss):
        assert jit.kernel_of(kernel).address(jit.types.float32)
    assert asked == []
