"""Networks of features with bins against the float64 reference, whose inputs are all bins."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from fastmlp import Trainer
from fastmlp.fitting import memory
from fastmlp.inputs import Scaling
from fastmlp.inputs.bins import Bins, bins_between
from fastmlp.network.input_reader import knots_in
from tests.helpers import reference
from tests.helpers.basics import Array, needs_compiler
from tests.helpers.models import same_weights
from tests.helpers.networks import DTYPES, TOLERANCE, assert_close, problem, trainer_from
from tests.helpers.rules import RULES

pytestmark = needs_compiler

NONE = np.empty(0)
# Many bins, one, narrow ones, uneven ones. All are numbers that float32 holds exactly.
EVEN, ONE = np.linspace(-2, 2, 17), np.array([0.0, 1.0])
NARROW = np.array([0.5, 0.5 + 2**-20, 0.5 + 2**-19, 1])
UNEVEN = np.cumsum(np.arange(1, 22)) / 64 - 2
FEATURES = {
    "some": [EVEN, NONE, ONE, NONE, NONE, NARROW, UNEVEN, NONE],
    "one": [EVEN],
    "all but one": [NONE, UNEVEN, EVEN, ONE, NARROW],
    "one of many": [NONE, NONE, EVEN, NONE],
    "all": [EVEN, ONE, NARROW, UNEVEN] * 5,
}


class Problem(NamedTuple):
    """Rows of features, the same with their bins, and a network for both."""

    X: Array
    bins: Bins
    beside: Array
    weights: list[Array]
    labels: Array

    @property
    def known(self) -> Scaling:
        return Scaling("piecewise", bins=self.bins)

    def fitted(self, dtype: str = "float64", **options: Any) -> Trainer:
        trainer = trainer_from(self.weights, known=self.known, dtype=dtype, **options)
        assert knots_in(trainer.model_.network, trainer.scaling_) is not None
        return trainer.fit(self.X.astype(dtype), self.labels)

    def plain(self, **options: Any) -> Trainer:
        """The same network on all bins, which the reference knows."""
        trainer = trainer_from(self.weights, dtype="float64", scaling=None, **options)
        return trainer.fit(self.beside, self.labels)


def made(features: str, hidden: tuple[int, ...], n: int, classes: int = 3) -> Problem:
    cuts, rng = FEATURES[features], np.random.default_rng(n)
    X = rng.normal(size=(n, len(cuts)))
    for j, own in enumerate(cuts):
        if len(own):
            X[: n // 2, j] = rng.uniform(own[0], own[-1], n // 2)
            X[::3, j] = own[np.arange(len(X[::3])) % len(own)]  # on the cuts
        else:
            X[:, j] = X[:, j] > 0
    X[n // 2 :: 9] *= 30  # far beyond
    bins = bins_between(cuts)
    X = X.astype(np.float32).astype(np.float64)
    weights, _, labels = problem((len(cuts) + bins.count, *hidden, classes), n)
    return Problem(X, bins, bins.beside(X), weights, labels)


# Features, hidden units, rows, batch size.
RUNS = [
    ("some", (9,), 50, 16), ("some", (127, 33), 70, 70), ("one", (1,), 31, 7),
    ("all but one", (130,), 64, 1), ("one of many", (33, 31, 2), 40, 33),
    ("all", (100,), 150, 64), ("all", (31,), 9, 9),
]  # fmt: skip


# A step of Lion is a sign: in float32 some are other ones, as with all bins as inputs.
SMOOTH = [rule for rule in RULES if rule != "lion"]


@pytest.mark.parametrize(
    ("rule", "dtype"),
    [*((rule, "float64") for rule in RULES), *((rule, "float32") for rule in SMOOTH)],
)
@pytest.mark.parametrize(("features", "hidden", "n", "batch_size"), RUNS)
def test_run(
    features: str, hidden: tuple[int, ...], n: int, batch_size: int, rule: str, dtype: str
) -> None:
    options, step, step_options, _ = RULES[rule]
    given = made(features, hidden, n)
    ours = given.fitted(dtype, epochs=3, batch_size=batch_size, **options)
    weights, history = reference.train(
        given.weights, given.beside, given.labels, epochs=3, batch_size=batch_size, step=step,
        **step_options,
    )  # fmt: skip
    tolerance = TOLERANCE[dtype]
    np.testing.assert_allclose(ours.history["loss"], history["loss"], rtol=tolerance, atol=0)
    for index, (got, wanted) in enumerate(zip(ours.get_weights(), weights, strict=True)):
        assert_close(got, wanted, tolerance, f"{'Wb'[index % 2]}{index // 2 + 1}")


@pytest.mark.parametrize("chunk", [1024, 13])
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {}, {"l2": 0.01, "l1": 0.001}, {"clip_norm": 0.05}, {"activation": "gelu"},
        {"optimizer": "adamw", "clip_norm": 0.1, "l2": 0.01}, {"optimizer": "sgd"},
        {"dropout": (0, 0.3, 0.2)},
    ],
    ids=str,
)  # fmt: skip
def test_what_else_happens_in_an_update(
    options: dict[str, Any], threads: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MAX_CHUNK", chunk)
    given = made("some", (100, 37), 90)
    options = {"hidden": (100, 37), "epochs": 3, "batch_size": 40, "seed": 0, **options}
    weights = np.random.default_rng(0).uniform(0.5, 2, 90)
    ours = trainer_from(given.weights, known=given.known, dtype="float64", **options)
    ours.threads = threads
    ours.fit(given.X, given.labels, sample_weight=weights)
    other = trainer_from(given.weights, scaling=None, dtype="float64", **options)
    other.fit(given.beside, given.labels, sample_weight=weights)
    for got, wanted in zip(ours.get_weights(), other.get_weights(), strict=True):
        assert_close(got, wanted, 1e-9, str(options))
    assert ours.history["loss"] == pytest.approx(other.history["loss"], rel=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("features", FEATURES)
def test_outputs(features: str, dtype: str) -> None:
    given = made(features, (70, 9), 205)
    model = trainer_from(given.weights, known=given.known, dtype=dtype)
    wanted = reference.forward(given.weights, given.beside)[-1]
    X = given.X.astype(dtype)
    logits = model.decision_function(X)
    assert_close(logits, wanted, TOLERANCE[dtype], "logits")
    call, probabilities = model.compiled(), model.predict_proba(X)
    for count in (1, 2, 95, 97, 205):
        assert np.array_equal(model.decision_function(X[:count]), logits[:count])
        assert np.array_equal(call(X[:count]), probabilities[:count])


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradient(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_CHUNK", 33)
    given = made("all but one", (50,), 95)
    ours = trainer_from(given.weights, known=given.known, dtype=dtype)
    plain = trainer_from(given.weights, scaling=None, dtype="float64")
    loss, gradient = ours.loss_and_gradient(given.X.astype(dtype), given.labels)
    wanted_loss, wanted = plain.loss_and_gradient(given.beside, given.labels)
    assert loss == pytest.approx(wanted_loss, rel=TOLERANCE[dtype])
    for got, right in zip(gradient, wanted, strict=True):
        assert_close(got, right, TOLERANCE[dtype], "gradient")


@pytest.mark.parametrize("hidden", [(9,), (100,), (300,)])
def test_threads_change_nothing(hidden: tuple[int, ...]) -> None:
    given = made("all", hidden, 300)
    one, three = (given.fitted("float32", epochs=2, batch_size=64, threads=k) for k in (1, 3))
    assert same_weights(one.get_weights(), three.get_weights())


def test_other_weights_are_seen() -> None:
    """The values at knots follow the weights."""
    given = made("some", (9,), 60)
    model = given.fitted(epochs=1)
    before = model.decision_function(given.X)
    model.fit(given.X, given.labels)
    wanted = reference.forward(model.get_weights(), given.beside)[-1]
    assert_close(model.decision_function(given.X), wanted, 1e-9, "logits")
    assert not np.allclose(before, wanted)
    model.set_weights(given.weights, scaling=given.known)
    wanted = reference.forward(given.weights, given.beside)[-1]
    assert_close(model.decision_function(given.X), wanted, 1e-9, "logits")
