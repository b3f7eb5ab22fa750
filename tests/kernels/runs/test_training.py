"""Whole runs of training, and what the trained network says, against the float64 reference.

In this process Numba has as many threads as the machine has processors, so teams of more form
only in the subprocesses of test_team.
"""

from typing import Any

import numpy as np
import pytest

from fastmlp import Trainer
from fastmlp.fitting import epoch
from fastmlp.kernels.products.block_sizes import MANY_SAMPLES, PACKED_INPUTS
from fastmlp.kernels.runs.plan import MAX_CHUNK
from tests.helpers import reference
from tests.helpers.basics import Array, needs_compiler
from tests.helpers.networks import DTYPES, TOLERANCE, assert_close, images, problem, trainer_from
from tests.helpers.rules import RULES

pytestmark = needs_compiler

# Layer sizes, rows, batch size.
RUNS = [
    ((1, 2), 5, 1),
    ((2, 3), 10, 4),
    ((9, 1000), 40, 15),
    ((1, 1, 2), 7, 1),
    ((2, 9, 3), 31, 64),
    ((9, 31, 2), 33, 33),
    ((31, 33, 10), 50, 16),
    ((127, 130, 5), 64, 9),
    ((33, 9, 1000), 40, 15),
    ((130, 127, 2, 3), 50, 20),
    ((33, 1, 31, 4), 20, 7),
    ((31, 130, 33, 127, 10), 66, 31),
    ((2, 2, 1, 9, 2), 9, 2),
    # The gradient of a batch over several chunks, the last one short.
    ((9, 5), 2 * MAX_CHUNK + 300, MAX_CHUNK + 200),
    ((13, 33, 4), 2 * MAX_CHUNK + 300, 2 * MAX_CHUNK + 1),
    ((9, 31, 2, 3), 2 * MAX_CHUNK, 2 * MAX_CHUNK),
    # Inputs transposed for the update, in several blocks, and not for the short last batch.
    pytest.param(
        (PACKED_INPUTS + 37, 300, 290, 3), 2 * MANY_SAMPLES + 51, MANY_SAMPLES + 13,
        marks=pytest.mark.costly,
    ),
]  # fmt: skip


def permutations(seed: int, n: int, epochs: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [rng.permutation(n) for _ in range(epochs)]


def assert_same_run(trainer: Trainer, wanted: tuple[list[Array], Any], dtype: str) -> None:
    weights, history = wanted
    tolerance = TOLERANCE[dtype]
    np.testing.assert_allclose(trainer.history["loss"], history["loss"], rtol=tolerance, atol=0)
    # A mean of ones and zeros: any other number of correct predictions is off by far more.
    np.testing.assert_allclose(trainer.history["accuracy"], history["accuracy"], rtol=1e-12, atol=0)
    for index, (ours, w) in enumerate(zip(trainer.get_weights(), weights, strict=True)):
        assert ours.dtype == dtype
        assert_close(ours, w, tolerance, f"{'Wb'[index % 2]}{index // 2 + 1}")


# -------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("sizes", "n", "batch_size"), RUNS)
def test_run(sizes: tuple[int, ...], n: int, batch_size: int, rule: str, dtype: str) -> None:
    options, step, step_options, _ = RULES[rule]
    weights, X, labels = problem(sizes, n)
    trainer = trainer_from(weights, dtype=dtype, epochs=3, batch_size=batch_size, **options)
    trainer.fit(X, labels)
    wanted = reference.train(
        weights, X, labels, epochs=3, batch_size=batch_size, step=step, **step_options
    )
    assert_same_run(trainer, wanted, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("sizes", [(9, 3), (33, 130, 3), (33, 130, 127, 3)])
def test_shuffled_run(sizes: tuple[int, ...], rule: str, dtype: str) -> None:
    options, step, step_options, _ = RULES[rule]
    weights, X, labels = problem(sizes, n=100)
    trainer = trainer_from(
        weights, dtype=dtype, epochs=4, batch_size=32, shuffle=True, seed=5, **options
    )
    trainer.fit(X, labels)
    wanted = reference.train(
        weights, X, labels, epochs=4, batch_size=32, orders=permutations(5, n=100, epochs=4),
        step=step, **step_options,
    )  # fmt: skip
    assert_same_run(trainer, wanted, dtype)


@pytest.mark.parametrize("initializer", ["glorot_uniform", "he_normal", "normal"])
def test_run_from_the_seed_alone(initializer: str) -> None:
    _, X, labels = problem((9, 31, 5, 3), n=50)
    options: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 0.01, "dtype": "float64"}
    trainer = Trainer(
        (31, 5), initializer=initializer, seed=11, epochs=3, batch_size=16, **options
    ).fit(X, labels)
    rng = np.random.default_rng(11)
    weights = reference.initialize(rng, [9, 31, 5, 3], initializer)
    orders = [rng.permutation(50) for _ in range(3)]
    wanted = reference.train(
        weights, X, labels, epochs=3, batch_size=16, orders=orders, learning_rate=0.01
    )
    assert_same_run(trainer, wanted, "float64")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES)
def test_fifty_steps(rule: str, dtype: str) -> None:
    options, step, step_options, _ = RULES[rule]
    weights, X, labels = problem((127, 64, 10), n=320)
    trainer = trainer_from(weights, dtype=dtype, epochs=5, batch_size=32, **options)
    trainer.fit(X, labels)
    wanted = reference.train(weights, X, labels, epochs=5, batch_size=32, step=step, **step_options)
    assert_same_run(trainer, wanted, dtype)


@pytest.mark.threading
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("sizes", [(33, 10), (33, 300, 10), (33, 300, 270, 290, 10)])
def test_run_by_several_threads(sizes: tuple[int, ...], threads: int, dtype: str) -> None:
    options, step, step_options, _ = RULES["momentum"]
    weights, X, labels = problem(sizes, n=50)
    trainer = trainer_from(
        weights, dtype=dtype, epochs=2, batch_size=16, threads=threads, **options
    ).fit(X, labels)
    wanted = reference.train(weights, X, labels, epochs=2, batch_size=16, step=step, **step_options)
    assert_same_run(trainer, wanted, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("hidden", [(), (33,), (130, 9)])
def test_uint8_rows(hidden: tuple[int, ...], rule: str, dtype: str) -> None:
    options, step, step_options, _ = RULES[rule]
    weights, _, labels = problem((127, *hidden, 10), n=50)
    weights[0] /= 256
    # As large as the pixels are small.
    rates = {"learning_rate": step_options["learning_rate"] / 256}
    X = images(50, 127)
    trainer = trainer_from(
        weights, dtype=dtype, epochs=3, batch_size=16, **{**options, **rates}
    ).fit(X, labels)
    wanted = reference.train(
        weights, X, labels, epochs=3, batch_size=16, step=step, **{**step_options, **rates}
    )
    assert_same_run(trainer, wanted, dtype)

    as_floats = trainer_from(
        weights, dtype=dtype, epochs=3, batch_size=16, **{**options, **rates}
    ).fit(X.astype(dtype), labels)
    assert_bitwise_same(trainer, as_floats)
    assert np.array_equal(trainer.predict_proba(X), trainer.predict_proba(X.astype(dtype)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", ["sgd", "adam"])
@pytest.mark.parametrize("kind", ["uint8", "in place"])
@pytest.mark.parametrize(
    ("d", "batch_size"),
    [(1, 5), (5, 1), (6, 64), (7, 65), (63, 9), (64, 128), (65, 2), (127, 33), (400, 130)],
)
def test_skipping_zeros_changes_nothing(
    d: int, batch_size: int, kind: str, rule: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether there are many or few, in blocks of any size."""
    n = 150
    rows = images(n, d)
    rows[:, d // 2 :] += images(n, d - d // 2)[::-1]  # denser on the right
    _, X, labels = problem((d, 3), n)
    for given in (rows, np.zeros_like(rows), X if kind == "in place" else rows | 1):
        given = given if kind == "uint8" else given.astype(dtype)
        runs = []
        for skipping in (True, False):
            monkeypatch.setattr("fastmlp.fitting.zeros.has_many_zeros", lambda X, s=skipping: s)
            trainer = Trainer(
                (40, 9), dtype=dtype, seed=4, epochs=2, batch_size=batch_size, threads=2,
                **{**RULES[rule].options, "learning_rate": 1e-4},
            )  # fmt: skip
            runs.append(trainer.fit(given, labels))
        assert_bitwise_same(*runs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", [(), (33,)])
@pytest.mark.parametrize("kind", ["uint8", "float64"])
def test_a_factor(kind: str, hidden: tuple[int, ...], dtype: str) -> None:
    options, step, step_options, _ = RULES["momentum"]
    weights, _, labels = problem((65, *hidden, 10), n=120)
    X, scale = images(120, 65).astype(kind), 2.0**-8
    trainer = trainer_from(
        weights, dtype=dtype, epochs=3, batch_size=16, scaling=scale, **options
    ).fit(X, labels)
    wanted = reference.train(
        weights, scale * X, labels, epochs=3, batch_size=16, step=step, **step_options
    )
    assert_same_run(trainer, wanted, dtype)

    plain = trainer_from(wanted[0], dtype=dtype)
    trainer.set_weights(wanted[0])
    scaled = (scale * X).astype(dtype)
    assert np.array_equal(trainer.predict_proba(X), plain.predict_proba(scaled))
    assert trainer.evaluate(X, labels) == plain.evaluate(scaled, labels)


@pytest.mark.parametrize("rule", ["sgd", "momentum"])
def test_small_steps_add_up(rule: str) -> None:
    """What one sample adds may be below the precision of a weight, what a batch adds is not.

    So a gradient has to be summed before it meets the weights.
    """
    weights, X, labels = problem((100, 64, 10), n=MAX_CHUNK)
    X = np.abs(X) * np.float32(0.3)
    options = {**RULES[rule].options, "learning_rate": 1e-4, "batch_size": MAX_CHUNK, "epochs": 20}
    single, double = (
        trainer_from(weights, dtype=dtype, **options).fit(X, labels).get_weights()
        for dtype in DTYPES
    )
    for start, w, exact in zip(weights, single, double, strict=True):
        error, way = np.linalg.norm(w - exact), np.linalg.norm(exact - start)
        assert error <= 0.03 * way


def test_many_short_slices_of_an_epoch() -> None:
    """Python looks for interrupts between slices of about 0.1 s, here of one batch each."""
    weights, X, labels = problem((9, 31, 3), n=200)
    runs = []
    for first_slice in (1.0, 1e9):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("fastmlp.fitting.epoch._FIRST_SLICE_FLOPS", first_slice)
            patch.setattr(
                "fastmlp.fitting.epoch.SLICE_SECONDS", 1e-9 if first_slice == 1.0 else 0.1
            )
            runs.append(trainer_from(weights, epochs=2, batch_size=3).fit(X, labels))
    assert_bitwise_same(*runs)


# ----------------------------------------------------------------------------- the same, bitwise


def assert_bitwise_same(one: Trainer, other: Trainer) -> None:
    for w, v in zip(one.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(w, v)
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert one.history.get(name) == other.history.get(name), name


@pytest.mark.threading
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("hidden", "batch_size"), [((), 16), (300, 31), ((300, 290), MAX_CHUNK * 2)]
)
def test_threads_do_not_change_the_result(
    hidden: Any, batch_size: int, rule: str, dtype: str
) -> None:
    _, X, labels = problem((131, 10), n=2 * MAX_CHUNK + 300 if batch_size > MAX_CHUNK else 100)
    runs = [
        Trainer(
            hidden, threads=threads, dtype=dtype, seed=2, epochs=2, batch_size=batch_size,
            validation_fraction=0.1, **RULES[rule].options,
        ).fit(X, labels)
        for threads in (1, 2, 4, 8)
    ]  # fmt: skip
    for run in runs[1:]:
        assert_bitwise_same(runs[0], run)


def test_cutting_an_epoch_into_calls_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are cut by the clock: losses must not depend on where."""
    _, X, labels = problem((13, 4), n=500)
    options: dict[str, Any] = {"hidden": 33, "seed": 1, "epochs": 2, "batch_size": 7}
    whole = Trainer(**options).fit(X, labels)
    monkeypatch.setattr(epoch, "_FIRST_SLICE_FLOPS", 6e4)  # two batches, then eight, then 32
    assert_bitwise_same(whole, Trainer(**options).fit(X, labels))


@pytest.mark.threading
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_seed_gives_one_result(dtype: str) -> None:
    _, X, labels = problem((31, 4), n=80)
    options: dict[str, Any] = {"optimizer": "adam", "epochs": 2, "batch_size": 13, "seed": 9}
    runs = [
        Trainer((200, 150), dtype=dtype, threads=threads, **options).fit(X, labels)
        for threads in (1, 2, 4, 8)
        for _ in range(20)
    ]
    for run in runs[1:]:
        assert_bitwise_same(runs[0], run)


# ------------------------------------------------------------------------------------ prediction

PREDICTIONS = [
    ((1, 2), 1),
    ((2, 1, 3), 2),
    ((9, 31, 2), 95),
    ((127, 130, 10), 97),
    ((33, 9, 1000), 193),
    ((31, 33, 130, 2, 9), 500),
]


@pytest.mark.threading
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize(("sizes", "n"), PREDICTIONS)
def test_predictions(sizes: tuple[int, ...], n: int, threads: int, dtype: str) -> None:
    weights, X, labels = problem(sizes, n)
    trainer = trainer_from(weights, dtype=dtype, threads=threads)
    logits = reference.forward(weights, X)[-1]
    probabilities = reference.softmax(logits)

    ours = trainer.predict_proba(X)
    assert ours.dtype == dtype
    assert_close(ours, probabilities, TOLERANCE[dtype], "probabilities")
    assert np.array_equal(trainer.predict(X), logits.argmax(axis=1))
    result = trainer.evaluate(X, labels)
    loss, accuracy = (
        reference.cross_entropy(logits, labels), reference.accuracy(logits, labels)
    )  # fmt: skip
    assert result["loss"] == pytest.approx(loss, rel=TOLERANCE[dtype], abs=0)
    assert result["accuracy"] == trainer.score(X, labels) == pytest.approx(accuracy, rel=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_has_one_prediction(dtype: str) -> None:
    """At any place in X, beside any other row."""
    weights, X, _ = problem((31, 130, 10), n=300)
    trainer = trainer_from(weights, dtype=dtype)
    together = trainer.predict_proba(X)
    assert np.array_equal(trainer.predict_proba(X[::-1])[::-1], together)
    for i in (0, 95, 96, 299):
        assert np.array_equal(trainer.predict_proba(X[i : i + 1])[0], together[i])


@pytest.mark.parametrize("dtype", DTYPES)
def test_validation_is_an_evaluation(dtype: str) -> None:
    _, X, labels = problem((9, 3), n=250)
    trainer = Trainer(31, dtype=dtype, seed=0, epochs=3).fit(
        X[:50], labels[:50], validation_data=(X[50:], labels[50:])
    )
    result = trainer.evaluate(X[50:], labels[50:])
    assert trainer.history["val_loss"][-1] == result["loss"]
    assert trainer.history["val_accuracy"][-1] == result["accuracy"]
    logits = reference.forward([w.astype(float) for w in trainer.get_weights()], X[50:])[-1]
    wanted = reference.cross_entropy(logits, labels[50:])
    assert result["loss"] == pytest.approx(wanted, rel=TOLERANCE[dtype])
