"""What the estimators have beyond scikit-learn's: parameters, rows to validate on, the trainer."""

import time
from threading import Lock
from typing import Any

import numpy as np
import pytest
import sklearn
from scipy.sparse import coo_matrix
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score, get_scorer, log_loss
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import compute_sample_weight

from fastmlp import FitWarning, MLPClassifier, MLPRegressor
from fastmlp.callbacks import CSVLog
from tests.estimators.data import WEIGHTS, X, Y, assert_close, not_converged, pair
from tests.helpers.basics import needs_compiler

pytestmark = [not_converged, needs_compiler]

TRAIN, HELD = slice(0, 180), slice(180, None)
STOPPING = {"early_stopping": True, "n_iter_no_change": 5, "max_iter": 40}


def classifier(**options: Any) -> Any:
    return MLPClassifier(**{"random_state": 0, "max_iter": 10, **options})


def regressor(**options: Any) -> Any:
    return MLPRegressor(**{"random_state": 0, "max_iter": 10, **options})


def weights(model: Any) -> list[Any]:
    return [array.tobytes() for array in model.coefs_ + model.intercepts_]


@pytest.mark.parametrize("kind", Y)
def test_neutral_defaults(kind: str) -> None:
    """Said as values, they change nothing."""
    _, model = pair(kind)
    same = {"dropout": 0, "threads": 1, "dtype": np.float64, "callbacks": [], "time_budget": 1e9}
    curves = [one.fit(X, Y[kind]).loss_curve_ for one in (model, pair(kind)[1].set_params(**same))]
    assert curves[0] == curves[1]


@pytest.mark.parametrize("kind", Y)
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_to_validate_on(kind: str, weighted: bool) -> None:
    """They are scored as they would be afterwards; all other rows are trained on."""
    _, model = pair(kind, **STOPPING, learning_rate_init=0.01)
    held = {"sample_weight_val": WEIGHTS[HELD] if weighted else None}
    held |= {"X_val": X[HELD], "y_val": Y[kind][HELD]}
    model.fit(X[TRAIN], Y[kind][TRAIN], **held)
    score = model.score(X[HELD], Y[kind][HELD], held["sample_weight_val"])
    assert model.best_validation_score_ == max(model.validation_scores_) == pytest.approx(score)
    assert model.t_ == 180 * model.n_iter_
    name = "val_accuracy" if hasattr(model, "classes_") else "val_r2"
    assert model.trainer_.history[name] == model.validation_scores_


@pytest.mark.parametrize("scoring", ["balanced_accuracy", get_scorer("neg_log_loss"), "loss"])
def test_scoring(scoring: Any) -> None:
    model = classifier(**STOPPING, scoring=scoring)
    rows = {"X_val": X[HELD], "y_val": Y["classes"][HELD], "sample_weight_val": WEIGHTS[HELD]}
    model.fit(X[TRAIN], Y["classes"][TRAIN], **rows)
    if scoring == "balanced_accuracy":
        wanted = balanced_accuracy_score(
            rows["y_val"], model.predict(X[HELD]), sample_weight=WEIGHTS[HELD]
        )
    else:
        probabilities = model.predict_proba(X[HELD])
        wanted = -log_loss(rows["y_val"], probabilities, sample_weight=WEIGHTS[HELD])
    assert model.best_validation_score_ == pytest.approx(wanted)


def test_scoring_of_tables() -> None:
    """A scorer sees rows as they were given, with their names."""
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X, columns=list("abcdefg"))
    seen = []

    def scorer(model: Any, rows: Any, y: Any) -> float:
        seen.append(list(rows.columns))
        return float(model.score(rows, y))

    model = classifier(**STOPPING, scoring=scorer).fit(table, pandas.Series(Y["pair"]))
    assert seen == [list("abcdefg")] * model.n_iter_
    plain = classifier(**STOPPING).fit(X, Y["pair"])
    assert model.validation_scores_ == plain.validation_scores_


@pytest.mark.parametrize("form", [coo_matrix, list, np.asfortranarray])
def test_scoring_of_held_out_rows(form: Any) -> None:
    """Of rows in any form, with one weight for all."""
    options = {**STOPPING, "scoring": "accuracy"}
    models = [classifier(**options).fit(rows, list(Y["classes"]), 2.0) for rows in (X, form(X))]
    plain = classifier(**STOPPING).fit(form(X), Y["classes"], 2.0)
    assert models[0].validation_scores_ == models[1].validation_scores_
    assert models[0].validation_scores_ == plain.validation_scores_


VALIDATION_ERRORS = {
    "y_val was not provided": {"X_val": X},
    "X_val was not provided": {"y_val": Y["pair"]},
    "sample_weight_val is provided, but X_val was not": {"sample_weight_val": WEIGHTS},
    "need early_stopping=True": {"X_val": X, "y_val": Y["pair"]},
}


@pytest.mark.parametrize("message", VALIDATION_ERRORS)
def test_wrong_rows_to_validate_on(message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, Y["pair"], **VALIDATION_ERRORS[message])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((X[:5], [5, 2, 2, 5, 9]), "has classes not in"),
        ((X[:5, :3], Y["pair"][:5]), "X has 3 features"),
        ((X[:5], Y["pair"][:4]), "inconsistent numbers of samples"),
    ],
)
def test_unusable_rows_to_validate_on(rows: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier(**STOPPING).fit(X, Y["pair"], X_val=rows[0], y_val=rows[1])


@pytest.mark.parametrize("given", [None, WEIGHTS], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("kind", ["pair", "classes", "labels"])
def test_class_weight(kind: str, solver: str, given: Any) -> None:
    """They multiply the weights of the rows."""
    y = Y[kind]
    setting = {"pair": {5: 3.0}, "classes": "balanced", "labels": [{1: 2}, {0: 3}, {}]}[kind]
    factors = compute_sample_weight(setting, y)
    product = factors if given is None else factors * given
    one = classifier(class_weight=setting, solver=solver).fit(X, y, sample_weight=given)
    other = classifier(solver=solver).fit(X, y, sample_weight=product)
    assert one.loss_ == pytest.approx(other.loss_, rel=1e-12)
    for mine, its in zip(one.coefs_, other.coefs_, strict=True):
        assert_close(mine, its, 1e-10)


def test_class_weight_of_the_training_rows() -> None:
    """ "balanced" knows nothing of held-out rows, whose scores it does not change."""
    rows = {"X_val": X[HELD], "y_val": Y["pair"][HELD]}
    one = classifier(class_weight="balanced", **STOPPING)
    one.fit(X[TRAIN], Y["pair"][TRAIN], **rows)
    factors = compute_sample_weight("balanced", Y["pair"][TRAIN])
    other = classifier(**STOPPING).fit(X[TRAIN], Y["pair"][TRAIN], factors, **rows)
    assert one.validation_scores_ == other.validation_scores_
    assert one.best_validation_score_ == one.score(X[HELD], Y["pair"][HELD])


def test_class_weight_of_a_part() -> None:
    """``partial_fit`` needs a dict, whose classes its rows may lack."""
    rows = Y["pair"] == 2
    one = classifier(class_weight={5: 3.0}).partial_fit(X[rows], Y["pair"][rows], classes=[2, 5])
    other = classifier().partial_fit(X[rows], Y["pair"][rows], classes=[2, 5])
    assert weights(one) == weights(other)
    one.partial_fit(X[~rows], Y["pair"][~rows])
    other.partial_fit(X[~rows], Y["pair"][~rows], np.full((~rows).sum(), 3.0))
    assert weights(one) == weights(other)
    labels = classifier(class_weight=[{1: 2}, {0: 3}, {}])
    labels.partial_fit(X, np.zeros((len(X), 3)), classes=[0, 1, 2])
    with pytest.raises(ValueError, match="needs a dict as class_weight; got 'balanced'"):
        one.set_params(class_weight="balanced").partial_fit(X, Y["pair"])


@pytest.mark.parametrize("weight", [-1.0, np.nan])
def test_wrong_class_weight(weight: float) -> None:
    with pytest.raises(ValueError, match="class_weight must be finite and >= 0"):
        classifier(class_weight={5: weight}).fit(X, Y["pair"])


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_scoring_without_effect(solver: str) -> None:
    model = classifier(scoring="f1", solver=solver, early_stopping=solver == "lbfgs")
    with pytest.raises(ValueError, match=r"scoring (needs early_stopping=True|has no effect with)"):
        model.fit(X, Y["pair"])


def test_dropout() -> None:
    """It is drawn from the same generator, and leaves predictions alone."""
    one, other = (classifier(dropout=0.5, max_iter=30).fit(X, Y["pair"]) for _ in range(2))
    plain = classifier(max_iter=30).fit(X, Y["pair"])
    assert weights(one) == weights(other) != weights(plain)
    assert one.loss_ > plain.loss_
    assert (one.predict_proba(X) == one.predict_proba(X)).all()
    each = classifier(dropout=[0.1, 0.5], hidden_layer_sizes=20).fit(X, Y["pair"])
    assert each.trainer_.dropout == [0.1, 0.5]


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("scaling", ["standard", "robust", "piecewise", "quantile", 0.25, [2] * 7])
def test_scaling(scaling: Any, solver: str) -> None:
    """The network sees scaled features in training, validation and prediction alike."""
    wild = X * 10.0 ** np.arange(-3, 4) + 5
    model = regressor(scaling=scaling, solver=solver, max_iter=60, early_stopping=True)
    model.fit(wild, Y["number"])
    held = model.trainer_.predict(wild)
    assert_close(model.predict(wild), held, 1e-12)
    assert len(model.coefs_[0]) == model.trainer_.layer_sizes_[0] >= 7
    if scaling == "standard":
        scaled = StandardScaler().fit_transform(wild)
        plain = regressor(solver=solver, max_iter=60, early_stopping=True).fit(scaled, Y["number"])
        assert_close(model.coefs_[0], plain.coefs_[0], 1e-9 if solver == "adam" else 1e-3)
        assert model.score(wild, Y["number"]) > 0.5


def test_time_budget() -> None:
    start = time.perf_counter()
    model = classifier(max_iter=10**6, tol=0, n_iter_no_change=10**6, time_budget=0.2)
    model.fit(X, Y["pair"])
    assert time.perf_counter() - start < 20
    assert model.trainer_.stop_reason_ == "time_budget"
    assert model.n_iter_ == len(model.loss_curve_) > 0


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_threads(solver: str) -> None:
    """The result does not depend on them."""
    runs = [regressor(solver=solver, threads=k).fit(X, Y["numbers"]) for k in (1, 2, None)]
    assert weights(runs[0]) == weights(runs[1]) == weights(runs[2])


@pytest.mark.parametrize("dtype", ["float32", "float64", np.float32, np.float64])
def test_dtype(dtype: Any) -> None:
    for rows in (X, X.astype(np.float32), (10 * X).astype(int)):
        model = regressor(dtype=dtype).fit(rows, Y["number"])
        assert model.coefs_[0].dtype == dtype
        model.set_params(warm_start=True, dtype=None).fit(rows.astype(np.float32), Y["number"])
        assert model.coefs_[0].dtype == dtype  # that of the first fit


def test_callbacks(tmp_path: Any) -> None:
    """They get the trainer, with the weights of the epoch, and may end the fit."""
    seen = []

    def watch(trainer: Any, epoch: int, logs: dict[str, float]) -> None:
        seen.append((epoch, logs["loss"], trainer.predict(X[:2]).tolist()))
        trainer.stop_training = epoch == 3

    path = tmp_path / "log.csv"
    model = classifier(callbacks=[watch, CSVLog(path)]).fit(X, Y["pair"])
    assert [epoch for epoch, _, _ in seen] == [0, 1, 2, 3]
    assert [loss for _, loss, _ in seen] == model.loss_curve_
    assert seen[-1][2] == model.predict(X[:2]).tolist()
    assert model.n_iter_ == 4
    assert len(path.read_text().splitlines()) == 5
    assert model.trainer_.callbacks == [watch, CSVLog(path)]


class Watch:
    """A callback that cannot be copied."""

    def __init__(self) -> None:
        self.epochs: list[int] = []
        self.lock = Lock()

    def __call__(self, trainer: Any, epoch: int, logs: Any) -> None:
        self.epochs.append(epoch)


def test_clones_share_callbacks() -> None:
    model = classifier(callbacks=[Watch()], max_iter=2).fit(X, Y["pair"])
    other = clone(model)
    assert other.callbacks is model.callbacks
    assert not hasattr(other, "classes_")
    other.fit(X, Y["pair"])
    cross_val_score(model, X, Y["pair"], cv=2)
    assert model.callbacks[0].epochs == [0, 1] * 4


def test_callbacks_that_change_weights() -> None:
    def halve(trainer: Any, epoch: int, logs: Any) -> None:
        trainer.set_weights([w / 2 for w in trainer.get_weights()])

    model = classifier(callbacks=halve, max_iter=1).fit(X, Y["pair"])
    plain = classifier(max_iter=1).fit(X, Y["pair"])
    assert (model.coefs_[0] == plain.coefs_[0] / 2).all()


@pytest.mark.filterwarnings("error::fastmlp.FitWarning")
def test_no_diagnoses() -> None:
    """Warnings are scikit-learn's; the trainer's own say what its defaults would do better."""
    assert issubclass(FitWarning, UserWarning)
    classifier(learning_rate_init=1e-6, solver="sgd").fit(1000 * X, Y["classes"])


def test_a_pipeline_transforms_rows_to_validate_on() -> None:
    with sklearn.config_context(enable_metadata_routing=True):
        model = classifier(**STOPPING).set_fit_request(X_val=True, y_val=True)
        steps = make_pipeline(StandardScaler(), model, transform_input=["X_val"])
        wild = 100 * X + 7
        rows = {"X_val": wild[HELD], "y_val": Y["pair"][HELD]}
        steps.fit(wild[TRAIN], Y["pair"][TRAIN], **rows)
        assert model.best_validation_score_ == steps.score(wild[HELD], Y["pair"][HELD])
        assert model.best_validation_score_ > 0.7


@pytest.mark.parametrize(
    "options",
    [
        {"class_weight": "balance"}, {"dropout": 1.0}, {"scaling": "pixels"}, {"scoring": 3},
        {"time_budget": 0}, {"threads": 0}, {"dtype": "float16"}, {"callbacks": 3},
    ],
    ids=repr,
)  # fmt: skip
def test_wrong_values(options: dict[str, Any]) -> None:
    name = next(iter(options))
    with pytest.raises(ValueError, match=f"The '{name}' parameter of MLPClassifier must be"):
        classifier(**options).fit(X, Y["pair"])


def test_wrong_items() -> None:
    """Of sequences, which the trainer checks."""
    with pytest.raises(ValueError, match=r"dropout\[1\]"):
        classifier(dropout=[0.1, 2.0]).fit(X, Y["pair"])
    with pytest.raises(TypeError, match="callbacks must be callable"):
        classifier(callbacks=[3]).fit(X, Y["pair"])
    with pytest.raises(ValueError, match="scaling must be for 7 features; got 2"):
        classifier(scaling=[1.0, 2.0]).fit(X, Y["pair"])
