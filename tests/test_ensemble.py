"""Several trainers at once, and ensembles of them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastmlp import EarlyStopping, Ensemble, Trainer, fit_many
from tests.helpers.basics import needs_compiler
from tests.helpers.models import OPTIMIZERS, X, Y, numbers, same_weights, trainer

pytestmark = needs_compiler


def several() -> list[Trainer]:
    search = [
        trainer(hidden, **options)
        for hidden in ((), 8, (300, 9))
        for options in OPTIMIZERS.values()
    ]
    search.append(trainer(dropout=0.2, schedule="cosine", l2=1e-3, activation="gelu"))
    stopping = EarlyStopping(patience=1)
    search.append(trainer(epochs=30, validation_fraction=0.3, early_stopping=stopping))
    return search


@pytest.mark.threading
def test_they_are_as_if_fitted_one_by_one() -> None:
    many, one_by_one = several(), several()
    assert fit_many(many, X, Y) == many
    for model, wanted in zip(many, one_by_one, strict=True):
        wanted.fit(X, Y)
        assert same_weights(model.get_weights(), wanted.get_weights())
        assert numbers(model.history) == numbers(wanted.history)


@pytest.mark.threading
@pytest.mark.parametrize("as_frame", [False, True])
def test_rows_for_each(as_frame: bool) -> None:
    folds: list[Any] = [np.arange(60) % 3 != fold for fold in range(3)] + [np.arange(50), None]
    rows = pd.DataFrame(X, columns=list("abcd")) if as_frame else X
    models = fit_many([trainer(seed=k) for k in range(5)], rows, Y, folds)
    for k, (model, fold) in enumerate(zip(models, folds, strict=True)):
        chosen = slice(None) if fold is None else fold
        wanted = trainer(seed=k).fit(X[chosen], Y[chosen])
        assert same_weights(model.get_weights(), wanted.get_weights())
        assert not as_frame or model.feature_names_in_.tolist() == list("abcd")


def test_weights_and_validation() -> None:
    weights = np.arange(60) % 4
    (model,) = fit_many([trainer()], X, Y, sample_weight=weights, validation_data=(X, Y))
    wanted = trainer().fit(X, Y, sample_weight=weights, validation_data=(X, Y))
    assert numbers(model.history) == numbers(wanted.history)


@pytest.mark.threading
def test_one_that_fails_does_not_stop_the_others() -> None:
    """Of several errors the first trainer's is raised."""

    def breaking(message: str) -> Any:
        def broken(*_: Any) -> None:
            raise RuntimeError(message)

        return broken

    models = [
        trainer(), trainer(callbacks=breaking("first")), trainer(seed=1),
        trainer(callbacks=breaking("second")),
    ]  # fmt: skip
    with pytest.raises(RuntimeError, match="first"):
        fit_many(models, X, Y)
    assert [model.n_iter_ for model in models] == [3, 1, 3, 1]


def test_bad_trainers() -> None:
    model = trainer()
    with pytest.raises(TypeError, match=r"trainers\[1\] must be a Trainer; got int"):
        fit_many([model, 3], X, Y)  # type: ignore[list-item]
    with pytest.raises(ValueError, match="trainers must be different objects"):
        fit_many([model, model], X, Y)
    with pytest.raises(ValueError, match="rows must be one for each trainer; got 2"):
        fit_many([model], X, Y, [None, None])
    assert fit_many([], X, Y) == []


# ------------------------------------------------------------------------------------ ensembles


@pytest.mark.threading
def test_an_ensemble_of_classifiers() -> None:
    labels = np.array(["a", "b", "c"])[Y]
    ensemble = Ensemble(trainer(epochs=1), 3).fit(X, labels)
    ensemble_seeds = [member.seed for member in ensemble.members]
    single = [trainer(epochs=1, seed=seed).fit(X, labels) for seed in ensemble_seeds]
    probabilities = np.array([model.predict_proba(X) for model in single])
    assert np.array_equal(ensemble.predict_proba(X), probabilities.mean(axis=0))
    assert np.array_equal(ensemble.spread(X), probabilities.std(axis=0))
    predicted = np.array(["a", "b", "c"])[probabilities.mean(axis=0).argmax(axis=1)]
    assert np.array_equal(ensemble.predict(X), predicted)
    scores = ensemble.evaluate(X, labels)
    assert scores["accuracy"] == ensemble.score(X, labels) == (predicted == labels).mean()
    own = probabilities.mean(axis=0)[np.arange(60), Y]
    assert scores["loss"] == pytest.approx(-np.log(own).mean(), rel=1e-6)
    drawn = np.random.SeedSequence(0).spawn(3)
    assert ensemble_seeds == [int(sequence.generate_state(1)[0]) for sequence in drawn]


LOSSES = ["squared_error", "absolute_error", "huber", "quantile", "poisson"]


@pytest.mark.parametrize("loss", LOSSES)
def test_an_ensemble_of_regressions(loss: str) -> None:
    y = np.round(1000 + 100 * X[:, 0].astype(float))
    weights = 1.0 + np.arange(60) % 3
    one = Ensemble(trainer(loss=loss), 1).fit(X, y)
    # Of one member, the scores are its own.
    wanted = one.members[0].evaluate(X, y, weights)
    got = one.evaluate(X, y, weights)
    assert got == pytest.approx(wanted, rel=1e-4)
    three = Ensemble(trainer(loss=loss), 3).fit(X, y)
    mean = np.mean([member.predict(X) for member in three.members], axis=0)
    assert np.array_equal(three.predict(X), mean)
    assert three.spread(X).shape == (60,)


def test_bad_ensembles() -> None:
    with pytest.raises(TypeError, match="trainer must be a Trainer; got str"):
        Ensemble("trainer")  # type: ignore[arg-type]
    for k, error in ((0, ValueError), (2.0, TypeError), (True, TypeError)):
        with pytest.raises(error, match="k must be an integer >= 1"):
            Ensemble(trainer(), k)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no weights yet"):
        Ensemble(trainer(), 2).predict(X)
