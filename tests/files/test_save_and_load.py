"""save and load: the same class, in the same state, which goes on bit for bit."""

import pickle
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import EarlyStopping, Ensemble, MLPClassifier, MLPRegressor, Trainer
from fastmlp.losses import LOSSES, Huber, Quantile
from fastmlp.optimizers import SGD
from fastmlp.schedules import SCHEDULES, Step
from tests.estimators.data import X as ROWS
from tests.estimators.data import Y as TARGETS
from tests.estimators.data import not_converged
from tests.helpers.basics import needs_compiler
from tests.helpers.models import OPTIMIZERS, X, Y, fitted, random_weights, trainer
from tests.helpers.same import assert_same

pytestmark = needs_compiler


def saved(model: Any, folder: Path) -> Any:
    """What comes back from a file, after a check that nothing has been lost."""
    path = folder / "model.safetensors"
    model.save(path)
    other = fastmlp.load(path)
    assert_same(other, model)
    assert [file.name for file in folder.iterdir()] == ["model.safetensors"]
    return other


def pickled(model: Trainer) -> bytes:
    """The pickle of a copy: copies and files do not tell which tuples were one object."""
    return pickle.dumps(pickle.loads(pickle.dumps(model)))


def without_time(model: Any) -> Any:
    model.history["seconds"] = [0.0] * model.n_iter_
    return model


def go_on(one: Trainer, other: Trainer, *args: Any, method: str = "fit", **options: Any) -> None:
    """Train both further, and compare all that they hold, but for the times."""
    for model in (one, other):
        getattr(model, method)(*args, **options)
    assert_same(without_time(one), without_time(other))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden", [(), 8, (17, 5)])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_epochs_go_on(optimizer: str, hidden: Any, dtype: str, tmp_path: Path) -> None:
    options = OPTIMIZERS[optimizer]
    model = fitted(hidden, **options, dtype=dtype, warm_start=True)
    other = saved(model, tmp_path)
    assert pickled(other) == pickled(model)
    go_on(other, model, X, Y)


FITS: dict[str, dict[str, Any]] = {
    "early stopping": {"early_stopping": EarlyStopping(patience=2), "validation_fraction": 0.2},
    "averages": {"weight_averaging": 0.8, "validation_fraction": 0.2},
    "a plateau": {"schedule": "reduce_on_plateau", "epochs": 20},
    "no seed": {"seed": None, "dropout": (0.1, 0.2)},
    "class weights": {"class_weight": {0: 1.0, np.int64(1): 2, 2: 0.5}, "label_smoothing": 0.1},
    "given types": {
        "hidden": [np.int32(7), 5], "l2": np.float32(0.001), "dtype": np.dtype("float64"),
        "shuffle": np.bool_(False), "scaling": np.array([1.0, 2, 3, 4]), "metrics": ["log_loss"],
    },
    "a type": {"dtype": np.float64, "scaling": (0.5, 1.0, 2.0, 1), "schedule": Step(2)},
    "all automatic": {
        "epochs": "auto", "batch_size": "auto", "learning_rate": None, "scaling": "auto",
        "validation_split": "auto", "time_budget": 60,
    },
}  # fmt: skip


@pytest.mark.parametrize("fit", FITS)
def test_fits_go_on(fit: str, tmp_path: Path) -> None:
    model = trainer(**{"warm_start": True, **FITS[fit]})
    go_on(saved(model, tmp_path), model, X, Y) if model.seed == 0 else model.fit(X, Y)
    go_on(saved(model, tmp_path), model, X, Y)


@pytest.mark.parametrize("scaling", ["standard", "robust", "piecewise", "quantile", "max_abs"])
@pytest.mark.parametrize("loss", LOSSES)
def test_losses_and_scalings(loss: str, scaling: str, tmp_path: Path) -> None:
    given = {"huber": Huber(0.7), "quantile": Quantile((0.1, 0.5, 0.9))}.get(loss, loss)
    targets = TARGETS["classes" if loss == "softmax_cross_entropy" else "pair"]
    if LOSSES[loss].targets in ("numbers", "counts"):
        targets = TARGETS["counts"]
    model = trainer(loss=given, scaling=scaling, warm_start=True).fit(ROWS, targets)
    other = saved(model, tmp_path)
    assert np.array_equal(other.predict(ROWS), model.predict(ROWS))
    go_on(other, model, ROWS, targets)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules(schedule: str, tmp_path: Path) -> None:
    model = trainer(schedule=SCHEDULES[schedule](), warm_start=True, epochs=2).fit(X, Y)
    other = saved(model, tmp_path)
    for one in (model, other):
        one.epochs = 5
    go_on(other, model, X, Y)


def test_streams_and_refits_go_on(tmp_path: Path) -> None:
    model = trainer().partial_fit(X[:20], Y[:20])
    go_on(saved(model, tmp_path), model, X, Y, method="partial_fit")
    model = trainer(warm_start=True).fit_stream(lambda: [(X, Y), (X, Y)])
    go_on(saved(model, tmp_path), model, lambda: [(X, Y), (X, Y)], method="fit_stream")
    model = trainer(refit=True, early_stopping=True, validation_fraction=0.2)
    go_on(saved(model, tmp_path), model, X, Y)
    go_on(saved(model, tmp_path), model, X, Y)


def halve_the_rate(model: Trainer, epoch: int, logs: Any) -> None:
    model.learning_rate = 0.005


def test_what_callbacks_have_set_goes_on(tmp_path: Path) -> None:
    model = trainer(warm_start=True, callbacks=halve_the_rate).fit(X, Y)
    model.callbacks = ()
    go_on(saved(model, tmp_path), model, X, Y)
    assert model.history["learning_rate"][-1] == 0.005


def test_given_weights(tmp_path: Path) -> None:
    model = trainer(7, warm_start=True, scaling=0.5)
    model.set_weights(random_weights(4, 8, 3))
    go_on(saved(model, tmp_path), model, X, np.array(["a", "b", "c"])[Y])


LABELS = {
    "strings": np.array(["a", "b", "ü𝄞"]),
    "objects": np.array(["a", "bb", "c"], object),
    "bytes order": np.array([1, 2, 200], ">i4"),
    "far": np.array([-5, 0, 10**15]),
    "unsigned": np.array([1, 2, 200], np.uint8),
    "large": np.array([1, 2, 2**64 - 1], np.uint64),
    "floats": np.array([-1.0, 0.0, 4.0]),
    "halves": np.array([-1.0, 0.0, 4.0], np.float16),
    "bools": np.array([False, True, True]),
    "many strings": np.array([f"label {i:02}" for i in range(20)], object),
}


@pytest.mark.parametrize("labels", LABELS)
def test_labels(labels: str, tmp_path: Path) -> None:
    targets = LABELS[labels][np.arange(60) % len(LABELS[labels])]
    model = trainer(epochs=1).fit(X, targets)
    other = saved(model, tmp_path)
    assert_same(other.classes_, model.classes_)
    assert_same(other.predict(X), model.predict(X))


def test_tables(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    kinds = [["x", "yy", "é"], [1, 2, 3], [True, False, True], [f"{i}" for i in range(12)]]
    columns = {("a", 1): np.where(Y == 1, np.nan, X[:, 0]), ("b", "ü"): X[:, 1]}
    for k, values in enumerate(kinds):
        columns["c", k] = pd.Categorical([values[i % len(values)] for i in range(60)])
    table = pd.DataFrame(columns)
    table.columns = table.columns.to_flat_index()
    for names in (list(table), [f"column {j}" for j in range(6)], list("abcdef")):
        table.columns = names
        model = trainer(missing="impute", scaling="auto", warm_start=True).fit(table, Y)
        other = saved(model, tmp_path)
        assert_same(other.feature_names_in_, model.feature_names_in_)
        assert np.array_equal(other.predict_proba(table), model.predict_proba(table))
        go_on(other, model, table, Y)


def test_attributes_of_the_user(tmp_path: Path) -> None:
    model = fitted()
    model.note = {"made": ["today", 1, None, 2.5, float("nan")], 3: (True, -(2**100))}  # type: ignore[attr-defined]
    model.array = np.array([b"a", b"bc"])  # type: ignore[attr-defined]
    model.dates = np.array(["2020-01-01", "NaT"], "M8[D]")  # type: ignore[attr-defined]
    model.numbers = [np.float32(0.1), np.str_("a"), np.uint8(3), np.bool_(True)]  # type: ignore[attr-defined]
    model.long = [list(range(20)), tuple(np.arange(20.0).tolist()), ["a\0", "", "ü"] * 9]  # type: ignore[attr-defined]
    model.empty = [[], (), {}, "", np.empty((0, 3)), {"$array": 1}]  # type: ignore[attr-defined]
    saved(model, tmp_path)


# ------------------------------------------------------------------------ ensembles and estimators


def test_ensembles(tmp_path: Path) -> None:
    model = Ensemble(trainer(warm_start=True), k=2)
    saved(model, tmp_path).fit(X, Y)
    other = saved(model.fit(X, Y), tmp_path)
    assert type(other) is Ensemble
    assert np.array_equal(other.predict_proba(X), model.predict_proba(X))
    for one in (other, model):
        one.fit(X, Y)
    for pair in zip(other.members, model.members, strict=True):
        assert_same(*map(without_time, pair))


OPTIONS: dict[str, dict[str, Any]] = {
    "adam": {},
    "early stopping": {"early_stopping": True, "scoring": "loss"},
    "lbfgs": {"solver": "lbfgs"},
    "a random state": {"random_state": np.random.RandomState(3), "solver": "sgd", "batch_size": 50},
    "further": {"dtype": np.float32, "scaling": "piecewise", "n_iter_no_change": np.inf},
}


@not_converged
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", TARGETS)
def test_estimators(kind: str, options: str, tmp_path: Path) -> None:
    is_classifier = kind in ("pair", "classes", "labels")
    given: dict[str, Any] = {"hidden_layer_sizes": (9, 5), "max_iter": 5, "warm_start": True}
    given |= {"random_state": 0} | OPTIONS[options]
    given |= {"loss": "poisson"} if kind == "counts" else {}
    model: Any = MLPClassifier(**given) if is_classifier else MLPRegressor(**given)
    saved(model, tmp_path)
    other = saved(model.fit(ROWS, TARGETS[kind]), tmp_path)
    assert np.array_equal(other.predict(ROWS), model.predict(ROWS))
    for one in (model, other):
        one.fit(ROWS, TARGETS[kind])
        if options == "adam":
            one.partial_fit(ROWS, TARGETS[kind])
        without_time(one.trainer_)
        # Without a seed, and not drawn from in these fits.
        vars(one.trainer_).update(_model=None)
    assert_same(other, model)
    assert np.array_equal(other.loss_, model.loss_)


@not_converged
def test_estimators_of_tables_and_strings(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(ROWS, columns=list("abcdefg"))
    labels = np.array(["no", "yes"], object)[(ROWS[:, 0] > 0).astype(int)]
    model = MLPClassifier(max_iter=3).fit(table, labels)
    other = saved(model, tmp_path)
    assert_same(other.predict(table), model.predict(table))
    one_class = MLPClassifier(max_iter=3).fit(table, labels[:1].repeat(len(labels)))
    assert_same(saved(one_class, tmp_path).predict(table), one_class.predict(table))


@not_converged
@pytest.mark.parametrize("dtype", ["M8[D]", "M8[ns]", ">M8[s]", "m8[25s]"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_dates_as_labels_of_an_estimator(n_classes: int, dtype: str, tmp_path: Path) -> None:
    """scikit-learn takes them."""
    labels = (np.arange(60) % n_classes * 10**6).astype(dtype)
    model = MLPClassifier(4, max_iter=3).fit(X, labels)
    for other in (saved(model, tmp_path), pickle.loads(pickle.dumps(model))):
        assert_same(other.predict(X), model.predict(X))
    state = model.trainer_.file_state()
    state["model"]["encoding"]["outputs"]["classes"] = labels[:n_classes][::-1]
    with pytest.raises(ValueError, match="classes must be sorted"):
        Trainer.from_file_state(state, ())


def test_requests_of_metadata(tmp_path: Path) -> None:
    sklearn = pytest.importorskip("sklearn")
    path = tmp_path / "m.safetensors"
    with sklearn.config_context(enable_metadata_routing=True):
        for model in (trainer(), Ensemble(trainer(), k=2), MLPClassifier(), MLPRegressor()):
            model.set_fit_request(sample_weight="w").set_score_request(sample_weight=True)
            model.save(path)
            other = fastmlp.load(path)
            assert type(other) is type(model)
            for one in (other, other.__sklearn_clone__()):
                assert repr(one.get_metadata_routing()) == repr(model.get_metadata_routing())


# --------------------------------------------------------------------------- what no file can hold


def watch(model: Trainer, epoch: int, logs: Any) -> None:
    pass


class Own(Trainer):
    pass


def test_callbacks_are_left_out_and_given_again(tmp_path: Path) -> None:
    path, model = tmp_path / "m.safetensors", trainer(callbacks=[watch])
    ensemble, estimator = Ensemble(model, k=2), MLPClassifier(callbacks=watch)
    for one in (model, ensemble, estimator):
        with pytest.warns(UserWarning, match=r"without the callbacks, watch"):
            one.save(path)
        assert fastmlp.load(path).get_params().get("callbacks", ()) in ((), None)
        other = fastmlp.load(path, callbacks=watch)
        for held in (other, *getattr(other, "members", ())):
            assert held.get_params().get("callbacks", watch) is watch
    with pytest.raises(TypeError, match="callbacks must be"):
        fastmlp.load(path, callbacks=3)


def test_what_cannot_be_written_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"old")

    def rate(update: int) -> float:
        return 0.1

    def score(true: Any, predicted: Any) -> float:
        return 1.0

    model, ensemble = fitted(), Ensemble(trainer(metrics=score), k=2)
    cases: list[tuple[Any, str, Any]] = [
        (model, "schedule", rate), (model, "metrics", ["mse", score]),
        (model, "note", model), (model, "note", np.longdouble(1)), (model, "note", {1, 2}),
        (model, "note", np.zeros(2, "f4,i4")), (model, "note", 1 << 300), (model, "note", b"a"),
        (model, "note", list(np.arange(3 * 10.0**6).tolist())), (model, "note", "x" * 3_000_000),
    ]  # fmt: skip
    for one, name, value in cases:
        before = dict(vars(one))
        vars(one)[name] = value
        with pytest.raises((TypeError, ValueError), match=f"{name}|too many arrays"):
            one.save(path)
        vars(one).clear()
        vars(one).update(before)
    with pytest.raises(TypeError, match=r"^trainer\.metrics cannot be written.*score"):
        ensemble.save(path)
    with pytest.raises(TypeError, match=r"^metrics\[1\] cannot be written .*a pickle may hold it"):
        fitted().set_params(metrics=["mse", score]).save(path)
    with pytest.raises(TypeError, match=r"scoring cannot be written.*score"):
        MLPClassifier(scoring=score).save(path)
    with pytest.raises(ValueError, match="max_iter"):
        MLPClassifier(max_iter=-5).save(path)
    changed = trainer(hidden=[5])
    changed.hidden.append("six")  # type: ignore[union-attr]
    with pytest.raises(TypeError, match="hidden"):
        changed.save(path)
    with pytest.raises(TypeError, match=r"only objects of Trainer itself.*got a Own"):
        Own().save(path)
    nested: list[Any] = []
    nested.append(nested)
    model.note = nested  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="nested too deeply"):
        model.save(path)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("path", ["model.pickle", "model.safetensors.gz", "safetensors"])
def test_other_paths_are_refused(path: str, tmp_path: Path) -> None:
    for wrong in (path, tmp_path / path):
        with pytest.raises(ValueError, match=r"path must end in '.safetensors'"):
            trainer().save(wrong)
    for other in (b"a.safetensors", 3, None, "", "a\0.safetensors"):
        with pytest.raises((TypeError, ValueError), match="path must be the path of a file; got"):
            trainer().save(other)  # type: ignore[arg-type]
        with pytest.raises((TypeError, ValueError), match="path must be the path of a file; got"):
            fastmlp.load(other)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        fastmlp.load(tmp_path / "nothing.safetensors")
    with pytest.raises(OSError, match="directory"):
        fastmlp.load(tmp_path)


# ------------------------------------------------------------------------------------ during a fit


def test_files_within_a_fit(tmp_path: Path) -> None:
    path, files = tmp_path / "m.safetensors", []

    def save(model: Trainer, epoch: int, logs: Any) -> None:
        model.save(path)  # without a warning of itself
        files.append(fastmlp.load(path))

    trainer(callbacks=save, warm_start=True).fit(X, Y)
    for epoch, other in enumerate(files):
        wanted = fitted(epochs=epoch + 1, warm_start=True)
        other.epochs = wanted.epochs
        assert_same(without_time(other).get_weights(), without_time(wanted).get_weights())
        go_on(other, wanted, X, Y)


@pytest.mark.threading
def test_files_while_another_thread_fits(tmp_path: Path) -> None:
    path, epochs = tmp_path / "m.safetensors", []
    model = trainer(epochs=300, warm_start=True)
    model.callbacks = lambda model, *_: epochs.append(model.get_weights())
    thread = threading.Thread(target=model.fit, args=(X, Y))
    thread.start()
    seen = []
    while thread.is_alive():
        model.file_content()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            model.save(path)
        seen.append(fastmlp.load(path))
    thread.join()
    for other in seen:
        assert {len(values) for values in other.history.values()} <= {other.n_iter_}
        if other.n_iter_:
            assert_same(other.get_weights(), epochs[other.n_iter_ - 1])


def test_states_of_files_are_those_of_pickles() -> None:
    """The parts that an ensemble and an estimator put into their files."""
    model = fitted(optimizer=SGD(momentum=0.5), callbacks=watch)
    state = model.file_state()
    assert state["attributes"]["callbacks"] == ()
    other = Trainer.from_file_state(state, watch)
    assert_same(other, model)
    with pytest.raises(ValueError, match="n_iter_"):
        Trainer.from_file_state(nested_change(model.file_state(), "n_iter_", -1), ())


def nested_change(state: Any, name: str, value: Any) -> Any:
    state["attributes"][name] = value
    return state
