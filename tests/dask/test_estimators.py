"""The estimators on a cluster of two processes, beside a trainer on all rows."""

import os
import pickle
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from scipy import sparse
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_digits

from fastmlp import FitWarning, NotFittedError, Trainer, load
from fastmlp.callbacks import EarlyStopping
from fastmlp.dask import DaskMLPClassifier, DaskMLPRegressor
from tests.helpers.basics import needs_compiler
from tests.helpers.processes import ROOT
from tests.helpers.scripts import loaded

pytestmark = [
    needs_compiler,
    pytest.mark.filterwarnings("default::ResourceWarning", "default::DeprecationWarning"),
]

X, Y = load_digits(return_X_y=True)
X = X.astype(np.float32)
X.flags.writeable = False
N = len(X)
WEIGHTS = np.random.default_rng(0).integers(0, 4, N).astype(float)
# No rows held out, so that a trainer learns the same of them.
PLAIN: dict[str, Any] = {
    "hidden": 32, "epochs": 8, "seed": 0, "learning_rate": 0.01, "early_stopping": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def client(cluster: LocalCluster) -> Iterator[Client]:
    """Not the current one."""
    with Client(cluster, set_as_default=False) as client:
        yield client


def chunked(*arrays: Any, rows: Any = 300) -> list[Any]:
    return [da.from_array(a, chunks=(rows, *a.shape[1:])) for a in arrays]


def same(first: Any, second: Any) -> bool:
    """Whether two estimators have the same weights, bit for bit."""
    weights = [model.to_local().get_weights() for model in (first, second)]
    return all(map(np.array_equal, *weights))


@pytest.fixture(scope="module")
def digits(client: Client) -> DaskMLPClassifier:
    return DaskMLPClassifier(**PLAIN, sync_every=4, client=client).fit(*chunked(X, Y))


def test_a_fit_is_as_good_as_that_of_a_trainer(digits: DaskMLPClassifier) -> None:
    alone = Trainer(**PLAIN).fit(X, Y)
    assert abs(digits.score(X, Y) - alone.score(X, Y)) < 0.02
    score = digits.score(*chunked(X, Y), chunked(WEIGHTS)[0])
    assert score == pytest.approx(digits.to_local().score(X, Y, WEIGHTS), abs=1e-12)
    assert np.array_equal(digits.scaling_.factor, alone.scaling_.factor)
    assert np.array_equal(digits.classes_, range(10))
    assert digits.n_features_in_ == 64
    assert digits.layer_sizes_ == (64, 32, 10)
    assert digits.n_iter_ == len(digits.history["loss"]) == 8
    assert digits.history["accuracy"][-1] > 0.95
    assert (digits.best_epoch_, digits.stop_reason_) == (7, "epochs")
    assert digits.auto_["loss"] == "softmax_cross_entropy"
    assert not hasattr(digits, "feature_names_in_")


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_predictions_are_lazy(digits: DaskMLPClassifier, method: str) -> None:
    wanted = getattr(digits.to_local(), method)(X)
    lazy = getattr(digits, method)(da.from_array(X, chunks=(700, 40)))
    assert isinstance(lazy, da.Array)
    with dask.config.set(scheduler="synchronous"):
        got = lazy.compute()
    assert (lazy.shape, lazy.dtype) == (wanted.shape, wanted.dtype) == (got.shape, got.dtype)
    assert np.array_equal(got, wanted)
    assert np.array_equal(getattr(digits, method)(X), wanted)


def table(rows: int = 600) -> tuple[pd.DataFrame, pd.Series]:
    """The third partition of five is empty; a category and a class are in one of them only."""
    rng = np.random.default_rng(1)
    kinds = rng.choice(["a", "b"], rows)
    kinds[:40] = "rare"
    frame = pd.DataFrame(
        {"x": rng.normal(size=rows), "kind": kinds, "n": rng.integers(9, size=rows)}
    )
    labels = np.where(frame.x > 0, "above", "below").astype(object)
    labels[-30:] = "last"
    return frame, pd.Series(labels, name="label")


def partitioned(values: Any) -> Any:
    pieces = [values[:100], values[100:250], values[250:250], values[250:500], values[500:]]
    parts = [dask.delayed(piece) for piece in pieces]
    if isinstance(values, pd.DataFrame):
        lazy = dd.from_delayed(parts, meta=values[:0], verify_meta=False)
        return lazy.assign(kind=lazy.kind.astype("category"))  # each has its own categories
    return dd.from_delayed(parts, meta=values[:0], verify_meta=False)


def test_tables_with_categories_and_labels_of_one_partition(client: Client) -> None:
    frame, labels = table()
    model = DaskMLPClassifier(**PLAIN, sync_every=8, class_weight="balanced", client=client)
    lazy, weights = partitioned(frame), partitioned(pd.Series(WEIGHTS[:600]))
    model.fit(lazy, partitioned(labels), weights)
    whole = frame.astype({"kind": "category"})
    alone = Trainer(**PLAIN, class_weight="balanced").fit(
        whole, labels, sample_weight=WEIGHTS[:600]
    )
    assert model.classes_.tolist() == ["above", "below", "last"]
    assert model.feature_names_in_.tolist() == ["x", "kind", "n"]
    assert model.layer_sizes_ == alone.layer_sizes_
    np.testing.assert_array_equal(model.scaling_.centre, alone.scaling_.centre)
    np.testing.assert_array_equal(model.scaling_.factor, alone.scaling_.factor)
    np.testing.assert_allclose(model.history["loss"][0], alone.history["loss"][0], rtol=0.2)
    local = model.to_local()
    got = client.compute([model.predict(lazy), model.predict_proba(lazy)], sync=True)
    with pytest.raises(ValueError, match="columns of the fit; missing: 'kind'"):
        model.predict(lazy.drop(columns="kind"))
    assert got[0].tolist() == local.predict(whole).tolist()
    assert np.array_equal(got[0].index, frame.index)
    assert got[1].columns.tolist() == ["above", "below", "last"]
    assert np.array_equal(got[1].to_numpy(), local.predict_proba(whole))
    assert model.predict(lazy).dtype == got[0].dtype
    score = model.score(lazy, partitioned(labels), weights)
    assert score == pytest.approx(local.score(whole, labels, WEIGHTS[:600]), abs=1e-12)


def test_several_numbers(client: Client) -> None:
    targets = np.column_stack([X[:, 20] + X[:, 30], X[:, 10]]).astype(float)
    model = DaskMLPRegressor(**PLAIN, sync_every=4, client=client).fit(
        *chunked(X, targets, WEIGHTS)
    )
    alone = Trainer(**PLAIN, loss="squared_error").fit(X, targets, sample_weight=WEIGHTS)
    outputs, wanted = (t.model_.encoding.outputs for t in (model.to_local(), alone))
    np.testing.assert_allclose(outputs.centre, wanted.centre, rtol=1e-12)
    np.testing.assert_allclose(outputs.spread, wanted.spread, rtol=1e-12)
    score = model.score(*chunked(X, targets, WEIGHTS))
    assert score == pytest.approx(model.to_local().score(X, targets, WEIGHTS), abs=1e-9)
    assert abs(score - alone.score(X, targets, WEIGHTS)) < 0.03
    assert model.predict(chunked(X)[0]).shape == (N, 2)
    assert not hasattr(model, "classes_")
    assert not hasattr(model, "predict_proba")


def test_whole_numbers_are_numbers(client: Client) -> None:
    """Here they need no loss, unlike for a trainer."""
    model = DaskMLPRegressor(hidden=4, epochs=1, sync_every=8, client=client)
    model.fit(*chunked(X, Y * 10))
    assert model.auto_["loss"] == model.to_local().loss.name == "squared_error"


def test_early_stopping_on_held_out_rows(client: Client, tmp_path: Path) -> None:
    """With a number of updates between averages that is chosen, which files and pickles allow."""
    settings = {**PLAIN, "epochs": 60, "early_stopping": EarlyStopping(patience=2)}
    model = DaskMLPClassifier(**settings, client=client).fit(*chunked(X, Y))
    assert model.stop_reason_ == "early_stopping"
    assert model.n_iter_ == model.best_epoch_ + 3 < 60
    assert model.best_epoch_ == np.argmin(model.history["val_loss"])
    assert model.auto_["validation_fraction"] == 0.15
    assert 1 <= model.auto_["sync_every"] <= N
    model.to_local().save(path := tmp_path / "m.safetensors")
    for other in (load(path), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(other.predict(X), model.predict(X))
    assert model.score(X, Y) > 0.95


def test_validation_data_metrics_and_callbacks(client: Client) -> None:
    seen = []

    def stop(trainer: Trainer, epoch: int, logs: Any) -> None:
        with pytest.raises(RuntimeError, match="is being fitted"):
            model.fit(*chunked(X, Y))
        seen.append((trainer.score(X[:200], Y[:200]), logs["val_accuracy"], logs["val_f1"]))
        trainer.stop_training = epoch == 1

    settings = {**PLAIN, "callbacks": stop, "metrics": ["accuracy", "f1"], "dtype": "float64"}
    model = DaskMLPClassifier(**settings, sync_every=50, client=client)
    model.fit(*chunked(X, Y), validation_data=chunked(X[:200], Y[:200]))
    assert (model.n_iter_, model.stop_reason_, len(seen)) == (2, "callback", 2)
    for score, recorded, _ in seen:
        assert score == pytest.approx(recorded, abs=1e-12)
    assert model.predict_proba(chunked(X)[0]).dtype == np.float64
    # Another fit of this object, after a callback that was refused one.
    before = model.to_local().get_weights()
    with pytest.raises(ValueError, match="metrics other than"):
        model.fit(*chunked(X, Y))
    assert all(map(np.array_equal, before, model.to_local().get_weights()))


def test_a_fit_goes_on(client: Client) -> None:
    settings = {**PLAIN, "epochs": 4}
    whole = DaskMLPClassifier(**settings, sync_every=9, client=client).fit(*chunked(X, Y))
    again = clone(whole).set_params(epochs=3, warm_start=True).fit(*chunked(X, Y))
    again.epochs = 1
    again.fit(*chunked(X, Y))
    assert again.n_iter_ == 4
    assert again.history["loss"] == whole.history["loss"]
    assert same(again, whole)
    again.fit(*chunked(X[:900], Y[:900]))  # other rows begin a new history
    assert again.n_iter_ == 1


def test_a_network_goes_on_without_the_cluster(digits: DaskMLPClassifier, tmp_path: Any) -> None:
    local = digits.to_local()
    local.save(tmp_path / "model.safetensors")
    assert np.array_equal(load(tmp_path / "model.safetensors").predict(X), digits.predict(X))
    local.set_params(warm_start=True, epochs=1).fit(X, Y)
    copied = pickle.loads(pickle.dumps(digits))
    assert copied.client is None
    assert np.array_equal(copied.predict(X), digits.predict(X))
    assert not np.array_equal(local.predict_proba(X), digits.predict_proba(X))


def test_parameters(client: Client) -> None:
    model = DaskMLPClassifier(16, l2=0.1, sync_every=3, client=client)
    assert set(model.get_params()) == {*Trainer().get_params(), "sync_every", "client"}
    assert repr(model).startswith("DaskMLPClassifier(hidden=16, l2=0.1, sync_every=3, client=<")
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert is_classifier(copy)
    assert is_regressor(DaskMLPRegressor())
    assert not hasattr(copy, "history")
    with pytest.raises(NotFittedError, match="this DaskMLPClassifier has no weights"):
        copy.predict(X)
    for params, error, message in (
        ({"l2": 0.2, "sync_every": 0}, ValueError, "sync_every must be 'auto' or an integer >= 1"),
        ({"l2": 0.2, "epochs": 0}, ValueError, "epochs must be"),
        ({"l2": 0.2, "client": "tcp://x"}, TypeError, "client must be a distributed.Client"),
        ({"l2": 0.2, "sync_evry": 2}, ValueError, "no setting 'sync_evry'; did you mean"),
    ):
        with pytest.raises(error, match=message):
            copy.set_params(**params)
    assert copy.l2 == 0.1
    with pytest.raises(TypeError, match=r"DaskMLPRegressor.__init__.*did you mean 'learning_rate'"):
        DaskMLPRegressor(lr=1)  # type: ignore[call-arg]
    with pytest.raises(AttributeError, match="DaskMLPClassifier has no setting 'lr'; did you mean"):
        copy.lr = 1


def of_unknown_blocks(X: Any) -> Any:
    """Sparse blocks of an array whose meta is dense."""
    starts = range(0, len(X), 300)
    blocks = [dask.delayed(sparse.csr_array)(X[start : start + 300]) for start in starts]
    shapes = [(min(300, len(X) - start), X.shape[1]) for start in starts]
    arrays = [da.from_delayed(*of, dtype=X.dtype) for of in zip(blocks, shapes, strict=True)]
    return da.concatenate(arrays)


def test_sparse_blocks_are_not_predicted(digits: DaskMLPClassifier) -> None:
    with pytest.raises(TypeError, match="X must have dense blocks; got blocks of csr_array"):
        digits.predict(da.from_array(sparse.csr_array(X), chunks=(300, 64)))
    lazy = digits.predict(of_unknown_blocks(X))
    with (
        dask.config.set(scheduler="synchronous"),
        pytest.raises(TypeError, match="X must have dense blocks; got blocks of csr_array"),
    ):
        lazy.compute()
    # As the message says.
    blocks = chunked(X)[0].map_blocks(sparse.csr_matrix)
    rows = blocks.map_blocks(lambda block: block.toarray(), dtype=blocks.dtype)
    assert np.array_equal(digits.predict(rows).compute(), digits.predict(X))


UNUSABLE = {
    "an array": (lambda: (X, Y), {}, TypeError, "X must be a dask array or dataframe; got ndarray"),
    "an array of targets": (lambda: (chunked(X)[0], Y), {}, TypeError, "y must be a dask array"),
    "other chunks": (
        lambda: (*chunked(X), *chunked(Y, rows=400)), {}, ValueError,
        r"y must have the partitions of X; got rows \(400, 400, .*but X has \(300, 300",
    ),
    "other rows at the end": (
        lambda: (chunked(X)[0], da.from_array(Y, chunks=((300,) * 5 + (296, 1),))), {}, ValueError,
        r"got rows \(\.\.\., 296, 1\), but X has \(\.\.\., 297\)",
    ),
    "other divisions": (
        lambda: (
            dd.from_pandas(pd.DataFrame(X), npartitions=4),
            dd.from_pandas(pd.Series(Y), npartitions=5),
        ), {}, ValueError, r"y must have the partitions of X; got divisions \(\.\.\., 360",
    ),
    "other rows of unknown number": (
        lambda: (dd.from_pandas(pd.DataFrame(X), npartitions=4).values, chunked(Y, rows=450)[0]),
        {}, ValueError, "y must have the rows of X in each partition; got 4.. and 4.. in partition",
    ),
    "other numbers of partitions": (
        lambda: (dd.from_pandas(pd.DataFrame(X), npartitions=4).values, *chunked(Y)), {},
        ValueError, "y must have the partitions of X; got 6, but X has 4",
    ),
    "one dimension": (lambda: chunked(X[:, 0], Y), {}, ValueError, "X must be 2-D"),
    "no rows": (lambda: chunked(X[:0], Y[:0]), {}, ValueError, "must have at least one row"),
    "gaps": (
        lambda: chunked(np.where(X > 15, np.nan, X), Y), {}, ValueError, "missing",
    ),
    "zero weights": (
        lambda: chunked(X, Y, np.zeros(N)), {}, ValueError, "must have a weight > 0",
    ),
    "text": (
        lambda: (
            dd.from_pandas(pd.DataFrame({"a": ["x", "y"] * 50}), npartitions=2),
            dd.from_pandas(pd.Series([0, 1] * 50), npartitions=2),
        ), {}, TypeError, r"X\['a'\] holds text, .* as X.astype\({'a': 'category'}\)",
    ),
    "sparse blocks": (
        lambda: (chunked(X)[0].map_blocks(sparse.csr_matrix), *chunked(Y)), {}, TypeError,
        "X must have dense blocks; got blocks of csr_matrix: make them dense by X.map_blocks",
    ),
    "sparse blocks that Dask takes for dense": (
        lambda: (of_unknown_blocks(X), *chunked(Y)), {}, TypeError, "got blocks of csr_array",
    ),
    "sparse columns of targets": (
        lambda: (chunked(X)[0], chunked(np.eye(10)[Y])[0].map_blocks(sparse.csr_matrix)), {},
        TypeError, "y must have dense blocks",
    ),
    "a refit": (lambda: chunked(X, Y), {"refit": True}, ValueError, "refit has no effect over"),
    "a split": (
        lambda: chunked(X, Y), {"validation_split": "last"}, ValueError,
        "validation_split has no effect over partitions",
    ),
    "a loss of numbers": (
        lambda: chunked(X, Y), {"loss": "huber"}, ValueError, "needs classes; got",
    ),
    "columns of numbers": (
        lambda: chunked(X, X[:, 20:22] / 3), {}, ValueError, "needs classes; got",
    ),
    "fractions": (lambda: chunked(X, X[:, 5] / 3), {}, ValueError, "whole numbers"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_input_changes_nothing(client: Client, case: str) -> None:
    make, settings, error, message = UNUSABLE[case]
    model = DaskMLPClassifier(**settings, client=client)
    with pytest.raises(error, match=message):
        model.fit(*make())
    assert not hasattr(model, "history")


def test_a_loss_of_classes_is_none_of_a_regressor(client: Client) -> None:
    model = DaskMLPRegressor(loss="softmax_cross_entropy", client=client)
    with pytest.raises(ValueError, match="needs a loss of numbers"):
        model.fit(*chunked(X, Y))


def test_clients_that_cannot_be_used(client: Client) -> None:
    with pytest.raises(ValueError, match="unless there is a current one"):
        DaskMLPClassifier().fit(*chunked(X, Y))
    with Client(client.scheduler.address, set_as_default=False) as closed:
        pass
    with pytest.raises(RuntimeError, match="client must be connected; this one is closed"):
        DaskMLPClassifier(client=closed).fit(*chunked(X, Y))


def test_a_cluster_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastmlp.dask.parameters.PATIENCE", 0.1)
    with (
        Client(processes=False, n_workers=0, dashboard_address=":0", set_as_default=False) as none,
        pytest.raises(RuntimeError, match="cluster has had no worker for 0"),
    ):
        DaskMLPClassifier(client=none).fit(*chunked(X, Y))


def test_other_threads_fit_other_estimators(client: Client) -> None:
    models = [DaskMLPClassifier(**{**PLAIN, "seed": k}, sync_every=30) for k in range(2)]
    for model in models:
        model.set_params(client=client, epochs=2)
    threads = [threading.Thread(target=m.fit, args=chunked(X, Y)) for m in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    alone = clone(models[1]).fit(*chunked(X, Y))
    assert all(
        map(np.array_equal, models[1].to_local().get_weights(), alone.to_local().get_weights())
    )


def interrupted(trainer: Trainer, epoch: int, logs: Any) -> None:
    raise KeyboardInterrupt


def without_last_block(block: Any, block_info: Any) -> Any:
    assert block_info[0]["chunk-location"][0] < 5, "no block 5"
    return block


@pytest.mark.parametrize("error", [AssertionError, KeyboardInterrupt])
def test_no_tasks_are_left_while_the_traceback_is_kept(
    client: Client, error: type[BaseException]
) -> None:
    """As by a notebook."""
    x, y = chunked(X, Y)
    if error is AssertionError:
        x = x.map_blocks(without_last_block, meta=X[:0])
    model = DaskMLPClassifier(hidden=4, callbacks=interrupted, sync_every=30, client=client)
    of_others = set(client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks)))
    with pytest.raises(error) as caught:
        model.fit(x, y)
    deadline = time.monotonic() + 20
    while (
        left := set(client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks)))
        - of_others
    ):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
    assert caught.tb is not None


def fitted_there(x: Any, y: Any) -> float:
    model = DaskMLPClassifier(**{**PLAIN, "epochs": 2}, sync_every=9)
    return model.fit(*chunked(x, y)).score(*chunked(x, y))


def test_a_fit_in_a_task(client: Client) -> None:
    """It gives its thread, the only one of the worker, to other tasks."""
    alone = DaskMLPClassifier(**{**PLAIN, "epochs": 2}, sync_every=9, client=client)
    score = client.submit(fitted_there, X, Y).result(timeout=60)
    assert score == alone.fit(*chunked(X, Y)).score(X, Y)


def test_fewer_partitions_than_workers(client: Client) -> None:
    model = DaskMLPClassifier(**{**PLAIN, "epochs": 1}, sync_every=30, client=client)
    with pytest.warns(FitWarning, match="X has rows in 1 partitions, so that as many of 2 workers"):
        model.fit(*chunked(X, Y, rows=N))
    assert model.n_iter_ == 1


def test_partitions_that_are_on_workers_stay(client: Client) -> None:
    """The result does not depend on where they are."""
    x, y = chunked(X, Y)
    there = client.persist([x, y], workers=[sorted(client.nthreads())[0]])
    models = [
        DaskMLPClassifier(**{**PLAIN, "epochs": 2}, sync_every=9, client=client).fit(*data)
        for data in ((x, y), there)
    ]
    assert same(*models)


@pytest.mark.full
def test_threads_of_one_process() -> None:
    with Client(
        processes=False, n_workers=2, threads_per_worker=1, dashboard_address=":0"
    ):  # the current one
        model = DaskMLPClassifier(**PLAIN).fit(*chunked(X, Y))
        assert model.score(*chunked(X, Y)) > 0.95


def wait_for(path: Any) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.mark.full
@pytest.mark.parametrize("count", [1, 2])
def test_workers_that_die(client: Client, count: int, tmp_path: Any) -> None:
    """Both at once, too: of each, only what it did since the last average is lost. Another
    task that one of them runs afterwards does not delay the fit."""
    client.wait_for_workers(2, timeout=60)
    pids, others = client.run(os.getpid), []

    def die(trainer: Trainer, epoch: int, logs: Any) -> None:
        if epoch == 2:
            for pid in sorted(pids.values())[:count]:
                os.kill(pid, signal.SIGKILL)
            while len(client.nthreads()) > 2 - count:
                time.sleep(0.01)
            if count == 2:
                others.append(client.submit(wait_for, tmp_path / "end", pure=False))

    model = DaskMLPClassifier(**PLAIN, callbacks=die, sync_every=4, client=client)
    model.fit(*chunked(X, Y))
    assert all(other.status == "pending" for other in others)
    (tmp_path / "end").touch()
    assert model.n_iter_ == 8
    assert model.score(X, Y) > 0.95


@pytest.mark.full
@pytest.mark.filterwarnings("ignore:Sending large graph")
def test_mnist(client: Client) -> None:
    """Within 0.3 points of one process at the same passes."""
    x, y, x_test, y_test = loaded(ROOT / "examples" / "mnist.py").load_mnist()
    settings: dict[str, Any] = {"epochs": 15, "seed": 0, "schedule": "one_cycle"}
    alone = Trainer(**settings).fit(x, y).score(x_test, y_test)
    model = DaskMLPClassifier(**settings, sync_every=16, client=client)
    assert model.fit(*chunked(x, y, rows=5000)).score(x_test, y_test) > alone - 0.003
