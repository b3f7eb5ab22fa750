"""Weights of samples and of classes: what they stand for, and what cannot be one."""

from typing import Any

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from fastmlp import Trainer, losses
from fastmlp.optimizers import SGD
from tests.helpers.basics import NAN, Array, needs_compiler

# A few steps on such targets deserve it.
pytestmark = [needs_compiler, pytest.mark.filterwarnings("ignore::fastmlp.FitWarning")]

ROWS = 41
_rng = np.random.default_rng(0)
X = _rng.normal(size=(ROWS, 5))
COUNTS = np.arange(ROWS) % 4  # how often each row counts: also never
LABELS = np.where(X[:, 0] + _rng.normal(size=ROWS) > 0, 2, _rng.integers(2, size=ROWS))
NUMBERS = 300 + 20 * (X @ _rng.normal(size=(5, 2))) + _rng.normal(size=(ROWS, 2)) * [3, 30]

# A loss by its name or as an object, and its targets.
PROBLEMS: dict[str, tuple[Any, Array]] = {
    "classes": ("softmax_cross_entropy", LABELS),
    "one-hot": ("softmax_cross_entropy", np.eye(3, dtype=int)[LABELS]),
    "shares": ("softmax_cross_entropy", _rng.dirichlet(np.ones(3), ROWS)),
    "pair": ("binary_cross_entropy", np.array(["no", "yes"])[LABELS // 2]),
    "labels": ("binary_cross_entropy", np.stack([LABELS == 0, LABELS < 2], axis=1).astype(int)),
    "squared_error": ("squared_error", NUMBERS),
    "absolute_error": ("absolute_error", NUMBERS[:, 0]),
    "huber": (losses.Huber(20.0), NUMBERS),
    "quantile": (losses.Quantile((0.2, 0.7)), NUMBERS[:, 1]),
    "poisson": ("poisson", _rng.poisson(np.exp(X[:, :2]) + 2)),
}
CLASSES = ("classes", "one-hot", "pair")


def trainer(problem: str, **options: Any) -> Trainer:
    """One whose steps are taken on all rows at once, in the order in which they come."""
    settings: dict[str, Any] = {
        "hidden": 6, "activation": "tanh", "loss": PROBLEMS[problem][0], "epochs": 5, "l2": 0.01,
        "optimizer": SGD(0.1, momentum=0.5), "batch_size": 10_000, "shuffle": False, "seed": 1,
        "dtype": "float64", "scaling": None, "validation_split": "last",
    }  # fmt: skip
    return Trainer(**settings | options)


def assert_same_weights(one: Trainer, other: Trainer, rtol: float = 0) -> None:
    for ours, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * np.abs(theirs).max())


def assert_same_fit(one: Trainer, other: Trainer, rtol: float = 1e-9) -> None:
    assert_same_weights(one, other, rtol)
    assert one.history.keys() == other.history.keys()
    for name in one.history.keys() - {"seconds"}:
        np.testing.assert_allclose(one.history[name], other.history[name], rtol, rtol, err_msg=name)


# ------------------------------------------------------------------------------------- repetition


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_weight_counts_as_so_many_rows(problem: str) -> None:
    _, Y = PROBLEMS[problem]
    weighted = trainer(problem).fit(X, Y, sample_weight=COUNTS)
    repeated = trainer(problem).fit(X.repeat(COUNTS, axis=0), Y.repeat(COUNTS, axis=0))
    assert_same_fit(weighted, repeated)
    # Not as if there were no weights.
    plain = trainer(problem).fit(X, Y).history["loss"]
    assert np.abs(np.divide(weighted.history["loss"], plain) - 1).min() > 1e-5


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_row_of_weight_zero_is_left_out(problem: str) -> None:
    """Its features and its target may be anything."""
    _, Y = PROBLEMS[problem]
    weights = np.random.default_rng(1).uniform(0.1, 2, ROWS) * (COUNTS > 0)
    rows, targets = X.copy(), Y.copy()
    rows[COUNTS == 0] = 1e6
    if problem in ("squared_error", "absolute_error", "huber", "quantile"):
        targets[COUNTS == 0] = 1e9
    kept = weights > 0
    options = {"batch_size": 7, "shuffle": True, "validation_fraction": 0.2}
    one = trainer(problem, **options).fit(rows, targets, sample_weight=weights)
    other = trainer(problem, **options).fit(X[kept], Y[kept], sample_weight=weights[kept])
    assert_same_fit(one, other, rtol=0)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_only_shares_of_the_total_count(problem: str) -> None:
    _, Y = PROBLEMS[problem]
    weights = np.random.default_rng(1).uniform(0.1, 2, ROWS)
    options = {"batch_size": 7}
    one = trainer(problem, **options).fit(X, Y, sample_weight=weights)
    other = trainer(problem, **options).fit(X, Y, sample_weight=1000 * weights)
    assert_same_fit(one, other)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_equal_weights_are_none(problem: str) -> None:
    _, Y = PROBLEMS[problem]
    options = {"batch_size": 7}
    one = trainer(problem, **options).fit(X, Y, sample_weight=np.full(ROWS, 3))
    assert_same_fit(one, trainer(problem, **options).fit(X, Y))


@pytest.mark.parametrize("problem", PROBLEMS)
def test_evaluation_is_weighted(problem: str) -> None:
    _, Y = PROBLEMS[problem]
    fitted = trainer(problem).fit(X, Y)
    weighted = fitted.evaluate(X, Y, COUNTS)
    repeated = fitted.evaluate(X.repeat(COUNTS, axis=0), Y.repeat(COUNTS, axis=0))
    assert weighted == pytest.approx(repeated, rel=1e-9)
    assert weighted != pytest.approx(fitted.evaluate(X, Y), rel=1e-5)
    metric = (weighted.keys() - {"loss"}).pop()
    assert fitted.score(X, Y, sample_weight=COUNTS) == weighted[metric]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_validation_is_weighted(problem: str) -> None:
    _, Y = PROBLEMS[problem]
    train, held = slice(30), slice(30, None)
    fitted = trainer(problem).fit(
        X[train], Y[train], validation_data=(X[held], Y[held], COUNTS[held])
    )
    metric = "r2" if "r2" in fitted.history else "accuracy"
    last = {"loss": fitted.history["val_loss"][-1], metric: fitted.history[f"val_{metric}"][-1]}
    assert last == fitted.evaluate(X[held], Y[held], COUNTS[held])
    assert last != fitted.evaluate(X[held], Y[held])
    # What is validated on has no say in the training.
    assert_same_weights(fitted, trainer(problem).fit(X[train], Y[train]))


@pytest.mark.parametrize("problem", PROBLEMS)
def test_rows_held_back_keep_their_weights(problem: str) -> None:
    _, Y = PROBLEMS[problem]
    weights = np.random.default_rng(1).uniform(0.1, 2, ROWS)
    by_share = trainer(problem, validation_fraction=11 / ROWS).fit(X, Y, sample_weight=weights)
    train, held = slice(30), slice(30, None)
    by_hand = trainer(problem).fit(
        X[train], Y[train], sample_weight=weights[train],
        validation_data=(X[held], Y[held], weights[held]),
    )  # fmt: skip
    assert_same_fit(by_share, by_hand, rtol=0)


def test_the_mean_of_a_batch_is_that_of_its_weights() -> None:
    """A batch of small weights moves the network as far as another one."""
    _, Y = PROBLEMS["squared_error"]
    weights = np.repeat([1e-6, 1, 5], [10, 10, 21]).astype(float)
    model = trainer("squared_error", batch_size=10, epochs=1, warm_start=True)
    model.set_weights(trainer("squared_error").fit(X, Y).get_weights())
    plain = trainer("squared_error", batch_size=10, epochs=1, warm_start=True)
    plain.set_weights(model.get_weights())
    # The first two batches are of equal weights within, and so is the last one.
    model.fit(X, Y, sample_weight=weights)
    assert_same_weights(model, plain.fit(X, Y), rtol=1e-9)


# ------------------------------------------------------------------------------ weights of classes


@pytest.mark.parametrize("sample_weight", [None, np.arange(1.0, ROWS + 1)])
@pytest.mark.parametrize("problem", CLASSES)
def test_a_mapping_multiplies_the_weights(problem: str, sample_weight: Array | None) -> None:
    _, Y = PROBLEMS[problem]
    indices = LABELS // 2 if problem == "pair" else LABELS
    names = ["no", "yes"] if problem == "pair" else [0, 1, 2]
    factors = np.array([3.0, 0.25, 1.0])[: len(names)]  # 1 where none is named
    given = dict(zip(names[:2], factors[:2].tolist(), strict=True))
    one = trainer(problem, class_weight=given, batch_size=7).fit(X, Y, sample_weight=sample_weight)
    weights = factors[indices] * (1 if sample_weight is None else sample_weight)
    assert_same_fit(one, trainer(problem, batch_size=7).fit(X, Y, sample_weight=weights))


@pytest.mark.parametrize("problem", CLASSES)
def test_balanced_is_that_of_scikit_learn(problem: str) -> None:
    _, Y = PROBLEMS[problem]
    indices = LABELS // 2 if problem == "pair" else LABELS
    factors = compute_class_weight("balanced", classes=np.unique(indices), y=indices)
    one = trainer(problem, class_weight="balanced", batch_size=7).fit(X, Y)
    other = trainer(problem, batch_size=7).fit(X, Y, sample_weight=factors[indices])
    assert_same_fit(one, other)
    assert np.ptp(factors) > 0.2


@pytest.mark.parametrize("problem", CLASSES)
def test_balanced_counts_weights(problem: str) -> None:
    _, Y = PROBLEMS[problem]
    one = trainer(problem, class_weight="balanced").fit(X, Y, sample_weight=COUNTS)
    rows, targets = X.repeat(COUNTS, axis=0), Y.repeat(COUNTS, axis=0)
    assert_same_fit(one, trainer(problem, class_weight="balanced").fit(rows, targets))


@pytest.mark.parametrize("class_weight", ["balanced", {0: 7.0}])
def test_classes_have_no_weights_in_validation(class_weight: Any) -> None:
    options = {"class_weight": class_weight, "validation_fraction": 11 / ROWS}
    fitted = trainer("classes", **options).fit(X, LABELS)
    held = slice(30, None)
    values = fitted.evaluate(X[held], LABELS[held])
    assert fitted.history["val_loss"][-1] == values["loss"]
    assert fitted.history["val_accuracy"][-1] == values["accuracy"]
    # Those of the training: of its rows alone.
    train = slice(30)
    alone = trainer("classes", class_weight=class_weight).fit(X[train], LABELS[train])
    assert_same_weights(fitted, alone)


def test_a_class_of_weight_zero_is_not_trained_on() -> None:
    one = trainer("classes", class_weight={1: 0}).fit(X, LABELS)
    assert one.classes_.tolist() == [0, 1, 2]
    kept = LABELS != 1
    other = trainer("classes", warm_start=True)
    other.set_weights(
        trainer("classes", epochs=1, optimizer=SGD(1e-300)).fit(X, LABELS).get_weights()
    )
    other.fit(X[kept], LABELS[kept])
    assert_same_weights(one, other, rtol=1e-9)


def test_smoothing_and_weights() -> None:
    options = {"label_smoothing": 0.3}
    one = trainer("classes", **options).fit(X, LABELS, sample_weight=COUNTS)
    shares = np.eye(3)[LABELS] * 0.7 + 0.1
    other = trainer("shares").fit(X, shares, sample_weight=COUNTS)
    assert_same_fit(one, other)


# ------------------------------------------------------------------------------------- rejections

BAD_WEIGHTS = {
    "negative": (np.where(np.arange(ROWS) == 3, -1, 1), r"sample_weight\[3\] must not be negative"),
    "nan": (np.where(np.arange(ROWS) == 3, NAN, 1), "sample_weight"),
    "short": (
        np.ones(ROWS - 1),
        rf"sample_weight must have shape \({ROWS},\); got \({ROWS - 1},\)",
    ),
    "columns": (np.ones((ROWS, 1)), "sample_weight must have shape"),
    "one": (2.0, "sample_weight must have shape"),
    "zeros": (np.zeros(ROWS), "sample_weight must have a weight > 0"),
    "words": (["a"] * ROWS, "sample_weight"),
}


@pytest.mark.parametrize("bad", BAD_WEIGHTS)
@pytest.mark.parametrize("where", ["fit", "evaluate", "validation"])
def test_bad_weights_are_named(bad: str, where: str) -> None:
    weights, message = BAD_WEIGHTS[bad]
    model = trainer("classes", epochs=1).fit(X, LABELS)
    before = [w.tobytes() for w in model.get_weights()]
    calls = {
        "fit": lambda: model.fit(X, LABELS, sample_weight=weights),
        "evaluate": lambda: model.evaluate(X, LABELS, weights),
        "validation": lambda: model.fit(X, LABELS, validation_data=(X, LABELS, weights)),
    }
    with pytest.raises((ValueError, TypeError), match=message) as error:
        calls[where]()
    assert str(error.value).startswith("validation ") == (where == "validation")
    assert [w.tobytes() for w in model.get_weights()] == before


@pytest.mark.parametrize("problem", ["shares", "labels", "squared_error", "quantile", "poisson"])
@pytest.mark.parametrize("class_weight", ["balanced", {0: 2.0}])
def test_only_classes_have_weights(problem: str, class_weight: Any) -> None:
    with pytest.raises(ValueError, match="class_weight needs a class for each row"):
        trainer(problem, class_weight=class_weight).fit(X, PROBLEMS[problem][1])


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({3: 2.0}, r"class_weight names 3; the classes are \[?0"),
        ({"0": 2.0}, "class_weight names '0'"),
        ({0: 0, 1: 0, 2: 0}, "class_weight must leave a weight > 0"),
    ],
)
def test_weights_of_unknown_classes(class_weight: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trainer("classes", class_weight=class_weight).fit(X, LABELS)


@pytest.mark.parametrize(
    ("class_weight", "error"),
    [("even", ValueError), ([1.0, 2.0], TypeError), ({0: -1}, ValueError), ({0: NAN}, ValueError),
     ({0: "1"}, TypeError), (2.0, TypeError)],
)  # fmt: skip
def test_what_class_weight_may_be(class_weight: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="class_weight"):
        Trainer(class_weight=class_weight)
