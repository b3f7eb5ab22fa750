"""What a fit says of itself, and how one that diverges starts again."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp import Ensemble, FitWarning, Trainer, fit_many
from fastmlp.optimizers import SGD
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, Y, same_weights, trainer

pytestmark = needs_compiler


def test_a_good_fit_says_nothing() -> None:
    trainer(epochs=60).fit(X, Y)


def test_a_loss_that_still_falls() -> None:
    with pytest.warns(FitWarning, match="loss still fell by .* more epochs may help") as told:
        trainer(epochs=12, learning_rate=0.001).fit(X, Y)
    assert len(told) == 1


def test_a_fit_that_goes_on_does_not_know_the_whole_fall() -> None:
    model = trainer(epochs=3, learning_rate=0.001, warm_start=True).fit(X, Y)
    model.epochs = 12
    model.fit(X, Y)


def test_dead_units() -> None:
    def kill(model: Trainer, epoch: int, logs: Any) -> None:
        W, b, *rest = model.get_weights()
        model.set_weights([0 * W, b - 1, *rest])

    with pytest.warns(FitWarning, match="8 of 8 units of hidden layer 1 are 0 for all rows"):
        trainer(epochs=5, callbacks=kill).fit(X, Y)


def test_worse_than_the_mean() -> None:
    targets = X[:, 0].astype(float)

    def spoil(model: Trainer, epoch: int, logs: Any) -> None:
        model.set_weights([3 * np.ones_like(w) for w in model.get_weights()])

    with pytest.warns(FitWarning, match="worse than the mean of Y"):
        trainer(epochs=5, callbacks=spoil).fit(X, targets, validation_data=(X, targets))


def test_worse_than_the_most_frequent_class() -> None:
    few = np.arange(60) % 10 == 0

    def spoil(model: Trainer, epoch: int, logs: Any) -> None:
        *rest, _ = model.get_weights()
        model.set_weights([*(0 * w + 1 for w in rest), np.array([0, 1e3])])

    with pytest.warns(FitWarning, match="worse than the most frequent class"):
        trainer(epochs=5, callbacks=spoil).fit(X, few, validation_data=(X, few))


# ---------------------------------------------------------------------------------------- restarts


def diverging(**options: Any) -> Trainer:
    settings: dict[str, Any] = {
        "optimizer": "sgd", "learning_rate": None, "loss": "squared_error", "epochs": 4,
    }  # fmt: skip
    return trainer(**settings | options)


def test_a_restart_is_reported_and_ends_well() -> None:
    seen: list[int] = []
    model = diverging(callbacks=lambda model, epoch, logs: seen.append(epoch))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model.fit(30 * X, X[:, 0].astype(float))
    texts = [str(warning.message) for warning in told if warning.category is FitWarning]
    assert "diverged with learning_rate=0.1, which was not given" in texts[0]
    assert model.auto_["learning_rate"] < 0.1
    assert model.history["learning_rate"] == pytest.approx([model.auto_["learning_rate"]] * 4)
    assert (model.n_iter_, len(model.history["loss"])) == (4, 4)
    assert seen[-4:] == [0, 1, 2, 3]


def test_a_rate_set_after_a_restart_is_used_as_it_is() -> None:
    def set_rate(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
        model.learning_rate = 1e-5

    model = diverging(callbacks=set_rate)
    with pytest.warns(FitWarning, match="diverged with learning_rate"):
        model.fit(30 * X, X[:, 0].astype(float))
    assert model.history["learning_rate"][1:] == [1e-5] * 3


@pytest.mark.parametrize("where", ["trainer", "optimizer"])
def test_a_rate_that_was_given_is_kept(where: str) -> None:
    own = {"learning_rate": 0.1} if where == "trainer" else {"optimizer": SGD(learning_rate=0.1)}
    with pytest.raises(FloatingPointError, match=r"learning_rate=0\.1"):
        diverging(**own).fit(30 * X, X[:, 0].astype(float))


def test_an_error_of_a_callback_is_no_divergence() -> None:
    def raising(model: Trainer, epoch: int, logs: Any) -> None:
        raise FloatingPointError("of the callback")

    with pytest.raises(FloatingPointError, match="of the callback"):
        diverging(callbacks=raising).fit(X, X[:, 0].astype(float))


def test_it_is_given_up_and_the_trainer_keeps_its_state() -> None:
    targets = X[:, 0].astype(float)
    model = diverging().fit(X, targets)
    weights, history = model.get_weights(), dict(model.history)
    with (
        pytest.warns(FitWarning, match="starts again") as told,
        pytest.raises(FloatingPointError),
    ):
        model.fit(1e15 * X, targets)
    assert len(told) == 3
    assert same_weights(model.get_weights(), weights)
    assert dict(model.history) == history


# ------------------------------------------------------------------------------------ what is said


def test_a_warning_names_the_trainer_and_points_to_the_line() -> None:
    with pytest.warns(FitWarning, match=r"^Trainer\(hidden=8, .*\): loss still fell") as told:
        trainer(epochs=12, learning_rate=0.001, callbacks=[lambda *_: 0] * 99).fit(X, Y)
    assert told[0].filename == __file__
    assert len(str(told[0].message).partition(": ")[0]) <= 110


@pytest.mark.threading
@pytest.mark.parametrize("k", [1, 3])
def test_a_warning_of_one_of_several_fits_has_its_number(k: int) -> None:
    with pytest.warns(FitWarning, match="loss still fell") as told:
        Ensemble(trainer(epochs=12, learning_rate=0.001), k).fit(X, Y)
    (line,) = {warning.lineno for warning in told}
    assert "Ensemble(" in Path(__file__).read_text().splitlines()[line - 1]
    assert {warning.filename for warning in told} == {__file__}
    texts = sorted(str(warning.message) for warning in told)
    assert [text.partition(", ")[0] for text in texts] == [f"member {i}" for i in range(k)]
    assert all("Trainer(hidden=8" in text for text in texts)


def test_other_warnings_of_several_fits_point_to_the_line_too() -> None:
    with pytest.warns(UserWarning, match="^the last rows, kept for validation") as told:
        fit_many([trainer(validation_fraction=0.1)], X, np.arange(60) >= 55)
    assert told[0].filename == __file__


# ------------------------------------------------------------------------------------ class weights


def rare(d: float, n: int = 2_000) -> tuple[Any, Any]:
    """Rows of two classes d standard deviations apart, of which one is rare."""
    labels = np.arange(n) % 10 == 0
    rows = np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32)
    rows[:, 0] += d * labels
    return rows, labels


@pytest.mark.parametrize("weights", ["balanced", {True: 9.0}])
@pytest.mark.parametrize("fraction", [0.0, 0.3])
def test_a_balanced_fit_may_be_less_accurate_than_the_frequent_class(
    weights: Any, fraction: float
) -> None:
    rows, labels = rare(1.6)
    model = trainer((), epochs=30, class_weight=weights, validation_fraction=fraction)
    model.fit(rows, labels)
    recalls = [(model.predict(rows) == labels)[labels == label].mean() for label in (False, True)]
    assert np.mean(recalls) == pytest.approx(0.78, abs=0.03)
    assert model.score(rows, labels) < 0.87  # the frequent class is 0.9 of the rows


def test_a_balanced_fit_worse_than_one_class() -> None:
    rows, labels = rare(1.55)

    def turn(model: Trainer, epoch: int, logs: Any) -> None:
        model.set_weights([-w for w in model.get_weights()])

    model = trainer((), epochs=5, class_weight="balanced", callbacks=turn)
    message = r"worse than one class for all rows \(balanced_accuracy 0\.[23]\d*, of one 0\.5"
    with pytest.warns(FitWarning, match=message):
        model.fit(rows, labels)


# ------------------------------------------------------------------------------------------ streams


def chunks() -> Any:
    return ((X[k::3], Y[k::3]) for k in range(3))


def test_a_good_stream_says_nothing() -> None:
    trainer(epochs=60).fit_stream(chunks, classes=[0, 1, 2])


def spoiling(weights: Any) -> Any:
    def spoil(model: Trainer, epoch: int, logs: Any) -> None:
        model.set_weights(weights(model.get_weights()))

    return spoil


def test_streams_are_diagnosed() -> None:
    with pytest.warns(FitWarning, match="loss still fell by .* more epochs may help"):
        trainer(epochs=12, learning_rate=0.0003).fit_stream(lambda: [(X, Y)])
    dead = spoiling(lambda w: [0 * w[0], w[1] - 1, *w[2:]])
    with pytest.warns(FitWarning, match="8 of 8 units of hidden layer 1 are 0 for all rows"):
        trainer(epochs=5, callbacks=dead).fit_stream(lambda: [(X, Y)])
    targets = X[:, 0].astype(float)
    large = spoiling(lambda w: [3 * np.ones_like(a) for a in w])
    with pytest.warns(FitWarning, match="worse than the mean of Y"):
        trainer(epochs=5, callbacks=large).fit_stream(lambda: [(X, targets)])


@pytest.mark.parametrize("validated", [False, True])
def test_a_stream_worse_than_the_most_frequent_class(validated: bool) -> None:
    few = np.arange(60) % 10 == 0
    wrong = spoiling(lambda w: [*(0 * a + 1 for a in w[:-1]), np.array([0, 1e3])])
    given = {"validation_data": (X, few)} if validated else {}
    with pytest.warns(FitWarning, match=r"the most frequent class \(.* frequency 0\.900\)"):
        trainer(epochs=5, callbacks=wrong).fit_stream(
            lambda: [(X[:30], few[:30]), (X[30:], few[30:])], **given
        )


@pytest.mark.parametrize("order", ["in turn", "one after the other"])
@pytest.mark.parametrize("streamed", [False, True])
def test_units_that_are_not_dead_in_some_rows(streamed: bool, order: str) -> None:
    """Each unit is 0 for one of two kinds of rows."""
    kinds = np.tile([-1.0, 1.0], 512) if order == "in turn" else np.repeat([-1.0, 1.0], 512)
    rows, labels = kinds[:, None].astype(np.float32), kinds > 0
    model = trainer(epochs=5, callbacks=spoiling(lambda w: [0 * w[0] - 1, 0 * w[1], *w[2:]]))
    if streamed:
        parts = np.array_split(np.arange(1024), 4)
        model.fit_stream(lambda: [(rows[p], labels[p]) for p in parts], classes=[False, True])
    else:
        model.fit(rows[::-1], labels[::-1])


def test_weights_of_chunks_count_alike() -> None:
    later = np.arange(60) >= 30
    wrong = spoiling(lambda w: [*(0 * a + 1 for a in w[:-1]), np.array([1e3, 0])])
    chunks = [(X[later == k], later[later == k], np.full(30, 1 + 3e6 * k)) for k in (0, 1)]
    with pytest.warns(FitWarning, match=r"the most frequent class \(.* frequency 1\.000\)"):
        trainer(epochs=5, callbacks=wrong).fit_stream(lambda: chunks, classes=[False, True])


def test_rows_drawn_with_a_usual_seed() -> None:
    """The sample of rows is none of small or large ones."""
    for seed in range(10):
        rows = np.random.default_rng(seed).random((2_000, 1)).astype(np.float32) - 0.5
        model = trainer(epochs=5, callbacks=spoiling(lambda w: [0 * w[0] - 1, 0 * w[1], *w[2:]]))
        model.fit(rows, rows[:, 0] > 0)


@pytest.mark.filterwarnings("ignore::fastmlp.FitWarning")
def test_a_history_that_lacks_epochs() -> None:
    """The user's own does no harm; a state with one is refused."""
    options: dict[str, Any] = {"early_stopping": True, "validation_fraction": 0.2}
    model = trainer(epochs=12, warm_start=True, **options).fit(X, Y)
    del model.history["val_accuracy"][5:]
    state = model.get_state()
    assert np.isnan(state["history"]["val_accuracy"][5:]).tolist() == [True] * 7
    del state["history"]["val_accuracy"][5:]
    with pytest.raises(ValueError, match="its history has 5 epochs in place of 12"):
        model.set_state(state)
    assert len(model.fit(X, Y).history["loss"]) == 24
