"""What a fit leaves, however it ends, and what changes afterwards."""

import copy
import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn import neural_network
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV

from fastmlp import MLPClassifier, MLPRegressor, Trainer
from tests.estimators.data import (
    WEIGHTS,
    X,
    Y,
    assert_same,
    fitted,
    needs_weights,
    not_converged,
    pair,
)
from tests.helpers.basics import NAN, needs_compiler

pytestmark = [not_converged, needs_compiler]


def classifier(**options: Any) -> Any:
    return MLPClassifier(**{"random_state": 0, "max_iter": 10, **options})


def regressor(**options: Any) -> Any:
    return MLPRegressor(**{"random_state": 0, "max_iter": 10, **options})


def state(model: Any) -> tuple[Any, ...]:
    """All that a rejected call must leave alone."""
    arrays = [array.tobytes() for array in model.coefs_ + model.intercepts_]
    names = ("n_features_in_", "n_outputs_", "loss_curve_", "n_iter_", "t_")
    return arrays, [copy.copy(getattr(model, name)) for name in names], model.predict(X).tobytes()


UNUSABLE: dict[str, tuple[Any, dict[str, Any]]] = {
    "features": ((X[:, :3], Y["pair"]), {}),
    "rows": ((X, Y["pair"][:5]), {}),
    "gaps": ((np.where(X > 1, NAN, X), Y["pair"]), {}),
    "numbers in y": ((X, Y["number"]), {}),
    "columns of classes": ((X, np.column_stack([Y["classes"]] * 2)), {}),
    "weights": ((X, Y["pair"], [1.0]), {}),
    "a parameter": ((X, Y["pair"]), {"alpha": -1}),
    "units": ((X, Y["pair"]), {"hidden_layer_sizes": (3, 0)}),
    "rows held out": ((X[:2], Y["pair"][:2]), {"early_stopping": True}),
    "a fraction": ((X, Y["pair"]), {"early_stopping": True, "validation_fraction": 0}),
}


@pytest.mark.parametrize("call", ["fit", "partial_fit", "warm"])
@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_input_changes_nothing(case: str, call: str) -> None:
    model = classifier().fit(X, Y["pair"])
    before = state(model)
    arguments, options = UNUSABLE[case]
    model.set_params(**options, warm_start=call == "warm")
    if call == "fit" and case == "features":
        arguments = (X[:, :3], Y["number"])  # features alone would do
    with pytest.raises(ValueError, match=r"\w"):
        (model.partial_fit if call == "partial_fit" else model.fit)(*arguments)
    assert state(model) == before


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"hidden_layer_sizes": 7}, "hidden_layer_sizes must be those of the network"),
        ({"activation": "tanh"}, "activation="),
        ({"dtype": "float32"}, "dtype='float32', but the network is of float64"),
        ({"scaling": "standard"}, "scaling='standard', but the network has"),
        ({"loss": "poisson"}, "loss='poisson', but the network is of 'squared_error'"),
    ],
)
def test_another_network(changed: dict[str, Any], message: str, call: str) -> None:
    """Neither a warm start nor ``partial_fit`` can change the network."""
    model = regressor(warm_start=True).fit(X, Y["counts"])
    before = state(model)
    with pytest.raises(ValueError, match=message):
        getattr(model.set_params(**changed), call)(X, Y["counts"])
    assert state(model) == before
    model.set_params(warm_start=False).fit(X, Y["counts"])


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_other_targets(call: str) -> None:
    wrong = [("number", "numbers"), ("numbers", "number"), ("labels", "pair"), ("pair", "labels")]
    for first, then in [*wrong, ("classes", "labels"), ("pair", "classes")]:
        _, model = pair(first, warm_start=True)
        model.fit(X, Y[first])
        before = state(model)
        with pytest.raises(ValueError, match=r"y must have|classes"):
            getattr(model, call)(X, Y[then])
        assert state(model) == before


def test_before_a_fit() -> None:
    for model in (classifier(), regressor()):
        with pytest.raises(NotFittedError):
            model.predict(X)
        assert not hasattr(model, "coefs_")
        assert not hasattr(model, "trainer_")


def test_weights_are_read_only_and_assigned_as_lists() -> None:
    model = classifier().fit(X, Y["classes"])
    with pytest.raises(ValueError, match="read-only"):
        model.coefs_[0][0] = 0
    theirs = neural_network.MLPClassifier(random_state=1, max_iter=5).fit(X, Y["classes"])
    model.coefs_, model.intercepts_ = theirs.coefs_, theirs.intercepts_
    np.testing.assert_allclose(model.predict_proba(X), theirs.predict_proba(X), rtol=1e-10)
    with pytest.raises(ValueError, match="shape"):
        model.coefs_ = theirs.coefs_[::-1]
    with pytest.raises(ValueError, match="size 1"):
        model.coefs_ = theirs.coefs_[:1]


def test_single_weights_cannot_be_assigned() -> None:
    """They would not reach the network."""
    model = classifier().fit(X, Y["classes"])
    with pytest.raises(TypeError, match="as a whole list"):
        model.coefs_[0] = model.coefs_[0] / 2
    assert type(pickle.loads(pickle.dumps(model.coefs_))) is type(model.coefs_)


def test_training_goes_on_from_assigned_weights() -> None:
    """With the state of the optimizer, as in scikit-learn."""
    theirs, ours = fitted("number", solver="sgd", learning_rate="invscaling")
    for one in (theirs, ours):
        one.coefs_ = [array / 2 for array in one.coefs_]
        one.partial_fit(X, Y["number"])
    assert_same(theirs, ours)


def test_the_trainer() -> None:
    model = classifier().fit(X, Y["classes"])
    assert isinstance(model.trainer_, Trainer)
    assert model.trainer_.history["loss"] == model.loss_curve_
    assert (model.trainer_.predict(X) == model.predict(X)).all()
    assert "7 -> 100" in model.trainer_.summary() or "100" in model.trainer_.summary()
    single = classifier(dtype="float32").fit(X, Y["pair"])
    assert (single.trainer_.predict_proba(X) == single.predict_proba(X.astype("f"))).all()


@pytest.mark.parametrize("kind", Y)
def test_copies(kind: str) -> None:
    """A pickle, or a copy, goes on as the original, which its training does not change."""
    options = {"solver": "sgd", "learning_rate": "invscaling", "warm_start": True}
    for early_stopping in (False, True):
        _, model = pair(kind, early_stopping=early_stopping, **options)
        model.fit(X, Y[kind])
        before = state(model)
        copies = [pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]
        assert [state(one) for one in copies] == [before] * 2
        for one in copies:
            one.fit(X, Y[kind])
        assert state(model) == before
        model.fit(X, Y[kind])
        assert [state(one) for one in copies] == [state(model)] * 2
    assert not hasattr(clone(model), "trainer_")


def test_shallow_copies() -> None:
    """Weights of a copy, and its fits, leave the original alone."""
    model = classifier(warm_start=True).fit(X, Y["pair"])
    before = state(model)
    other = copy.copy(model)
    other.coefs_ = [array / 2 for array in other.coefs_]
    other.fit(X, Y["pair"])
    assert state(model) == before != state(other)


def test_fits_in_callbacks() -> None:
    """A callback may fit a copy of the estimator, which is as far as the fit, but not itself."""
    copies, errors = [], []

    def fit_again(trainer: Any, epoch: int, logs: Any) -> None:
        copies.append(copy.deepcopy(model).set_params(callbacks=None).partial_fit(X, Y["pair"]))
        with pytest.raises(RuntimeError, match="is being fitted") as caught:
            model.fit(X, Y["pair"])
        errors.append(caught)

    model = classifier(callbacks=fit_again, max_iter=3, random_state=np.random.RandomState(0))
    model.fit(X, Y["pair"])
    plain = classifier(max_iter=3, random_state=np.random.RandomState(0)).fit(X, Y["pair"])
    assert state(model) == state(plain)
    assert len(errors) == 3
    assert copies[1].loss_curve_[:2] == model.loss_curve_[:2]


def test_trainers_are_not_shared() -> None:
    """Fits of equal parameters have trainers of their own, and a change of one stays there."""
    one, other = (classifier().fit(X, Y["pair"]) for _ in range(2))
    one.trainer_.epochs, one.trainer_.l2 = 1, 1e3
    one.trainer_.set_weights([0 * w for w in one.trainer_.get_weights()])
    again = classifier().fit(X, Y["pair"])
    assert one.trainer_ is not other.trainer_
    assert state(other) == state(again)
    assert other.trainer_.get_params() == again.trainer_.get_params()


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_callback_that_divides_by_zero(early_stopping: bool) -> None:
    """Its error is not taken for a training that diverges."""

    def divide(*args: Any) -> None:
        raise FloatingPointError("divide by zero")

    with pytest.raises(FloatingPointError, match="divide by zero"):
        classifier(early_stopping=early_stopping, callbacks=divide).fit(X, Y["pair"])


def test_a_fit_that_diverges() -> None:
    """The weights are those of the last epoch whose loss was finite."""
    model = regressor(solver="sgd", learning_rate_init=1e3)
    message = "Solver produced non-finite parameter weights. The input data may contain large"
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y["number"])
    assert np.isfinite(model.predict(X)).all()
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, Y["number"])


def test_a_fit_that_diverges_with_early_stopping() -> None:
    """The best weights stay, those drawn first if there were no better ones, as there."""
    options = {"solver": "sgd", "learning_rate_init": 1e3, "early_stopping": True}
    theirs, ours = pair("number", **options)
    with np.errstate(all="ignore"):
        theirs.fit(X, Y["number"])
    ours.fit(X, Y["number"])
    assert np.isnan(ours.loss_curve_[-1])
    assert np.isnan(ours.validation_scores_[-1])
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0])


@pytest.mark.parametrize("early_stopping", [False, True])
def test_interrupts(early_stopping: bool) -> None:
    """A fit that the user interrupts warns, and is one with fewer epochs."""

    def interrupt(trainer: Any, epoch: int, logs: Any) -> None:
        if epoch == 5:
            raise KeyboardInterrupt

    model = regressor(early_stopping=early_stopping, callbacks=interrupt, random_state=3)
    with pytest.warns(UserWarning, match="Training interrupted by user") as caught:
        model.fit(X, Y["number"])
    assert caught[0].filename == __file__
    shorter = regressor(early_stopping=early_stopping, max_iter=6, random_state=3)
    shorter.fit(X, Y["number"])
    assert model.n_iter_ == len(model.loss_curve_) == 6
    assert state(model) == state(shorter)


def test_other_exceptions() -> None:
    """Those of callbacks and scorers pass; the estimator is fitted by the epochs before."""

    def fail(*args: Any) -> float:
        raise RuntimeError("out of reach")

    for options in ({"callbacks": fail}, {"scoring": fail, "early_stopping": True}):
        model = regressor(**options)
        with pytest.raises(RuntimeError, match="out of reach"):
            model.fit(X, Y["number"])
        assert np.isfinite(model.predict(X)).all()
        model.set_params(callbacks=None, scoring=None).fit(X, Y["number"])


def test_warnings_point_to_the_user() -> None:
    with pytest.warns(ConvergenceWarning, match=re.escape("Maximum iterations (2) reached")) as w:
        classifier(max_iter=2).fit(X, Y["pair"])
    assert w[0].filename == __file__
    with pytest.warns(UserWarning, match="larger than sample size. It is going to be clipped"):
        classifier(batch_size=231, solver="adam").fit(X, Y["pair"])


def test_an_end_by_a_callback_is_no_failure(recwarn: Any) -> None:
    def stop(trainer: Any, epoch: int, logs: Any) -> None:
        trainer.stop_training = True

    classifier(callbacks=stop).fit(X, Y["pair"])
    classifier().partial_fit(X, Y["pair"], classes=[2, 5])
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize("rate", ["constant", "adaptive"])
def test_verbose(rate: str, capsys: Any) -> None:
    """The lines of scikit-learn."""
    outputs = []
    options = {"solver": "sgd", "learning_rate": rate, "tol": 0.5, "n_iter_no_change": 2}
    for stopping in ({}, {"early_stopping": True}):
        for one in pair("pair", verbose=True, **options, **stopping):
            one.fit(X, Y["pair"])
            outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
    assert outputs[2] == outputs[3]
    assert ("Setting learning rate to 0.000200" in outputs[0]) == (rate == "adaptive")


def test_early_stopping_that_comes_and_goes() -> None:
    """Scores, or the best loss, begin anew when a warm start stops by the other."""
    model = regressor(warm_start=True).fit(X, Y["number"])
    model.set_params(early_stopping=True).fit(X, Y["number"])
    assert len(model.validation_scores_) == model.n_iter_ == 10
    assert model.best_loss_ is None
    model.set_params(early_stopping=False).fit(X, Y["number"])
    assert model.best_loss_ == min(model.loss_curve_[20:])
    assert model.validation_scores_ is None
    model.set_params(solver="lbfgs").fit(X, Y["number"])
    model.set_params(solver="adam").fit(X, Y["number"])


def test_names_of_classes() -> None:
    """Strings, in arrays and lists, train as numbers do."""
    for kind, names in (("pair", "ab"), ("classes", "abcd")):
        values, indices = np.unique(Y[kind], return_inverse=True)
        names = np.array([f"class {letter}" for letter in names])
        for y in (names[indices], names[indices].astype(object), names[indices].tolist()):
            model = classifier(early_stopping=True).fit(X, y)
            other = classifier(early_stopping=True).fit(X, Y[kind])
            assert model.validation_scores_ == other.validation_scores_
            assert (model.predict(X) == names[np.searchsorted(values, other.predict(X))]).all()


def test_sparse() -> None:
    """Sparse rows and labels give the same; sparse labels are predicted as such."""
    rows, labels = csr_matrix(X), csr_matrix(Y["labels"])
    dense, sparse = classifier().fit(X, Y["labels"]), classifier().fit(rows, labels)
    assert dense.loss_curve_ == sparse.loss_curve_
    assert (sparse.predict(rows).toarray() == dense.predict(X)).all()
    assert isinstance(sparse.predict(X), csr_matrix)


def test_one_class() -> None:
    for one in pair("pair"):
        one.fit(X, np.full(len(X), "only"))
        assert set(one.predict(X)) == {"only"}
        assert one.predict_proba(X).shape == (len(X), 2)


def test_scores_of_one_class() -> None:
    """All predictions are right, as in scikit-learn."""
    for one in pair("pair", early_stopping=True):
        one.fit(X, np.full(len(X), 3))  # scikit-learn 1.7's fails for a string
        assert set(one.validation_scores_) == {1.0}


def test_a_first_partial_fit_that_fails() -> None:
    """It leaves no classes, which a later warm start would have to have."""
    model = classifier(warm_start=True)
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(X * NAN, Y["pair"], classes=[2, 5, 9])
    assert vars(model) == model.get_params()
    model.fit(X, Y["pair"])


@needs_weights
def test_weights_below_zero() -> None:
    """They divide a batch as in scikit-learn, also where their sum is below 0."""
    theirs, ours = fitted("classes", -WEIGHTS, batch_size=50)
    assert_same(theirs, ours)


def test_sparse_numbers() -> None:
    with pytest.raises(TypeError, match=r"y must be dense; .*: call y\.toarray\(\) first"):
        regressor().fit(X, csr_matrix(Y["numbers"]))


def test_partial_fit_without_classes() -> None:
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        classifier().partial_fit(X, Y["pair"])


def test_strings_are_no_numbers() -> None:
    with pytest.raises(ValueError, match="y must hold numbers; got <U"):
        regressor().fit(X, Y["number"].astype(str))


def test_units_are_integers() -> None:
    with pytest.raises(TypeError, match=r"hidden_layer_sizes must be integers, got \[3.0\]"):
        regressor(hidden_layer_sizes=[3.0]).fit(X, Y["number"])


def test_counts_below_zero() -> None:
    with pytest.raises(ValueError, match="loss='poisson' requires y >= 0; got -"):
        regressor(loss="poisson").fit(X, Y["number"])


def test_fits_in_threads() -> None:
    """Several estimators at a time, each as alone."""
    alone = classifier(max_iter=30).fit(X, Y["classes"])
    with ThreadPoolExecutor(4) as pool:
        models = list(pool.map(lambda _: classifier(max_iter=30).fit(X, Y["classes"]), range(8)))
    assert [state(model) for model in models] == [state(alone)] * 8


def test_a_number_of_features_that_is_set() -> None:
    model = classifier().fit(X[:, :3], Y["pair"])
    model.n_features_in_ = 7
    with pytest.raises(ValueError, match="X must have 3 features"):
        model.predict(X)


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.costly)])
def test_a_search(n_jobs: int) -> None:
    """It finds what scikit-learn's would, also in processes."""
    grid = {"alpha": [1e-4, 10.0], "solver": ["adam", "sgd"], "early_stopping": [False, True]}
    results = [
        GridSearchCV(one, grid, cv=3, n_jobs=n_jobs)
        .fit(X, Y["classes"])
        .cv_results_["mean_test_score"]
        for one in pair("classes", max_iter=5)
    ]
    np.testing.assert_allclose(*results)
