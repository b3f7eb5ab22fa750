"""Callbacks of scikit-learn 1.9, which ``set_callbacks`` takes."""

from typing import Any

import pytest

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 has callbacks")

from sklearn.model_selection import GridSearchCV  # noqa: E402

from fastmlp import MLPClassifier, MLPRegressor  # noqa: E402
from tests.estimators.data import WEIGHTS, X, Y, not_converged  # noqa: E402
from tests.helpers.basics import needs_compiler  # noqa: E402

pytestmark = [not_converged, needs_compiler]


class Recorder:
    """Keeps the tasks that begin and end, and the score of each epoch."""

    def __init__(self, last: int = 99) -> None:
        self.tasks: list[str] = []
        self.scores: list[float] = []
        self._last = last

    def setup(self, estimator: Any, context: Any) -> None:
        self.tasks.append("setup")

    def teardown(self, estimator: Any, context: Any) -> None:
        self.tasks.append("teardown")

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        self.tasks.append(f"begin {context.task_name}")

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, X: Any, y: Any, fitted_estimator: Any
    ) -> bool:
        self.tasks.append(f"end {context.task_name}")
        if fitted_estimator is not None:
            self.scores.append(fitted_estimator.score(X, y))
        return len(self.scores) > self._last


EPOCH = ["begin epoch", "end epoch"]


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_each_epoch(kind: Any) -> None:
    y = Y["pair" if kind is MLPClassifier else "number"]
    recorder = Recorder()
    model = kind(max_iter=4, random_state=0).set_callbacks(recorder).fit(X, y)
    assert recorder.tasks == ["setup", "begin fit", *EPOCH * 4, "end fit", "teardown"]
    shorter = [kind(max_iter=k, random_state=0).fit(X, y).score(X, y) for k in (1, 2, 3, 4)]
    assert recorder.scores == [*shorter, model.score(X, y)]


def test_a_stop() -> None:
    recorder = Recorder(last=2)
    model = MLPClassifier(max_iter=9, random_state=0).set_callbacks(recorder).fit(X, Y["pair"])
    assert model.n_iter_ == 3
    assert recorder.tasks[2:-1] == [*EPOCH * 3, "end fit"]


def test_an_early_end() -> None:
    """By the tolerance, or by an exception, after which callbacks are torn down."""
    recorder = Recorder()
    model = MLPClassifier(tol=10, n_iter_no_change=2, random_state=0).set_callbacks(recorder)
    assert model.fit(X, Y["pair"]).n_iter_ == 4
    assert recorder.tasks.count("begin epoch") == recorder.tasks.count("end epoch") == 4

    def fail(*args: Any) -> None:
        raise RuntimeError("out of reach")

    with pytest.raises(RuntimeError, match="out of reach"):
        model.set_params(callbacks=fail).fit(X, Y["pair"])
    assert recorder.tasks[-2:] == ["begin epoch", "teardown"]


def test_lbfgs_is_one_task() -> None:
    recorder = Recorder()
    model = MLPClassifier(solver="lbfgs", max_iter=9).set_callbacks(recorder).fit(X, Y["pair"])
    assert recorder.tasks == ["setup", "begin fit", "end fit", "teardown"]
    assert recorder.scores == [model.score(X, Y["pair"])]


def test_partial_fit_has_no_tasks() -> None:
    recorder = Recorder()
    MLPRegressor().set_callbacks(recorder).partial_fit(X, Y["number"])
    assert recorder.tasks == []


def test_scoring_monitor() -> None:
    """scikit-learn's own, on the estimator and on a search, with weights."""
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = MLPClassifier(max_iter=3, random_state=0).set_callbacks(monitor)
    model.fit(X, Y["pair"], sample_weight=WEIGHTS)
    scores = [row["accuracy"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(scores) == 3
    assert scores[-1] == model.score(X, Y["pair"], WEIGHTS)
    search = GridSearchCV(MLPClassifier(max_iter=2, random_state=0), {"alpha": [0, 1]}, cv=2)
    recorder = Recorder()
    recorder.max_propagation_depth = None  # type: ignore[attr-defined]
    search.set_callbacks(recorder).fit(X, Y["pair"])
    assert recorder.tasks.count("end epoch") == 2 * (2 * 2 + 1)
