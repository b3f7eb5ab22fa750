"""Whole runs with each activation, and with another one in each layer, against the reference."""

import numpy as np
import pytest

from fastmlp.kernels.plugins.activations import ACTIVATIONS
from tests.helpers import reference
from tests.helpers.basics import needs_compiler
from tests.helpers.networks import DTYPES, TOLERANCE, problem, trainer_from
from tests.helpers.rules import RULES

pytestmark = needs_compiler

MIXED = [("tanh", "relu", "gelu"), ("identity", "mish", "logistic"), ("silu", "softplus", "elu")]
NETWORKS = [(names, (31, 33, 9, 21, 5)) for names in MIXED]
NETWORKS += [((name,), (9, 67, 3)) for name in ACTIVATIONS]
# Few units, in layers of several panels too, and deltas of few rows.
NETWORKS += [((name, name), (5, 150, 2, 4)) for name in ("softplus", "identity", "gelu")]


@pytest.mark.parametrize("batch_size", [3, 40])
@pytest.mark.parametrize("rule", ["sgd", "adam"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("names", "sizes"), NETWORKS)
def test_run(
    names: tuple[str, ...], sizes: tuple[int, ...], dtype: str, rule: str, batch_size: int
) -> None:
    weights, X, labels = problem(sizes, 97)
    options, step, step_options, _ = RULES[rule]
    trainer = trainer_from(
        weights, **options, dtype=dtype, epochs=2, batch_size=batch_size, shuffle=False,
        activation=names, hidden=sizes[1:-1],
    )  # fmt: skip
    trainer.fit(X, labels)
    wanted, history = reference.train(
        weights, X, labels, epochs=2, batch_size=batch_size, activations=list(names), step=step,
        **step_options,
    )  # fmt: skip
    tolerance = 10 * TOLERANCE[dtype]
    for got, want in zip(trainer.get_weights(), wanted, strict=True):
        assert np.abs(got - want).max() <= tolerance * np.abs(want).max()
    np.testing.assert_allclose(trainer.history["loss"], history["loss"], rtol=tolerance)
    probabilities = reference.softmax(reference.forward(wanted, X, list(names))[-1])
    np.testing.assert_allclose(trainer.predict_proba(X), probabilities, rtol=0, atol=tolerance)


@pytest.mark.threading
@pytest.mark.parametrize("names", MIXED)
def test_threads_change_nothing(names: tuple[str, ...]) -> None:
    weights, X, labels = problem((31, 133, 9, 121, 5), 97)
    results = []
    for threads in (1, 2):
        trainer = trainer_from(
            weights,
            epochs=2,
            batch_size=32,
            threads=threads,
            activation=names,
            hidden=(133, 9, 121),
        )
        trainer.fit(X, labels)
        results.append(trainer.get_weights())
    for one, two in zip(*results, strict=True):
        assert np.array_equal(one, two)
