"""Trainers and ensembles inside of scikit-learn's tools give what they give by hand."""

import pickle
import warnings
from collections.abc import Iterator
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest
import sklearn
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # makes it importable
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fastmlp import Ensemble, Trainer
from fastmlp.kernels.runs.threads import processors, usable_threads
from tests.helpers.basics import Array, needs_compiler
from tests.helpers.models import same_weights

pytestmark = [
    needs_compiler,
    pytest.mark.filterwarnings("ignore::fastmlp.FitWarning"),  # fits are short, and folds small
    pytest.mark.filterwarnings("ignore:scipy.optimize:DeprecationWarning"),  # of scikit-learn 1.6
]

_rng = np.random.default_rng(0)
LABELS = np.array(["a", "b", "c"])[np.arange(90) % 3]
# The groups overlap, so that scores tell fits apart.
X = np.eye(3, 4)[np.arange(90) % 3] * 1.5 + _rng.normal(0, 0.7, (90, 4))
NUMBERS = 10 + 3 * X[:, 0] - 2 * X[:, 1] + _rng.normal(0, 0.1, 90)
FOLDS = StratifiedKFold(3)


def classifier(hidden: Any = 6, **options: Any) -> Trainer:
    settings = {"epochs": 12, "batch_size": 16, "learning_rate": 0.03, "seed": 0}
    return Trainer(hidden, **{**settings, **options})


def regressor(**options: Any) -> Trainer:
    return classifier(**{"loss": "squared_error", "epochs": 20, **options})


def by_hand(model: Any, rows: Any, Y: Array, folds: Any = FOLDS) -> list[float]:
    """Scores of folds."""
    scores = []
    for train, test in folds.split(X, LABELS if Y.dtype == float else Y):
        x, t = (rows.iloc[i] if hasattr(rows, "iloc") else rows[i] for i in (train, test))
        scores.append(clone(model).fit(x, Y[train]).score(t, Y[test]))
    return scores


# ------------------------------------------------------------------------- pipelines and searches


def test_a_pipeline() -> None:
    pipe = make_pipeline(StandardScaler(), classifier()).fit(X, LABELS)
    scaled = StandardScaler().fit_transform(X)
    wanted = classifier().fit(scaled, LABELS)
    assert np.array_equal(pipe.predict_proba(X), wanted.predict_proba(scaled))
    assert pipe.score(X, LABELS) == wanted.score(scaled, LABELS) > 0.8
    assert pipe.classes_.tolist() == ["a", "b", "c"]
    assert pipe.n_features_in_ == 4
    assert pipe.decision_function(X).shape == (90, 3)
    assert not hasattr(make_pipeline(regressor()).fit(X, NUMBERS), "predict_proba")


TABLE = pd.DataFrame(X[:, :3], columns=["u", "v", "w"])
TABLE["kind"] = pd.Categorical(np.where(X[:, 3] > 0, "up", "down"))


def test_tables_of_a_column_transformer() -> None:
    """What it gives has names, with ``set_output`` around it and the trainer."""
    columns = make_column_transformer(
        (StandardScaler(), ["u", "v", "w"]), (OneHotEncoder(sparse_output=False), ["kind"])
    )
    pipe = Pipeline([("columns", columns), ("trainer", classifier())])
    pipe.set_output(transform="pandas")
    scores = cross_val_score(pipe, TABLE, LABELS, cv=FOLDS, error_score="raise")
    assert scores.tolist() == by_hand(pipe, TABLE, LABELS)
    assert scores.mean() > 0.6
    names = pipe.fit(TABLE, LABELS)["trainer"].feature_names_in_
    assert names.tolist() == list(columns.get_feature_names_out())


def test_raw_tables_with_categories_and_gaps() -> None:
    table = TABLE.mask(np.arange(90)[:, None] % 10 == np.arange(4))
    assert table.isna().sum().tolist() == [9, 9, 9, 9]
    model = classifier(missing="impute")
    scores = cross_val_score(model, table, LABELS, cv=FOLDS, error_score="raise")
    assert scores.tolist() == by_hand(model, table, LABELS)
    assert scores.mean() > 0.6


def test_scores_of_folds() -> None:
    for model, Y in ((classifier(), LABELS), (regressor(), NUMBERS)):
        scores = cross_val_score(model, X, Y, cv=FOLDS.split(X, LABELS))
        assert scores.tolist() == by_hand(model, X, Y)
        assert scores.mean() > 0.6
    # Folds of classes are stratified; those of numbers are not, also with loss="auto".
    stratified = cross_val_score(classifier(), X, np.sort(LABELS), cv=3, error_score="raise")
    assert stratified.tolist() == by_hand(classifier(), X, np.sort(LABELS))
    in_rows = cross_val_score(classifier(), X, NUMBERS, cv=3)
    assert in_rows.tolist() == by_hand(classifier(), X, NUMBERS, KFold(3))


BINARY = ["accuracy", "f1", "roc_auc", "average_precision", "neg_log_loss", "neg_brier_score"]
LABELLED = ["accuracy", "f1_micro", "roc_auc", "average_precision"]


def test_scorers() -> None:
    one = LABELS == "b"
    scores = cross_validate(classifier(), X, one, cv=3, scoring=BINARY, error_score="raise")
    assert {f"test_{name}" for name in BINARY} < set(scores)
    assert (scores["test_roc_auc"] > 0.8).all()
    columns = np.stack([one, X[:, 1] > 0.5, LABELS == "c"], axis=1).astype(int)
    scores = cross_validate(classifier(), X, columns, cv=3, scoring=LABELLED, error_score="raise")
    assert (scores["test_roc_auc"] > 0.8).all()
    numbers = ["r2", "neg_mean_absolute_error"]
    scores = cross_validate(regressor(), X, NUMBERS, cv=3, scoring=numbers, error_score="raise")
    assert (scores["test_r2"] > 0.8).all()


def test_predictions_of_folds() -> None:
    two = LABELS == "b"
    decisions = cross_val_predict(classifier(), X, two, cv=FOLDS, method="decision_function")
    assert decisions.shape == (90,)
    assert roc_auc_score(two, decisions) > 0.8
    probabilities = cross_val_predict(classifier(), X, LABELS, cv=3, method="predict_proba")
    assert probabilities.shape == (90, 3)


def test_a_grid_search() -> None:
    pipe = Pipeline([("scaler", StandardScaler()), ("mlp", classifier())])
    grid = {"mlp__hidden": [2, (6, 4)], "mlp__optimizer": ["adam", "sgd"]}
    search = GridSearchCV(pipe, grid, cv=FOLDS, error_score="raise").fit(X, LABELS)
    for params, score in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        wanted = by_hand(clone(pipe).set_params(**params), X, LABELS)
        assert score == pytest.approx(np.mean(wanted), rel=1e-12)
    wanted = clone(pipe).set_params(**search.best_params_).fit(X, LABELS)
    assert np.array_equal(search.predict_proba(X), wanted.predict_proba(X))
    with pytest.raises(ValueError, match=r"no setting 'lr'; did you mean 'learning_rate'\?"):
        GridSearchCV(pipe, {"mlp__lr": [0.1]}, cv=FOLDS).fit(X, LABELS)


def test_halving() -> None:
    """More and more epochs, or rows, for the best settings."""
    grid = {"hidden": [1, 4, 8]}
    for resource, options in (
        ("epochs", {"min_resources": 3, "max_resources": 9}),
        ("n_samples", {"min_resources": 27}),
    ):
        search = HalvingGridSearchCV(
            classifier(), grid, resource=resource, cv=FOLDS, error_score="raise", random_state=0,
            **options,
        ).fit(X, LABELS)  # fmt: skip
        assert search.n_resources_[1] == 3 * search.n_resources_[0]
        assert search.score(X, LABELS) > 0.6
        if resource == "epochs":
            assert search.best_estimator_.n_iter_ == 9


def test_learning_curves_by_partial_fit() -> None:
    model = Trainer(6, seed=0)
    sizes, _, scores = learning_curve(
        model, X, LABELS, train_sizes=[20, 60], exploit_incremental_learning=True, shuffle=True,
        cv=FOLDS, random_state=0,
    )  # fmt: skip
    assert sizes.tolist() == [20, 60]
    assert scores.shape == (2, 3)


# -------------------------------------------------------------------------------- meta-estimators


def test_voting() -> None:
    members = [("one", classifier()), ("other", classifier(3, seed=1))]
    codes = np.unique(LABELS, return_inverse=True)[1]
    fitted = [clone(member).fit(X, codes) for _, member in members]
    soft = VotingClassifier(members, voting="soft").fit(X, LABELS)
    mean = np.mean([model.predict_proba(X) for model in fitted], axis=0)
    np.testing.assert_allclose(soft.predict_proba(X), mean, rtol=1e-6)
    hard = VotingClassifier([*members, ("again", classifier())]).fit(X, LABELS)
    assert np.array_equal(hard.predict(X), np.array(["a", "b", "c"])[fitted[0].predict(X)])
    numbers = VotingRegressor([("one", regressor()), ("other", regressor(seed=1))]).fit(X, NUMBERS)
    wanted = [regressor(seed=seed).fit(X, NUMBERS).predict(X) for seed in (0, 1)]
    np.testing.assert_allclose(numbers.predict(X), np.mean(wanted, axis=0), rtol=1e-12)


@pytest.mark.parametrize(
    "final", [LogisticRegression(), classifier((), learning_rate=0.1, epochs=30)]
)
def test_stacking(final: Any) -> None:
    stack = StackingClassifier([("one", classifier()), ("two", classifier(3))], final, cv=3)
    stack.fit(X, LABELS)
    codes = np.unique(LABELS, return_inverse=True)[1]
    wanted = classifier().fit(X, codes).predict_proba(X)
    assert np.array_equal(stack.transform(X)[:, :3], wanted)
    assert stack.score(X, LABELS) > 0.8
    assert stack.fit(X, LABELS == "a").transform(X).shape == (90, 2)  # of two classes the second


def test_bagging() -> None:
    bag = BaggingClassifier(classifier(), 3, max_features=3, random_state=0).fit(X, LABELS)
    each = zip(bag.estimators_, bag.estimators_features_, strict=True)
    mean = np.mean([model.predict_proba(X[:, columns]) for model, columns in each], axis=0)
    np.testing.assert_allclose(bag.predict_proba(X), mean, rtol=1e-6)
    assert bag.score(X, LABELS) > 0.8
    weights = np.where(LABELS == "c", 0, 1)
    two = BaggingClassifier(classifier(), 2, random_state=0).fit(X, LABELS, sample_weight=weights)
    assert "c" not in two.predict(X)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration(method: str) -> None:
    one = LABELS == "b"
    for Y in (LABELS, one):
        for ensemble in (True, False):
            calibrated = CalibratedClassifierCV(classifier(), method=method, ensemble=ensemble)
            probabilities = calibrated.fit(X, Y).predict_proba(X)
            np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
            assert calibrated.score(X, Y) > 0.8
    fitted = classifier().fit(X, one)
    frozen = CalibratedClassifierCV(FrozenEstimator(fitted), method=method).fit(X, one)
    decisions, probabilities = fitted.decision_function(X), frozen.predict_proba(X)[:, 1]
    assert (np.diff(probabilities[np.argsort(decisions)]) >= 0).all()


@pytest.mark.parametrize("loss", ["auto", "softmax_cross_entropy", "binary_cross_entropy"])
def test_one_against_the_rest(loss: str) -> None:
    """By one decision for each row: two columns made it write out of bounds."""
    model = classifier(loss=loss)
    rest = OneVsRestClassifier(model).fit(X, LABELS)
    decisions = [
        clone(model).fit(X, (name == LABELS).astype(int)).decision_function(X) for name in "abc"
    ]
    assert np.array_equal(rest.predict(X), np.array(["a", "b", "c"])[np.argmax(decisions, axis=0)])
    one = LABELS == "b"
    assert np.array_equal(
        OneVsRestClassifier(model).fit(X, one).predict(X), decisions[1] > np.zeros(90)
    )
    columns = np.stack([one, LABELS == "c"], axis=1).astype(int)
    several = OneVsRestClassifier(model).fit(X, columns)
    assert np.array_equal(several.predict(X), (np.array(decisions[1:]) > 0).T)
    assert OneVsOneClassifier(model).fit(X, LABELS).score(X, LABELS) > 0.8


def test_regressors_against_the_rest() -> None:
    rest = OneVsRestClassifier(regressor()).fit(X, LABELS)
    assert rest.score(X, LABELS) > 0.8


def test_several_outputs() -> None:
    columns = np.stack([NUMBERS, -2 * NUMBERS], axis=1)
    several = MultiOutputRegressor(regressor()).fit(X, columns)
    wanted = [regressor().fit(X, column).predict(X) for column in columns.T]
    assert np.array_equal(several.predict(X), np.transpose(wanted))
    assert several.score(X, columns) > 0.9


def test_transformed_targets() -> None:
    model = TransformedTargetRegressor(regressor(), func=np.log, inverse_func=np.exp)
    wanted = np.exp(regressor().fit(X, np.log(NUMBERS)).predict(X))
    assert np.array_equal(model.fit(X, NUMBERS).predict(X), wanted)
    assert model.score(X, NUMBERS) > 0.9


def test_inspection() -> None:
    fitted = regressor().fit(X, NUMBERS)
    importances = permutation_importance(fitted, X, NUMBERS, n_repeats=3, random_state=0)
    assert np.argsort(importances.importances_mean)[::-1][:2].tolist() == [0, 1]
    found = partial_dependence(fitted, X, [0], grid_resolution=4)
    for value, mean in zip(found["grid_values"][0], found["average"][0], strict=True):
        rows = X.copy()
        rows[:, 0] = value
        assert mean == pytest.approx(fitted.predict(rows).mean(), rel=1e-12)
    assert (np.diff(found["average"][0]) > 0).all()
    classes = partial_dependence(classifier().fit(X, LABELS), X, [0], grid_resolution=4)
    assert classes["average"].shape == (3, 4)
    two = partial_dependence(classifier().fit(X, LABELS == "a"), X, [0], grid_resolution=4)
    assert (np.diff(two["average"][0]) > 0).all()


# ----------------------------------------------------------------------------------------- routing


@pytest.fixture
def _routing() -> Iterator[None]:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


WEIGHTS = np.where(LABELS == "a", 0.2, 1.0 + np.arange(90) % 2)


@pytest.mark.usefixtures("_routing")
def test_weights_are_passed_on() -> None:
    """Through a pipeline in a search, to ``fit`` and to ``score``."""
    model = classifier().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    pipe = Pipeline([("scaler", scaler), ("mlp", model)])
    if tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 8):
        pipe.set_score_request(sample_weight=True)
    search = GridSearchCV(pipe, {"mlp__hidden": [6]}, cv=FOLDS, error_score="raise")
    search.fit(X, LABELS, sample_weight=WEIGHTS)
    scaled = StandardScaler().fit_transform(X)
    wanted = classifier().fit(scaled, LABELS, sample_weight=WEIGHTS)
    assert same_weights(search.best_estimator_["mlp"].get_weights(), wanted.get_weights())
    scores = []
    for train, test in FOLDS.split(X, LABELS):
        scaler = StandardScaler().fit(X[train])
        fold = classifier().fit(
            scaler.transform(X[train]), LABELS[train], sample_weight=WEIGHTS[train]
        )
        scores.append(fold.score(scaler.transform(X[test]), LABELS[test], WEIGHTS[test]))
    assert search.best_score_ == pytest.approx(np.mean(scores), rel=1e-12)


@pytest.mark.usefixtures("_routing")
def test_what_was_not_asked_for_is_refused() -> None:
    with pytest.raises(UnsetMetadataPassedError, match="Trainer"):
        GridSearchCV(classifier(), {}, cv=FOLDS).fit(X, LABELS, sample_weight=WEIGHTS)
    scaler = StandardScaler().set_fit_request(sample_weight=True)
    pipe = make_pipeline(scaler, classifier().set_fit_request(sample_weight=False))
    pipe.fit(X, LABELS, sample_weight=WEIGHTS)
    wanted = classifier().fit(pipe[:-1].transform(X), LABELS)
    assert same_weights(pipe[-1].get_weights(), wanted.get_weights())


@pytest.mark.usefixtures("_routing")
def test_weights_of_another_name() -> None:
    """To each method its own; to an ensemble as to a trainer."""
    for model in (classifier(), Ensemble(classifier(), 2)):
        model.set_fit_request(sample_weight="w").set_score_request(sample_weight="v")
        params = {"w": WEIGHTS, "v": 3 - WEIGHTS}
        scores = cross_val_score(model, X, LABELS, cv=FOLDS, params=params, error_score="raise")
        for score, (train, test) in zip(scores, FOLDS.split(X, LABELS), strict=True):
            fold = clone(model).fit(X[train], LABELS[train], sample_weight=WEIGHTS[train])
            assert score == fold.score(X[test], LABELS[test], 3 - WEIGHTS[test])


# ---------------------------------------------------------------------------- workers and pickles


def usable() -> int:
    return usable_threads(None)


@pytest.mark.threading
@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.costly)])
def test_two_workers(backend: str) -> None:
    grid = {"hidden": [3, 6], "learning_rate": [0.01, 0.03]}
    wanted = GridSearchCV(classifier(), grid, cv=FOLDS).fit(X, LABELS)
    with warnings.catch_warnings():
        # The cores of a process are not for its threads to find out in some containers.
        warnings.filterwarnings("ignore", category=UserWarning, module="joblib")
        with parallel_config(backend, n_jobs=2):
            search = GridSearchCV(classifier(), grid, cv=FOLDS).fit(X, LABELS)
            threads = Parallel()(delayed(usable)() for _ in range(4))
    for name in ("mean_test_score", "std_test_score"):
        assert search.cv_results_[name].tolist() == wanted.cv_results_[name].tolist()
    assert np.array_equal(search.predict_proba(X), wanted.predict_proba(X))
    if backend == "loky":
        assert max(threads) <= max(1, processors() // 2)


@pytest.mark.parametrize("module", [pickle, cloudpickle])
def test_pickles(module: Any) -> None:
    seen: list[int] = []
    callback = {} if module is pickle else {"callbacks": lambda *_: seen.append(1)}
    pipe = make_pipeline(StandardScaler(), classifier(**callback)).fit(X, LABELS)
    with sklearn.config_context(enable_metadata_routing=True):
        pipe[-1].set_fit_request(sample_weight=True)
        again = pickle.loads(module.dumps(pipe))
        assert again[-1].get_metadata_routing().fit.requests["sample_weight"] is True
    assert np.array_equal(again.predict_proba(X), pipe.predict_proba(X))
    assert same_weights(again.fit(X, LABELS)[-1].get_weights(), pipe[-1].get_weights())


# ------------------------------------------------------------------------------- trials that end


class PrunedError(Exception):
    """As that of Optuna."""


def test_trials_that_are_pruned() -> None:
    """By an exception, which leaves the epochs before it; or by a stop, in each fold."""

    def prune(trainer: Trainer, epoch: int, logs: Any) -> None:
        if epoch == 2:
            raise PrunedError

    model = classifier(callbacks=prune)
    with pytest.raises(PrunedError):
        cross_val_score(model, X, LABELS, cv=FOLDS, error_score="raise")
    with pytest.raises(PrunedError):
        model.fit(X, LABELS)
    assert (model.n_iter_, model.stop_reason_) == (3, "exception")
    assert np.array_equal(model.predict(X), classifier(epochs=3).fit(X, LABELS).predict(X))

    def stop(trainer: Trainer, epoch: int, logs: Any) -> None:
        trainer.stop_training = epoch == 2

    stopping = cross_validate(
        classifier(callbacks=stop), X, LABELS, cv=FOLDS, return_estimator=True
    )["estimator"]
    assert [model.n_iter_ for model in stopping] == [3, 3, 3]
    assert [model.stop_reason_ for model in stopping] == 3 * ["callback"]


# --------------------------------------------------------------------------------------- ensembles


def test_ensembles() -> None:
    ensemble = Ensemble(classifier(), 2)
    assert cross_val_score(ensemble, X, LABELS, cv=FOLDS).tolist() == by_hand(ensemble, X, LABELS)
    grid = {"k": [1, 3], "trainer__hidden": [2, 6]}
    search = GridSearchCV(ensemble, grid, cv=FOLDS, error_score="raise").fit(X, LABELS)
    k, hidden = (search.best_params_[name] for name in ("k", "trainer__hidden"))
    wanted = Ensemble(classifier(hidden), k).fit(X, LABELS)
    assert np.array_equal(search.predict_proba(X), wanted.predict_proba(X))
    codes = np.unique(LABELS, return_inverse=True)[1]
    voting = VotingClassifier([("one", ensemble), ("two", classifier())], voting="soft")
    means = [model.fit(X, codes).predict_proba(X) for model in (ensemble, classifier())]
    np.testing.assert_allclose(
        voting.fit(X, LABELS).predict_proba(X), np.mean(means, axis=0), rtol=1e-6
    )
    assert OneVsRestClassifier(ensemble).fit(X, LABELS).score(X, LABELS) > 0.8
    assert CalibratedClassifierCV(ensemble).fit(X, LABELS).score(X, LABELS) > 0.8
    numbers = VotingRegressor([("one", Ensemble(regressor(), 2))]).fit(X, NUMBERS)
    assert numbers.score(X, NUMBERS) > 0.9
