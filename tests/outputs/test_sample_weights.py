"""Weights of samples and of classes: what they stand for, and what cannot be one."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from fastmlp import FitWarning, Trainer, losses
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
UNSTOPPED: dict[str, Any] = {"early_stopping": False, "scaling": None}


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


def assert_same_fit(
    one: Trainer, other: Trainer, rtol: float = 1e-9, *, but: tuple[str, ...] = ()
) -> None:
    assert_same_weights(one, other, rtol)
    assert one.history.keys() == other.history.keys()
    for name in one.history.keys() - {"seconds", *but}:
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


def test_rows_that_are_all_right_have_an_accuracy_of_1() -> None:
    """Of any weights, though float32 rounds them."""
    labels, weights = X[:, 0] > 0, np.random.default_rng(1).uniform(0.1, 2, ROWS)
    model = Trainer((), epochs=1, scaling=None, optimizer=SGD(1e-300), warm_start=True)
    model.set_weights([np.outer(np.eye(5)[0], [0, 1]), np.zeros(2)])
    model.fit(X, labels, sample_weight=weights)
    assert model.evaluate(X, labels, weights)["accuracy"] == pytest.approx(1, abs=1e-15)
    assert model.history["accuracy"] == [pytest.approx(1, abs=1e-15)]


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


def test_rare_classes_in_batches_of_any_size() -> None:
    """Noise, so that the mean probability under balanced weights is near a half."""
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(2000, 5)), np.arange(2000) < 20
    for batch_size in (1, 16, 128, 2000):
        model = Trainer((), class_weight="balanced", batch_size=batch_size, seed=0, **UNSTOPPED)
        mean = model.fit(rows, labels).predict_proba(rows)[:, 1].mean()
        assert mean == pytest.approx(0.48, abs=0.02), batch_size


@pytest.mark.parametrize("batch_size", [16, 3000])
def test_rates_weighted_by_exposure(batch_size: int) -> None:
    """As many events are expected as there were: the bias makes the sums equal."""
    rng = np.random.default_rng(0)
    rows, exposure = rng.normal(size=(3000, 3)), rng.uniform(0.05, 5, 3000) ** 2
    counts = rng.poisson(np.exp(0.5 * rows[:, 0] - 1) * exposure)
    options: dict[str, Any] = {"epochs": 30, "schedule": "cosine"} if batch_size == 16 else {
        "epochs": 300, "learning_rate": 0.1}  # fmt: skip
    model = Trainer((), loss="poisson", batch_size=batch_size, seed=0, **UNSTOPPED, **options)
    model.fit(rows, counts / exposure, sample_weight=exposure)
    assert (model.predict(rows) * exposure).sum() / counts.sum() == pytest.approx(1, abs=0.02)


def test_early_stopping_watches_what_is_trained() -> None:
    """The best epoch under "balanced" is that under the same weights of samples."""
    rng = np.random.default_rng(0)
    labels = np.arange(4000) % 200 == 0
    rows = rng.normal(size=(4000, 5)) + 1.5 * labels[:, None]
    options: dict[str, Any] = {
        "seed": 0, "scaling": None, "early_stopping": True, "validation_split": "last"
    }  # fmt: skip
    weights = np.where(labels, 100, 100 / 199)
    one = Trainer(16, class_weight="balanced", **options).fit(rows, labels)
    other = Trainer(16, **options).fit(rows, labels, sample_weight=weights)
    assert one.best_epoch_ == other.best_epoch_
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(one.history[name], other.history[name], rtol=1e-3)
    recall = [one.evaluate(rows[k], labels[k])["accuracy"] for k in (labels, ~labels)]
    assert np.mean(recall) > 0.9


@pytest.mark.parametrize("scale", [1e37, 1e39, 1e-38, 1e-50, 1e300, 1e-300])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_scale_of_weights_has_no_effect(problem: str, dtype: str, scale: float) -> None:
    """Not even where float32 cannot hold them."""
    _, Y = PROBLEMS[problem]
    weights = np.random.default_rng(1).uniform(0.1, 2, ROWS)
    options: dict[str, Any] = {"batch_size": 7, "dtype": dtype, "validation_fraction": 0.2}
    if problem in CLASSES:
        options["class_weight"] = "balanced"
    one, other = (
        trainer(problem, **options, scaling="standard").fit(X, Y, sample_weight=w)
        for w in (weights, scale * weights)
    )
    assert_same_fit(one, other, rtol=1e-5 if dtype == "float32" else 1e-9)
    wanted = pytest.approx(one.evaluate(X, Y, weights), rel=1e-5)
    assert one.evaluate(X, Y, scale * weights) == wanted
    assert one.evaluate(X[:5], Y[:5], np.full(5, scale)) == pytest.approx(
        one.evaluate(X[:5], Y[:5]), rel=1e-5
    )


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
    other = trainer(problem, batch_size=7).fit(X, Y, sample_weight=weights)
    assert_same_fit(one, other, but=("accuracy",))


@pytest.mark.parametrize("problem", CLASSES)
def test_balanced_is_that_of_scikit_learn(problem: str) -> None:
    _, Y = PROBLEMS[problem]
    indices = LABELS // 2 if problem == "pair" else LABELS
    factors = compute_class_weight("balanced", classes=np.unique(indices), y=indices)
    one = trainer(problem, class_weight="balanced", batch_size=7).fit(X, Y)
    other = trainer(problem, batch_size=7).fit(X, Y, sample_weight=factors[indices])
    assert_same_fit(one, other, but=("accuracy",))
    assert np.ptp(factors) > 0.2


@pytest.mark.parametrize("problem", CLASSES)
def test_balanced_counts_weights(problem: str) -> None:
    _, Y = PROBLEMS[problem]
    one = trainer(problem, class_weight="balanced").fit(X, Y, sample_weight=COUNTS)
    rows, targets = X.repeat(COUNTS, axis=0), Y.repeat(COUNTS, axis=0)
    assert_same_fit(one, trainer(problem, class_weight="balanced").fit(rows, targets))


@pytest.mark.parametrize("sample_weight", [None, np.arange(1.0, ROWS + 1)])
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("class_weight", ["balanced", "mapping"])
@pytest.mark.parametrize("problem", CLASSES)
def test_class_weights_count_in_losses_of_both_kinds_of_rows(
    problem: str, class_weight: str, given: bool, sample_weight: Array | None
) -> None:
    """But not in metrics; they are those of the training rows."""
    _, Y = PROBLEMS[problem]
    indices = LABELS // 2 if problem == "pair" else LABELS
    labels = np.array(["no", "yes"]) if problem == "pair" else np.arange(3)
    train, held = slice(30), slice(30, None)
    w = np.ones(ROWS) if sample_weight is None else sample_weight
    if class_weight == "balanced":
        totals = np.bincount(indices[train], w[train])
        factors, setting = totals.sum() / (len(totals) * totals), "balanced"
    else:
        factors = np.array([7.0, 0.5, 1.0])[: len(labels)]
        setting = dict(zip(labels.tolist()[:2], [7.0, 0.5], strict=True))
    # Steps of 0, so that all losses are those of the network that is left.
    model = trainer(problem, class_weight=setting, epochs=1, l2=0.0, optimizer=SGD(1e-300))
    if given:
        more = () if sample_weight is None else (w[held],)
        data = X[held], Y[held], *more
        part = None if sample_weight is None else w[train]
        model.fit(X[train], Y[train], sample_weight=part, validation_data=data)
    else:
        model.validation_fraction = 11 / ROWS
        model.fit(X, Y, sample_weight=sample_weight)
    for rows, prefix in ((train, ""), (held, "val_")):
        both = model.evaluate(X[rows], Y[rows], w[rows] * factors[indices[rows]])
        plain = model.evaluate(X[rows], Y[rows], w[rows])
        assert model.history[f"{prefix}loss"] == pytest.approx([both["loss"]], rel=1e-9)
        assert model.history[f"{prefix}accuracy"] == pytest.approx([plain["accuracy"]], rel=1e-9)
        assert both["loss"] != pytest.approx(plain["loss"], rel=1e-4)


def test_other_metrics_go_by_sample_weights_alone() -> None:
    names = ("accuracy", "balanced_accuracy", "log_loss")
    options: dict[str, Any] = {"class_weight": {0: 9.0}, "metrics": names, "epochs": 1}
    model = trainer("classes", optimizer=SGD(1e-300), **options)
    model.fit(X, LABELS, sample_weight=COUNTS, validation_data=(X, LABELS, COUNTS))
    wanted = model.evaluate(X, LABELS, COUNTS)
    for name in names:
        assert model.history[name] == pytest.approx([wanted[name]], rel=1e-9)
        assert model.history[f"val_{name}"] == pytest.approx([wanted[name]], rel=1e-9)
    assert model.history["val_loss"] != pytest.approx([wanted["loss"]], rel=1e-3)


def test_a_class_without_training_rows_has_weight_one_in_validation() -> None:
    few = LABELS < 2
    model = trainer("classes", class_weight="balanced", warm_start=True, optimizer=SGD(1e-300))
    model.set_weights(trainer("classes").fit(X, LABELS).get_weights())
    model.fit(X[few], LABELS[few], validation_data=(X, LABELS))
    totals = np.bincount(LABELS[few])
    factors = np.append(totals.sum() / (3 * totals), 1)
    wanted = model.evaluate(X, LABELS, factors[LABELS])["loss"]
    assert model.history["val_loss"][-1] == pytest.approx(wanted, rel=1e-9)


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


NAMES = {"setosa": 1.0, "versicolor": 2.0}


@pytest.mark.parametrize(
    ("labels", "class_weight", "message"),
    [
        ([0, 1, 2], {"1": 2.0}, "names '1', but the classes are numbers, 0, 1, 2: .* mean 1?"),
        ([0, 1, 2], {"one": 2.0}, "names 'one', but the classes are numbers, 0, 1, 2$"),
        ([0, 1, 2], {1.5: 2.0}, r"names 1\.5; the classes are 0, 1, 2"),
        ([0, 1, 2], {NAN: 2.0}, "names nan; the classes are 0, 1, 2"),
        ([0, 1, 2], {None: 2.0}, "names None, but the classes are numbers, 0, 1, 2$"),
        ([True, False], {"True": 2.0}, "names 'True', but the classes .* mean True?"),
        (["<=50K", ">50K"], {">50K.": 2.0}, "names '>50K.'.* mean '>50K'?"),
        (["1", "2"], {1: 2.0}, "names 1, but the classes are strings, '1', '2': .* mean '1'?"),
        (["a", "b"], {1: 2.0}, "names 1, but the classes are strings, 'a', 'b'$"),
        ([*NAMES, "virginica"], NAMES | {"vergnica": 3.0}, "names 'vergnica'.* mean 'virginica'?"),
        (["high", "low"], {"hihg": 3.0}, "names 'hihg'.* mean 'high'?"),
        (["no", "yes"], {"Yes": 3.0}, "names 'Yes'.* mean 'yes'?"),
        (["New York", "Rome"], {"new_york": 3.0}, "names 'new_york'.* mean 'New York'?"),
        ([0, 1, 2], {0: 0, 1: 0, 2: 0}, "must leave a weight > 0"),
    ],
)
def test_class_weights_that_cannot_be_meant(labels: Any, class_weight: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"class_weight {message}"):
        trainer("classes", class_weight=class_weight).fit(X, np.resize(labels, ROWS))


@pytest.mark.parametrize(
    ("labels", "class_weight", "unknown"),
    [
        ([0, 1, 2], {3: 2.0, 1: 4.0}, "3"),
        ([0.0, 1.0], {3: 2.0, 1: 4.0}, "3"),
        (["a", "b"], {"c": 2.0, "b": 4.0}, "'c'"),
        # Names that resemble others, but not by mistake.
        (["grade 1", "grade 3"], {"grade 2": 2.0, "grade 3": 4.0}, "'grade 2'"),
        (["south-east", "rest"], {"south-west": 2.0, "rest": 4.0}, "'south-west'"),
        (["<=50K", "rest"], {">50K": 2.0, "rest": 4.0}, "'>50K'"),
        (["+", "0"], {"-": 2.0, "0": 4.0}, "'-'"),
        (["typea", "typeb"], {"typea": 1.0, "typeb": 4.0, "typec": 2.0}, "'typec'"),
    ],
)
def test_a_class_that_a_part_of_the_data_lacks(
    labels: Any, class_weight: dict[Any, float], unknown: str
) -> None:
    Y = np.resize(labels, ROWS)
    message = f"class_weight names {unknown}, which Y does not hold; the classes are "
    with pytest.warns(FitWarning, match=message):
        one = trainer("classes", class_weight=class_weight).fit(X, Y)
    known = {name: weight for name, weight in class_weight.items() if name in labels}
    assert_same_fit(one, trainer("classes", class_weight=known).fit(X, Y), rtol=0)


@pytest.mark.parametrize(
    ("class_weight", "error"),
    [("even", ValueError), ([1.0, 2.0], TypeError), ({0: -1}, ValueError), ({0: NAN}, ValueError),
     ({0: "1"}, TypeError), (2.0, TypeError)],
)  # fmt: skip
def test_what_class_weight_may_be(class_weight: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="class_weight"):
        Trainer(class_weight=class_weight)


# -------------------------------------------------------------------------------------- in parts


def stepped(**options: Any) -> Trainer:
    return Trainer((), optimizer=SGD(0.05), batch_size=100, scaling=None, seed=0, **options)


@pytest.mark.parametrize("scale", [1.0, 1e-50, 1e300])
def test_weights_have_one_scale_in_all_parts(scale: float) -> None:
    """Zeros of weight 1, then ones of weight 9: nine in ten are ones."""
    rows, zeros, ones = np.zeros((100, 1)), np.zeros(100, int), np.ones(100, int)
    model = stepped(epochs=300).fit_stream(
        lambda: [(rows, zeros, np.full(100, scale)), (rows, ones, np.full(100, 9 * scale))],
        classes=[0, 1],
    )
    assert model.predict_proba(rows[:1])[0, 1] == pytest.approx(0.9, abs=0.01)
    other = stepped()
    for _ in range(300):
        other.partial_fit(rows, zeros, [0, 1], sample_weight=np.full(100, scale))
        other = pickle.loads(pickle.dumps(other))
        other.partial_fit(rows, ones, sample_weight=np.full(100, 9 * scale))
    assert_same_weights(other, model, rtol=1e-5)
    assert other.model_.mean_weight == (60_000, pytest.approx(5 * scale))
    # Without weights a row counts as one of weight 1.
    if scale == 1:
        third = stepped()
        for _ in range(300):
            third.partial_fit(rows, zeros, [0, 1]).partial_fit(rows, ones, None, np.full(100, 9))
        assert_same_weights(third, other, rtol=1e-5)


def test_partial_fit_goes_on_with_the_weights_of_a_fit() -> None:
    _, Y = PROBLEMS["squared_error"]
    model = trainer("squared_error").fit(X, Y, sample_weight=np.full(ROWS, 3.0))
    assert model.model_.mean_weight == (ROWS, 3.0)
    before = model.get_weights()
    light, heavy = (copy.deepcopy(model) for _ in range(2))
    for other, weight in ((light, 1.0), (heavy, 3.0)):
        other.optimizer, other.l2 = SGD(1e-9), 0.0
        other.partial_fit(X, Y, sample_weight=np.full(ROWS, weight))
    # Over all rows so far the mean is 2 and 3.
    ways = [
        np.concatenate([(b - a).ravel() for a, b in zip(before, m.get_weights(), strict=True)])
        for m in (light, heavy)
    ]
    np.testing.assert_allclose(ways[0], ways[1] / 2, rtol=1e-3, atol=1e-5 * np.abs(ways).max())
    # A fit that continues knows all of its rows.
    model.warm_start = True
    assert model.fit(X, Y).model_.mean_weight == (ROWS, 1.0)


def test_weights_that_were_set_have_seen_no_rows() -> None:
    model = trainer("squared_error").fit(X, NUMBERS, sample_weight=np.full(ROWS, 3.0))
    model.set_weights(model.get_weights())
    assert model.model_.mean_weight.rows == 0


@pytest.mark.parametrize("method", ["partial_fit", "fit_stream"])
def test_balanced_needs_all_rows(method: str) -> None:
    model = trainer("classes", class_weight="balanced", validation_split="auto")
    message = f"class_weight='balanced' needs all rows at once, which {method} does not see: give"
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(*((X, LABELS) if method == "partial_fit" else ([(X, LABELS)],)))


def test_class_weights_of_a_stream() -> None:
    """Some parts lack a class, and one class does not occur at all: one warning."""
    options: dict[str, Any] = {"batch_size": 7, "epochs": 3}
    parts = np.split(np.argsort(LABELS, kind="stable"), [14, 28])
    factors = np.array([1.0, 5.0, 0.5])
    one = trainer("classes", class_weight={1: 5.0, 2: 0.5, 7: 2.0}, **options)
    with pytest.warns(FitWarning, match="names 7") as warned:
        one.fit_stream(lambda: ((X[p], LABELS[p]) for p in parts), classes=[0, 1, 2])
    assert len(warned) == 1
    other = trainer("classes", **options).fit_stream(
        lambda: ((X[p], LABELS[p], factors[LABELS[p]]) for p in parts), classes=[0, 1, 2]
    )
    assert_same_fit(one, other, but=("accuracy",))
