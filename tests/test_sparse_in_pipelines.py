"""Sparse rows of scikit-learn's transformers: what trainers and estimators make of them."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, MaxAbsScaler, OneHotEncoder, StandardScaler

from fastmlp import Ensemble, MLPClassifier, Trainer, fit_many
from tests.helpers.basics import needs_compiler
from tests.helpers.models import same_weights

pytestmark = [
    needs_compiler,
    pytest.mark.filterwarnings("ignore::fastmlp.FitWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:scipy.optimize:DeprecationWarning"),  # of scikit-learn 1.6
]

_rng = np.random.default_rng(0)
LABELS = np.array(["news", "sport", "weather"])[np.arange(120) % 3]
_WORDS = np.array([f"word{k}" for k in range(60)])
# A document has seven words of any, and three of the ten of its class.
DOCUMENTS = [
    " ".join([*_rng.choice(_WORDS, 7), *_rng.choice(_WORDS[10 * k : 10 * k + 10], 3)])
    for k in np.arange(120) % 3
]
TABLE = pd.DataFrame(
    {
        "text": DOCUMENTS,
        "city": _rng.choice(list("abcdefgh"), 120),
        "size": np.arange(120) % 3 + _rng.normal(0, 0.5, 120),
    }
)
COUNTS = CountVectorizer().fit_transform(DOCUMENTS)
FOLDS = StratifiedKFold(3)


def classifier(hidden: Any = 6, **options: Any) -> Trainer:
    settings = {"epochs": 10, "batch_size": 16, "learning_rate": 0.03, "seed": 0}
    return Trainer(hidden, **{**settings, **options})


def estimator(**options: Any) -> Any:
    settings = {"max_iter": 10, "batch_size": 16, "learning_rate_init": 0.03, "random_state": 0}
    return MLPClassifier(6, **{**settings, **options})


MODELS = {"trainer": classifier, "estimator": estimator}
TRANSFORMERS: dict[str, tuple[Any, Any]] = {
    "counts": (CountVectorizer(), DOCUMENTS),
    "tfidf": (TfidfVectorizer(), DOCUMENTS),
    "float32": (TfidfVectorizer(dtype=np.float32, ngram_range=(1, 2)), DOCUMENTS),
    "hashes": (HashingVectorizer(n_features=2**12), DOCUMENTS),
    "dicts": (DictVectorizer(), [{word: 1 for word in text.split()} for text in DOCUMENTS]),
    "tokens": (FeatureHasher(2**10, input_type="string"), [text.split() for text in DOCUMENTS]),
    "one-hot": (OneHotEncoder(), TABLE[["city"]]),
    "bins": (KBinsDiscretizer(5, quantile_method="averaged_inverted_cdf"), TABLE[["size"]]),
    "columns": (
        make_column_transformer(
            (TfidfVectorizer(), "text"), (OneHotEncoder(), ["city"]), (MaxAbsScaler(), ["size"]),
            sparse_threshold=1,
        ),
        TABLE,
    ),
}  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", TRANSFORMERS)
def test_pipelines(kind: str, model: str) -> None:
    """As a fit of the dense rows, for which "auto" is another scaling."""
    transformer, rows = TRANSFORMERS[kind]
    given = {} if model == "estimator" else {"dtype": "float64"}
    pipe = make_pipeline(clone(transformer), MODELS[model](**given)).fit(rows, LABELS)
    transformed = pipe[:-1].transform(rows)
    assert sparse.issparse(transformed)
    scaling = {} if model == "estimator" else {"scaling": None}
    dense = MODELS[model](**given, **scaling).fit(transformed.toarray(), LABELS)
    rtol = 1e-4 if kind == "float32" and model == "estimator" else 1e-9
    np.testing.assert_allclose(
        pipe.predict_proba(rows), dense.predict_proba(transformed.toarray()), rtol=rtol
    )
    if "text" in kind or "counts" in kind:
        assert pipe.score(rows, LABELS) > 0.8


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "step", [StandardScaler(with_mean=False), MaxAbsScaler(), TruncatedSVD(20, random_state=0),
             SelectKBest(chi2, k=20)], ids=repr,
)  # fmt: skip
def test_steps_in_between(step: Any, model: str) -> None:
    pipe = make_pipeline(CountVectorizer(), clone(step), MODELS[model]())
    pipe.fit(DOCUMENTS, LABELS)
    wanted = MODELS[model]().fit(clone(pipe[:-1]).fit_transform(DOCUMENTS, LABELS), LABELS)
    rows = pipe[:-1].transform(DOCUMENTS)
    assert np.array_equal(pipe.predict_proba(DOCUMENTS), wanted.predict_proba(rows))
    assert pipe.score(DOCUMENTS, LABELS) > 0.8


@pytest.mark.parametrize("model", MODELS)
def test_scores_and_searches(model: str) -> None:
    pipe = make_pipeline(CountVectorizer(), MODELS[model]())
    scores = cross_val_score(pipe, DOCUMENTS, LABELS, cv=FOLDS, error_score="raise")
    wanted = [
        clone(pipe)
        .fit(TABLE["text"].iloc[train], LABELS[train])
        .score(TABLE["text"].iloc[test], LABELS[test])
        for train, test in FOLDS.split(TABLE, LABELS)
    ]
    assert scores.tolist() == wanted
    assert scores.mean() > 0.5
    name = "hidden" if model == "trainer" else "hidden_layer_sizes"
    search = GridSearchCV(MODELS[model](), {name: [2, 8]}, cv=FOLDS, error_score="raise")
    search.fit(COUNTS, LABELS)
    best = MODELS[model]().set_params(**search.best_params_).fit(COUNTS, LABELS)
    assert np.array_equal(search.predict_proba(COUNTS), best.predict_proba(COUNTS))
    probabilities = cross_val_predict(
        MODELS[model](), COUNTS, LABELS, cv=FOLDS, method="predict_proba"
    )
    assert probabilities.shape == (120, 3)


@pytest.mark.parametrize("model", MODELS)
def test_meta_estimators(model: str) -> None:
    one = MODELS[model]()
    members = [("one", one), ("linear", LogisticRegression())]
    every = [
        VotingClassifier(members, voting="soft"), StackingClassifier(members, cv=3),
        CalibratedClassifierCV(one, cv=3), OneVsRestClassifier(one),
        BaggingClassifier(one, 2, max_features=50, random_state=0),
    ]  # fmt: skip
    for meta in every:
        assert meta.fit(COUNTS, LABELS).score(COUNTS, LABELS) > 0.8
    calibrated = every[2].calibrated_classifiers_[0].estimator
    train, _ = next(FOLDS.split(COUNTS, LABELS))
    codes = np.unique(LABELS, return_inverse=True)[1]
    wanted = MODELS[model]().fit(COUNTS[train], codes[train])
    assert np.array_equal(calibrated.predict_proba(COUNTS), wanted.predict_proba(COUNTS))
    fitted = one.fit(COUNTS[:, :40], LABELS)
    found = permutation_importance(
        fitted, COUNTS[:, :40].toarray(), LABELS, n_repeats=2, random_state=0
    )
    assert found.importances_mean[:30].mean() > 0.001


def test_learning_curves_by_partial_fit() -> None:
    for model in (Trainer(6, seed=0), estimator()):
        sizes, _, scores = learning_curve(
            model, COUNTS, LABELS, train_sizes=[20, 60], exploit_incremental_learning=True,
            shuffle=True, cv=FOLDS, random_state=0, error_score="raise",
        )  # fmt: skip
        assert sizes.tolist() == [20, 60]
        assert np.isfinite(scores).all()


def test_ensembles() -> None:
    ensemble = Ensemble(classifier(), 2).fit(COUNTS, LABELS)
    members = [model.predict_proba(COUNTS) for model in ensemble.members]
    np.testing.assert_allclose(ensemble.predict_proba(COUNTS), np.mean(members, axis=0), rtol=1e-6)
    scores = cross_val_score(Ensemble(classifier(), 2), COUNTS, LABELS, error_score="raise")
    assert scores.mean() > 0.5


def test_pickles_and_clones() -> None:
    for model in (classifier(), estimator()):
        pipe = make_pipeline(TfidfVectorizer(), model).fit(DOCUMENTS, LABELS)
        again = pickle.loads(pickle.dumps(pipe))
        assert np.array_equal(again.predict_proba(DOCUMENTS), pipe.predict_proba(DOCUMENTS))
        new = clone(pipe).fit(DOCUMENTS, LABELS)
        assert np.array_equal(new.predict_proba(DOCUMENTS), pipe.predict_proba(DOCUMENTS))


def test_frames_of_sparse_columns() -> None:
    """As ``set_output`` makes them where a transformer's output is sparse."""
    vectorizer = CountVectorizer().fit(DOCUMENTS)
    names = vectorizer.get_feature_names_out()
    frame = pd.DataFrame.sparse.from_spmatrix(COUNTS, columns=names)
    for model in (classifier(scaling="max_abs"), estimator()):
        given = clone(model).fit(frame, LABELS)
        assert given.feature_names_in_.tolist() == names.tolist()
        plain = clone(model).fit(COUNTS, LABELS)
        np.testing.assert_allclose(
            given.predict_proba(frame), plain.predict_proba(COUNTS), rtol=1e-5
        )


def test_rows_of_several_fits() -> None:
    """Each trainer takes its rows of one sparse matrix."""
    folds = [train for train, _ in FOLDS.split(COUNTS, LABELS)]
    flags = np.isin(np.arange(120), folds[0])
    trainers = [classifier(hidden) for hidden in (3, 6, 4, 5)]
    fit_many(trainers, COUNTS, LABELS, [folds[0], folds[1], flags, None])
    for trainer, rows in zip(trainers, [folds[0], folds[1], folds[0], np.arange(120)], strict=True):
        wanted = clone(trainer).fit(COUNTS[rows], LABELS[rows])
        assert same_weights(trainer.get_weights(), wanted.get_weights())
