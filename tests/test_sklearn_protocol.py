"""What a trainer and an ensemble tell scikit-learn of themselves."""

import copy
import inspect
import pickle
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

import fastmlp
from fastmlp import EarlyStopping, Ensemble, MLPClassifier, Trainer
from fastmlp.losses import LOSSES
from fastmlp.settings import SETTINGS
from tests.helpers.basics import Array, needs_compiler
from tests.helpers.models import X, Y, fitted, trainer
from tests.helpers.processes import run

NUMBERS = X[:, 0] + 0.5


def nothing(*_: Any) -> None:
    """A callback."""


# ------------------------------------------------------------------------------------- parameters


def test_parameters_are_the_settings_as_given() -> None:
    stopping, hidden = EarlyStopping(patience=3), [8, 4]
    model = Trainer(hidden, early_stopping=stopping, epochs=3)
    for params in (model.get_params(), model.get_params(deep=False)):
        assert tuple(params) == SETTINGS == tuple(inspect.signature(Trainer).parameters)
        assert params["hidden"] is hidden
        assert params["early_stopping"] is stopping
    assert repr(Trainer(**model.get_params())) == repr(model)


def test_parameters_are_set() -> None:
    model = trainer()
    assert model.set_params(hidden=3, learning_rate=0.5) is model
    assert (model.hidden, model.learning_rate) == (3, 0.5)
    assert model.set_params() is model


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ({"lr": 0.1}, ValueError, r"Trainer has no setting 'lr'; did you mean 'learning_rate'\?"),
        ({"foo": 1}, ValueError, "Trainer has no setting 'foo'; there are hidden, activation"),
        ({"model_": 1}, ValueError, "Trainer has no setting 'model_'"),
        ({"optimizer__momentum": 1}, ValueError, "'optimizer' is set as a whole, .*__momentum"),
        ({"foo__bar": 1}, ValueError, "Trainer has no setting 'foo__bar'"),
        ({"epochs": 0}, ValueError, "epochs must be 'auto' or an integer"),
        ({"epochs": 2.5}, TypeError, "epochs must be"),
    ],
)
def test_bad_parameters_change_nothing(
    bad: dict[str, Any], error: type[Exception], message: str
) -> None:
    model = trainer()
    for settings in ({"hidden": 3, **bad}, {**bad, "hidden": 3}):
        with pytest.raises(error, match=message):
            model.set_params(**settings)
    assert repr(model) == repr(trainer())


@needs_compiler
def test_a_rate_that_is_set_ends_that_of_a_callback() -> None:
    """As an assignment does. In a fit, the parameter is the setting itself."""
    seen = []

    def slower(model: Trainer, *_: Any) -> None:
        model.learning_rate = 0.001
        seen.extend([model.get_params()["learning_rate"], clone(model).learning_rate])

    model = fitted(callbacks=slower)
    assert seen == 3 * [0.01, 0.01]
    assert model.model_.rate == 0.001
    assert model.set_params(learning_rate=0.02).model_.rate is None


# ------------------------------------------------------------------------------------------ clones


@needs_compiler
def test_clones_have_the_settings_alone() -> None:
    class Own(Trainer):
        pass

    model = Own(8, epochs=2, callbacks=nothing, seed=0).fit(X, Y)
    new = clone(model)
    assert type(new) is Own
    assert repr(new) == repr(model)
    assert new.callbacks is model.callbacks
    assert not hasattr(new, "model_")
    assert (new.history, new.n_iter_, new.stop_reason_, new.auto_) == ({}, 0, "", {})
    assert np.array_equal(new.fit(X, Y).predict_proba(X), model.predict_proba(X))


def test_clones_of_subclasses_keep_what_their_constructors_have_set() -> None:
    class Narrow(Trainer):
        def __init__(self, width: int = 3, *, tag: str = "") -> None:
            super().__init__(width, epochs=2)
            self.tag_ = tag

    model = Narrow(5, tag="a").set_params(l2=0.5)
    for new in (clone(model), Ensemble(model, 1).set_params(k=2).members[1]):
        assert isinstance(new, Narrow)
        assert (repr(new), new.tag_) == ("Narrow(hidden=5, l2=0.5, epochs=2)", "a")
    assert clone(Ensemble(model, 1)).members[0].tag_ == "a"


@needs_compiler
def test_an_ensemble_has_parameters() -> None:
    ensemble = Ensemble(trainer(callbacks=nothing), 2).fit(X, Y)
    assert set(ensemble.get_params(deep=False)) == {"trainer", "k"}
    assert ensemble.get_params()["trainer__epochs"] == 3
    new = clone(ensemble)
    assert repr(new) == repr(ensemble) == f"Ensemble({trainer(callbacks=nothing)!r}, k=2)"
    assert [member.seed for member in new.members] == [m.seed for m in ensemble.members]
    assert new.members[0].callbacks is nothing
    with pytest.raises(NotFittedError):
        check_is_fitted(new)
    # As searches draw it.
    assert new.set_params(k=np.int64(3), trainer__hidden=2, trainer__seed=5) is new
    wanted = Ensemble(trainer(2, callbacks=nothing, seed=5), 3)
    assert repr(new) == repr(wanted)
    assert [repr(member) for member in new.members] == [repr(m) for m in wanted.members]
    assert repr(new.set_params(trainer=trainer(4), trainer__epochs=1)) == repr(
        Ensemble(trainer(4, epochs=1), 3)
    )
    before = ensemble.predict(X)
    assert np.array_equal(ensemble.set_params().predict(X), before)


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ({"seed": 0}, ValueError, r"parameters must be trainer, k, or .*; got \['seed'\]"),
        ({"trainer__lr": 0.1}, ValueError, "Trainer has no setting 'lr'"),
        ({"trainer": 3, "trainer__epochs": 3}, TypeError, "trainer must be a Trainer; got int"),
        ({"k": 0}, ValueError, "k must be an integer >= 1"),
    ],
)
def test_bad_parameters_of_an_ensemble_change_nothing(
    bad: dict[str, Any], error: type[Exception], message: str
) -> None:
    ensemble = Ensemble(trainer(), 2)
    members = ensemble.members
    with pytest.raises(error, match=message):
        ensemble.set_params(trainer__hidden=3, **bad)
    assert repr(ensemble) == repr(Ensemble(trainer(), 2))
    assert ensemble.members is members


def test_an_ensemble_keeps_its_settings() -> None:
    """Those of the trainer may change later, and do not change by those of the ensemble."""
    given = trainer()
    ensemble = Ensemble(given, 2).set_params(trainer__l2=0.5)
    given.epochs = 7
    assert (given.l2, clone(ensemble).members[0].epochs) == (0.0, 3)


# -------------------------------------------------------------------------------------------- tags


@pytest.mark.parametrize("loss", ["auto", *LOSSES])
def test_tags(loss: str) -> None:
    is_numeric = loss in ("squared_error", "absolute_error", "huber", "quantile", "poisson")
    for model in (Trainer(loss=loss), Ensemble(Trainer(loss=loss), 2)):
        assert (is_classifier(model), is_regressor(model)) == (not is_numeric, is_numeric)
        assert hasattr(model, "predict_proba") is not is_numeric
        assert hasattr(make_pipeline(model), "predict_proba") is not is_numeric
        tags = get_tags(model)
        assert tags.target_tags.required
        assert tags.target_tags.multi_output is is_numeric
        assert tags.target_tags.positive_only is (loss == "poisson")
        assert (tags.classifier_tags is None, tags.regressor_tags is None) == (
            is_numeric, not is_numeric,
        )  # fmt: skip
        assert tags.input_tags.categorical
        assert not tags.input_tags.allow_nan
        assert tags.input_tags.sparse
    gaps = get_tags(Trainer(missing="impute")).input_tags
    assert (gaps.allow_nan, gaps.sparse) == (True, False)


@pytest.mark.parametrize(
    "kind", [Trainer, lambda **given: Ensemble(Trainer(**given), 2), MLPClassifier]
)
def test_tags_of_scalings(kind: Any) -> None:
    """Sparse rows are for those that leave zeros as they are."""
    for scaling in ("auto", "max_abs", None, 0.5, [1.0, 2.0]):
        assert get_tags(kind(scaling=scaling)).input_tags.sparse
    for scaling in ("standard", "robust", "piecewise", "quantile"):
        assert not get_tags(kind(scaling=scaling)).input_tags.sparse


@needs_compiler
def test_a_fit_decides_what_auto_is() -> None:
    for model in (trainer(), Ensemble(trainer(), 1)):
        assert is_classifier(model.fit(X, Y))
        assert model.classes_.tolist() == [0, 1, 2]
        assert is_regressor(model.fit(X, NUMBERS))
        assert not hasattr(model, "predict_proba")
        assert not hasattr(model, "classes_")
        assert is_classifier(clone(model))
    assert is_classifier(fitted().set_params(loss="softmax_cross_entropy"))
    assert is_regressor(fitted().set_params(loss="squared_error"))


@needs_compiler
@pytest.mark.parametrize("make", [trainer, lambda: Ensemble(trainer(), 1)])
def test_what_a_fit_leaves(make: Any) -> None:
    model = make()
    with pytest.raises(NotFittedError):
        check_is_fitted(model)
    assert not any(hasattr(model, name) for name in ("classes_", "n_features_in_"))
    assert has_fit_parameter(model, "sample_weight")
    assert model.fit(pd.DataFrame(X, columns=list("abcd")), Y) is model
    check_is_fitted(model)
    assert model.n_features_in_ == 4
    assert model.feature_names_in_.tolist() == list("abcd")
    assert not hasattr(model.fit(X, Y), "feature_names_in_")


def test_probabilities_are_documented() -> None:
    """The method that may not exist is one of the class all the same."""
    for kind in (Trainer, Ensemble):
        assert list(inspect.signature(kind.predict_proba).parameters) == ["self", "X"]
        assert "probabilit" in str(kind.predict_proba.__doc__)
    for model in (trainer(), Ensemble(trainer(), 1)):
        with pytest.raises(fastmlp.NotFittedError):
            model.predict_proba(X)


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_decisions_of_two_classes(dtype: str) -> None:
    """The log-odds of the second one: positive where it is predicted."""
    names = np.array(["no", "yes"])[(Y > 0).astype(int)]
    for loss in ("softmax_cross_entropy", "binary_cross_entropy"):
        model = trainer(loss=loss, dtype=dtype).fit(X, names)
        decisions: Array = model.decision_function(X)
        assert decisions.shape == (60,)
        assert decisions.dtype == dtype
        assert np.array_equal(model.predict(X) == "yes", decisions > 0)
        p = model.predict_proba(X)
        tolerance = 1e-5 if dtype == "float32" else 1e-12
        np.testing.assert_allclose(decisions, np.log(p[:, 1] / p[:, 0]), rtol=tolerance, atol=1e-6)
    given = trainer()
    given.set_weights([np.array([[1.0, -1.0]]), np.array([0.5, 0.25])])
    np.testing.assert_allclose(given.decision_function([[2.0], [-2.0]]), [-4.25, 3.75], rtol=1e-6)


# ----------------------------------------------------------------------------------------- display


def test_diagrams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the trainer and of what is around it; plain text without scikit-learn."""
    model, ensemble = Trainer(17), Ensemble(Trainer(17), 2)
    for shown in (model, ensemble, make_pipeline(model)):
        html = shown._repr_html_()
        assert "Trainer(hidden=17)" in html
        assert "Not fitted" in html
    with sklearn.config_context(display="text"):
        assert model._repr_html_() is None
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert model._repr_html_() is ensemble._repr_html_() is None


ALONE = """
import copy, pickle, sys
import numpy as np
from fastmlp import Ensemble, Trainer
X = np.random.default_rng(0).normal(size=(60, 4))
for model in (Trainer(4, epochs=1), Ensemble(Trainer(4, epochs=1), 2)):
    model.set_params(**model.get_params(deep=False)).fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0)
    repr(pickle.loads(pickle.dumps(copy.deepcopy(model)))), hasattr(model, "predict_proba")
    assert not repr(model.__sklearn_clone__()).endswith("k=8)")
    assert model.__sklearn_is_fitted__()
assert not [name for name in sys.modules if name.partition(".")[0] == "sklearn"]
sys.modules["sklearn"] = None
assert model._repr_html_() is None
"""


@needs_compiler
@pytest.mark.costly
def test_scikit_learn_is_not_imported() -> None:
    run(ALONE)


# ----------------------------------------------------------------------------------------- routing


def test_requests() -> None:
    with pytest.raises(RuntimeError, match="enable_metadata_routing=True"):
        trainer().set_fit_request(sample_weight=True)
    with sklearn.config_context(enable_metadata_routing=True):
        model = trainer()
        requests = model.get_metadata_routing()
        assert requests.fit.requests == {"sample_weight": None, "validation_data": None}
        assert requests.partial_fit.requests == {"classes": None, "sample_weight": None}
        assert requests.score.requests == {"sample_weight": None}
        assert (
            model.set_fit_request(sample_weight=True).set_score_request(sample_weight="w") is model
        )
        model.set_partial_fit_request(classes=True).set_fit_request(validation_data=False)
        for same in (model, clone(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            requests = same.get_metadata_routing()
            assert requests.fit.requests == {"sample_weight": True, "validation_data": False}
            assert requests.partial_fit.requests == {"classes": True, "sample_weight": None}
            assert requests.score.requests == {"sample_weight": "w"}
        for bad, error, message in (
            ({"X": True}, TypeError, r"set_fit_request takes .*sample_weight.*; got \['X'\]"),
            ({"sample_weight": "not a name"}, ValueError, "alias"),
        ):
            with pytest.raises(error, match=message):
                model.set_fit_request(**bad)
            assert model.get_metadata_routing().fit.requests["sample_weight"] is True
        ensemble = Ensemble(trainer(), 1).set_fit_request(sample_weight=True)
        routing = clone(ensemble).get_metadata_routing()
        assert routing.fit.requests == {"sample_weight": True, "validation_data": None}
        assert routing.partial_fit.requests == {}


def test_requests_of_a_subclass_that_passes_arguments_on() -> None:
    class Own(Trainer):
        def fit(self, X: Any, Y: Any, costs: Any = None, **others: Any) -> Trainer:  # type: ignore
            return super().fit(X, Y, **others)

    with sklearn.config_context(enable_metadata_routing=True):
        requests = Own().set_fit_request(costs=True).get_metadata_routing().fit.requests
        assert requests == {"costs": True}
        with pytest.raises(TypeError, match=r"arguments among costs; got \['others'\]"):
            Own().set_fit_request(others=True)


def test_a_state_has_no_requests() -> None:
    with sklearn.config_context(enable_metadata_routing=True):
        model = trainer().set_fit_request(sample_weight=True)
        other = trainer()
        other.set_state(model.get_state())
        assert other.get_metadata_routing().fit.requests["sample_weight"] is None
        model.set_state(trainer().get_state())
        assert model.get_metadata_routing().fit.requests["sample_weight"] is True
