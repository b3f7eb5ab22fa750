"""Fits on sparse rows are those on the same rows as an array."""

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from fastmlp import MLPClassifier, MLPRegressor, Trainer
from fastmlp.fitting import epoch, memory, missed_updates
from fastmlp.kernels.runs.launch import Job
from fastmlp.optimizers import SGD
from tests.helpers.basics import Array, needs_compiler
from tests.helpers.models import numbers, same_weights
from tests.helpers.networks import assert_close
from tests.helpers.rows import mostly_zero
from tests.helpers.rules import RULES, decaying

pytestmark = [needs_compiler, pytest.mark.filterwarnings("ignore::fastmlp.FitWarning")]

TOLERANCE = 1e-9
HIDDEN: list[tuple[int, ...]] = [(), (31,), (128,), (33, 65)]
EXTRAS: dict[str, dict[str, Any]] = {
    "nothing": {}, "l2": {"l2": 1e-2}, "l1": {"l1": 1e-3}, "decay": {"decay": 0.1},
    "clipping": {"clip_norm": 0.05}, "clipped penalties": {"clip_norm": 0.05, "l2": 1e-2},
    "clipped decay": {"clip_norm": 0.05, "decay": 0.1},
}  # fmt: skip


def problem(n: int = 100, d: int = 40, density: float = 0.1, classes: int = 3) -> Any:
    rng = np.random.default_rng(d)
    return mostly_zero(rng, n, d, density), rng.integers(classes, size=n)


def trainer(**options: Any) -> Trainer:
    settings: dict[str, Any] = {
        "hidden": (31,), "scaling": None, "dtype": "float64", "epochs": 3, "batch_size": 16,
        "seed": 0,
    }  # fmt: skip
    return Trainer(**(settings | options))


def of_rule(rule: str, extra: str = "nothing") -> dict[str, Any]:
    """Options of a trainer."""
    options = RULES[rule].options | EXTRAS[extra]
    decay = options.pop("decay", 0.0)
    if decay:
        options["optimizer"] = decaying(options["optimizer"], decay)
    return options


def assert_same_fit(X: Array, y: Array, **options: Any) -> None:
    """Weights, state, history and predictions."""
    given = csr_matrix(X)
    dense, sparse = trainer(**options).fit(X, y), trainer(**options).fit(given, y)
    ours, wanted = (t.model_.network for t in (sparse, dense))
    for name in ("packed", "state"):
        if getattr(wanted, name).size:
            assert_close(getattr(ours, name), getattr(wanted, name), TOLERANCE, name)
    for name, values in numbers(dense.history).items():
        assert_close(np.array(sparse.history[name]), np.array(values), TOLERANCE, name)
    for rows in (slice(None), slice(1), slice(3, 4)):
        scores = dense.decision_function(X[rows])
        assert_close(sparse.decision_function(given[rows]), scores, TOLERANCE, "scores")
    assert sparse.evaluate(given, y) == pytest.approx(dense.evaluate(X, y), rel=TOLERANCE)


@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_rules(hidden: tuple[int, ...], rule: str, extra: str) -> None:
    assert_same_fit(*problem(), hidden=hidden, **of_rule(rule, extra))


@pytest.mark.parametrize("rule", ["sgd", "adam"])
@pytest.mark.parametrize("hidden", [(), (9,), (128,)])
@pytest.mark.parametrize("density", [0, 0.05, 1])
@pytest.mark.parametrize("batch_size", [1, 7, 100])
@pytest.mark.parametrize("d", [1, 2, 9, 127, 3000])
def test_shapes(d: int, batch_size: int, density: float, hidden: Any, rule: str) -> None:
    X, y = problem(33, d, density)
    assert_same_fit(X, y, hidden=hidden, batch_size=batch_size, epochs=2, **of_rule(rule))


@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize("rule", ["sgd", "momentum", "amsgrad", "adagrad"])
@pytest.mark.parametrize("hidden", [(), (33, 65)])
def test_batches_of_several_chunks(
    hidden: Any, rule: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MAX_CHUNK", 9)
    # The last batch is one short chunk.
    X, y = problem(105, 60)
    assert_same_fit(X, y, hidden=hidden, batch_size=20, **of_rule(rule, extra))


@pytest.mark.parametrize("rule", ["sgd", "adam"])
@pytest.mark.parametrize("hidden", [(), (33, 65)])
def test_dropout_of_features(hidden: Any, rule: str) -> None:
    assert_same_fit(*problem(), hidden=hidden, dropout=(0.3, *[0.2] * len(hidden)), **of_rule(rule))


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle", "coslog4"])
@pytest.mark.parametrize("rule", ["momentum", "nesterov", "adam", "amsgrad", "rmsprop", "lion"])
def test_long_gaps(rule: str, schedule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Features that are rare: their weights settle, where the rates allow to say when."""
    seen: list[int] = []
    settled = missed_updates.MissedUpdates._settled
    monkeypatch.setattr(
        missed_updates.MissedUpdates, "_settled",
        lambda *args: seen.append(settled(*args)) or seen[-1],
    )  # fmt: skip
    options = of_rule(rule)
    if rule in ("adam", "amsgrad"):
        options["optimizer"] = type(options["optimizer"])(beta1=0.6, epsilon=1e-6)
    if rule == "momentum":
        options["optimizer"] = SGD(momentum=0.6)
    X, y = problem(900, 300, 0.004)
    assert_same_fit(X, y, batch_size=4, schedule=schedule, epochs=2, **options)
    assert (min(seen) < 150) == (rule in ("momentum", "adam", "amsgrad"))


@pytest.mark.parametrize("least", [0.0, 5e-324, 1e-300])
def test_rates_that_nearly_vanish(least: float) -> None:
    options = of_rule("momentum")
    del options["learning_rate"]
    rate = lambda update: 0.05 if update % 3 else least  # noqa: E731
    assert_same_fit(*problem(), schedule=rate, **options)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("batch_size", [16, 50])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("hidden", [(), (9,)])
@pytest.mark.filterwarnings("ignore")
def test_penalties_in_the_loss(
    hidden: Any, kind: Any, batch_size: int, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The penalty of all weights at each batch, as scikit-learn records it."""
    monkeypatch.setattr(memory, "MAX_CHUNK", 20)
    X, y = problem()
    w = np.random.default_rng(0).uniform(0.5, 2, len(X)) if weighted else None
    X, y = X.astype(np.float64), y if kind is MLPClassifier else y.astype(np.float64)
    for solver in ("adam", "sgd", "lbfgs"):
        options = {
            "hidden_layer_sizes": hidden, "alpha": 0.1, "max_iter": 4, "random_state": 0,
            "batch_size": batch_size, "solver": solver,
        }  # fmt: skip
        dense, sparse = (kind(**options).fit(rows, y, w) for rows in (X, csr_matrix(X)))
        for ours, wanted in zip(sparse.coefs_, dense.coefs_, strict=True):
            assert_close(ours, wanted, 1e-6 if solver == "lbfgs" else TOLERANCE, solver)
        assert sparse.loss_ == pytest.approx(dense.loss_, rel=1e-9)
        if solver != "lbfgs":
            assert sparse.loss_curve_ == pytest.approx(dense.loss_curve_, rel=1e-9)


def test_gradient() -> None:
    X, y = problem()
    for hidden in HIDDEN:
        fitted = trainer(hidden=hidden).fit(X, y)
        (loss, gradient), (wanted, exact) = (
            fitted.loss_and_gradient(rows, y) for rows in (csr_matrix(X), X)
        )
        assert loss == pytest.approx(wanted, rel=1e-12)
        for ours, theirs in zip(gradient, exact, strict=True):
            assert_close(ours, theirs, TOLERANCE, str(hidden))


# ------------------------------------------------------------------- teams, calls, epochs that end


@pytest.fixture
def short_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel call for every chunk, and for a few features at the end of an epoch."""
    monkeypatch.setattr(epoch, "_FIRST_SLICE_FLOPS", 1.0)
    monkeypatch.setattr(epoch, "SLICE_SECONDS", 1e-9)
    monkeypatch.setattr(missed_updates, "_FIRST_SLICE_WORK", 1e3)
    monkeypatch.setattr(missed_updates, "SLICE_SECONDS", 1e-9)


SEVERAL: dict[str, dict[str, Any]] = {
    "sgd": of_rule("sgd"), "adam": of_rule("adam"), "penalties": of_rule("momentum", "l2"),
    "clipping": of_rule("adam", "clipped decay"),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("several_chunks", [False, True])
@pytest.mark.parametrize("options", SEVERAL.values(), ids=SEVERAL)
def test_teams_do_not_matter(
    options: Any, several_chunks: bool, dtype: str, short_calls: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Bit for bit, even where one call has a team and the next one has none."""
    if several_chunks:
        monkeypatch.setattr(memory, "MAX_CHUNK", 7)
    X, y = problem(100, 300, 0.02)
    given, calls, run = csr_matrix(X), 0, Job.run

    def alone_at_times(job: Job, *, alone: bool = False) -> bool:
        nonlocal calls
        calls += 1
        return run(job, alone=alone or calls % 3 == 0)

    options = options | {"hidden": (128, 9), "dtype": dtype}
    one = trainer(threads=1, **options).fit(given, y)
    for threads in (2, 3):
        other = trainer(threads=threads, **options).fit(given, y)
        assert same_weights(one.get_weights(), other.get_weights())
    monkeypatch.setattr(Job, "run", alone_at_times)
    other = trainer(threads=2, **options).fit(given, y)
    assert calls > 20
    assert same_weights(one.get_weights(), other.get_weights())
    assert numbers(one.history) == numbers(other.history)


@pytest.mark.parametrize("hidden", [(), (31,)])
@pytest.mark.parametrize("several_chunks", [False, True])
@pytest.mark.parametrize("options", SEVERAL.values(), ids=SEVERAL)
def test_a_deadline(
    options: Any, several_chunks: bool, hidden: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An epoch that is cut, perhaps within a batch, counts its whole batches."""
    if several_chunks:
        monkeypatch.setattr(memory, "MAX_CHUNK", 7)
    monkeypatch.setattr(epoch, "chunk_flops", lambda *_: 0)
    monkeypatch.setattr(epoch, "_FIRST_SLICE_FLOPS", 4 * epoch._FLOPS_BESIDE)
    X, y = problem()
    options = options | {"hidden": hidden, "time_budget": 1e-9}
    assert_same_fit(X, y, **options)
    cut = trainer(**options).fit(csr_matrix(X), y)
    assert cut.model_.network.updates == (1 if several_chunks else 4)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("make", [np.asarray, csr_matrix])
@pytest.mark.parametrize("options", SEVERAL.values(), ids=SEVERAL)
def test_a_deadline_within_the_first_batch(
    options: Any, make: Any, short_calls: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One update is the least; none would look as if the training had diverged."""
    monkeypatch.setattr(memory, "MAX_CHUNK", 7)
    X, y = problem()
    cut = trainer(time_budget=1e-9, **options).fit(make(X), y)
    assert cut.model_.network.updates == 1
    assert cut.history["learning_rate"] == [options["learning_rate"]]


@pytest.mark.parametrize("hidden", [(), (31,)])
@pytest.mark.parametrize("options", SEVERAL.values(), ids=SEVERAL)
def test_fits_go_on(options: Any, hidden: Any) -> None:
    X, y = problem()
    options = options | {"hidden": hidden, "warm_start": True, "shuffle": False}
    once = trainer(**options | {"epochs": 6}).fit(csr_matrix(X), y)
    twice = trainer(**options).fit(csr_matrix(X), y).fit(csr_matrix(X), y)
    assert same_weights(once.get_weights(), twice.get_weights())
    assert numbers(once.history) == numbers(twice.history)


@pytest.mark.parametrize("call", [2, 9, 10, 17])  # of an epoch 7 train, others settle
@pytest.mark.parametrize("options", SEVERAL.values(), ids=SEVERAL)
def test_an_interrupted_epoch_leaves_no_trace(
    options: Any, call: int, short_calls: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = problem(100, 300, 0.02)
    given, calls, run = csr_matrix(X), 0, Job.run

    def interrupted(*args: Any, **kwargs: Any) -> bool:
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt
        return run(*args, **kwargs)

    whole = trainer(**options).fit(given, y)
    model = trainer(**options, warm_start=True)
    with monkeypatch.context() as patch:
        patch.setattr(Job, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.fit(given, y)
    model.epochs = 3 - model.n_iter_
    model.fit(given, y)
    assert same_weights(model.get_weights(), whole.get_weights())
