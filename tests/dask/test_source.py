"""Training on shards of a cluster, beside one process on all rows."""

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import pytest
from distributed import Client, LocalCluster

from fastmlp import EarlyStopping, Trainer
from fastmlp.dask.pace import chosen_sync_every
from fastmlp.dask.placed import PlacedShards, Shard
from fastmlp.dask.source import DistributedSource
from fastmlp.dask.waiting import gathered
from fastmlp.dask.worker_settings import worker_settings
from fastmlp.fitting.dataset import FitData, fit_data
from fastmlp.settings import choices, resolved
from tests.helpers.basics import needs_compiler

pytestmark = [
    needs_compiler,
    pytest.mark.filterwarnings("default::ResourceWarning", "default::DeprecationWarning"),
]

PLAIN: dict[str, Any] = {
    "hidden": 9, "epochs": 2, "learning_rate": 0.1, "optimizer": "sgd", "schedule": None,
    "batch_size": 64, "shuffle": False, "validation_fraction": 0, "early_stopping": False,
    "weight_averaging": 0, "dtype": "float64", "seed": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        yield client


@pytest.fixture
def two(client: Client) -> Client:
    """The client, with both workers there."""
    client.wait_for_workers(2, timeout=60)
    return client


def encoded(trainer: Trainer, *data: Any, validation: Any = None) -> FitData:
    resolve = partial(resolved, choices(trainer), validated=validation is not None)
    X, Y, weights = *data, *[None] * (3 - len(data))
    return fit_data(X, Y, weights, validation, resolve, None)


def rows_of(X: Any, targets: Any) -> tuple[Any, Any]:
    return X, targets


def shards_of(
    client: Client, data: FitData, bounds: Sequence[int], *, bound: bool = False
) -> list[Shard]:
    """Rows between each two bounds, on the workers in turn."""
    shards, addresses = [], sorted(client.nthreads())
    for number, rows in enumerate(map(slice, bounds, bounds[1:])):
        X, targets = data.X[rows], data.targets.part(rows)
        address = addresses[number % len(addresses)]
        future = client.submit(
            rows_of, X, targets, workers=[address], allow_other_workers=not bound, pure=False
        )
        total, unit = targets.totals[0]
        shards.append(Shard(future, len(X), total * unit, address))
    return shards


def fit(
    client: Client, trainer: Trainer, data: FitData, bounds: Sequence[int], sync_every: Any
) -> DistributedSource:
    source = DistributedSource(
        client, shards_of(client, data, bounds), data.without_rows(), sync_every
    )
    trainer.fit_encoded(data.without_rows(), source=source)
    return source


def rows(count: int = 640, features: int = 12) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(count, features))
    return X, (X[:, :3].sum(axis=1) > 0).astype(int), rng.random(count) + 0.1


def same(first: Trainer, second: Trainer) -> bool:
    pairs = zip(first.get_weights(), second.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("weighted", [False, True])
def test_an_average_after_each_update_is_the_step_of_the_joined_batch(
    two: Client, weighted: bool
) -> None:
    X, y, weights = rows()
    given = (X, y, weights) if weighted else (X, y)
    trainer, alone = Trainer(**PLAIN), Trainer(**PLAIN)
    fit(two, trainer, encoded(trainer, *given), [0, 320, 640], 1)
    batches = np.arange(640).reshape(2, 10, 32).swapaxes(0, 1).ravel()
    alone.fit(X[batches], y[batches], sample_weight=weights[batches] if weighted else None)
    for got, wanted in zip(trainer.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(trainer.history["loss"], alone.history["loss"], rtol=1e-10)
    np.testing.assert_allclose(trainer.history["accuracy"], alone.history["accuracy"], rtol=1e-10)


def test_the_seed_gives_the_weights(two: Client) -> None:
    settings = {**PLAIN, "shuffle": True, "optimizer": "adam", "dropout": 0.2}
    trainers = [Trainer(**{**settings, "seed": seed}) for seed in (0, 0, 1)]
    for trainer in trainers:
        fit(two, trainer, encoded(trainer, *rows()), [0, 250, 640], 3)
    assert same(*trainers[:2])
    assert not same(*trainers[1:])


def test_a_round_is_the_mean_by_rows(two: Client) -> None:
    """Of unequal shards, each trained on alone for an epoch."""
    settings = {**PLAIN, "epochs": 1, "scaling": None}
    X, y, _ = rows()
    bounds, trainer = [0, 100, 640], Trainer(**settings)
    source = fit(two, trainer, encoded(trainer, X, y), bounds, 10**6)
    assert source.sync_every == source.updates_per_epoch == 17
    alone = []
    for part in map(slice, bounds, bounds[1:]):
        own = Trainer(**{**settings, "batch_size": 32, "epochs": 1})
        own.fit(X[part], y[part])
        alone.append(own)
    means = zip(*(own.get_weights() for own in alone), strict=True)
    for got, (first, second) in zip(trainer.get_weights(), means, strict=True):
        np.testing.assert_allclose(got, (100 * first + 540 * second) / 640, rtol=1e-9, atol=1e-12)
    losses = [own.history["loss"][0] for own in alone]
    wanted = np.average(losses, weights=[100, 540])
    np.testing.assert_allclose(trainer.history["loss"], [wanted], rtol=1e-9)


def kill(client: Client, *addresses: str) -> None:
    for pid in client.run(os.getpid, workers=list(addresses)).values():
        os.kill(pid, signal.SIGKILL)


@pytest.mark.costly
@pytest.mark.parametrize("where", ["in a round", "between epochs"])
def test_a_death_changes_nothing(two: Client, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask repeats the tasks, with all rows, from the same average."""
    settings = {**PLAIN, "shuffle": True, "optimizer": "adam", "epochs": 3}
    calm, troubled = Trainer(**settings), Trainer(**settings)
    fit(two, calm, encoded(calm, *rows()), [0, 250, 640], 3)
    calls = count()

    def killing(client: Client, *arguments: Any) -> Any:
        if next(calls) == 4:
            kill(client, max(client.nthreads()))
        return gathered(client, *arguments)

    def after_epoch(trainer: Trainer, epoch: int, logs: Any) -> None:
        if epoch == 1:
            kill(two, max(two.nthreads()))

    if where == "in a round":
        monkeypatch.setattr("fastmlp.dask.placed.gathered", killing)
    else:
        troubled.callbacks = after_epoch
    fit(two, troubled, encoded(troubled, *rows()), [0, 250, 640], 3)
    assert same(calm, troubled)
    assert calm.history["loss"] == troubled.history["loss"]


def test_rows_that_cannot_be_computed_again(two: Client) -> None:
    trainer = Trainer(**PLAIN)
    data = encoded(trainer, *rows())
    shards = [
        shard._replace(future=two.scatter([shard.future.result()], hash=False)[0])
        for shard in shards_of(two, data, [0, 320, 640])
    ]

    def after_epoch(trainer: Trainer, epoch: int, logs: Any) -> None:
        kill(two, *two.nthreads())

    trainer.callbacks = after_epoch
    source = DistributedSource(two, shards, encoded(trainer, *rows()).without_rows(), 4)
    with pytest.raises(RuntimeError, match="rows are lost with a worker that died"):
        trainer.fit_encoded(encoded(trainer, *rows()).without_rows(), source=source)
    assert trainer.n_iter_ == len(trainer.history["loss"]) == 1
    assert trainer.stop_reason_ == "exception"


@pytest.mark.costly
@pytest.mark.parametrize("bound", [False, True])
def test_no_worker_is_left(two: Client, bound: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """None at all, or the workers that the user bound rows to are gone for good."""

    def after_epoch(trainer: Trainer, epoch: int, logs: Any) -> None:
        monkeypatch.setattr("fastmlp.dask.waiting.PATIENCE", 0.5)
        if bound:
            kill(two, max(two.nthreads()))
        else:
            two.cluster.scale(0)
            while two.nthreads():
                time.sleep(0.05)

    trainer = Trainer(**PLAIN, callbacks=after_epoch)
    data = encoded(trainer, *rows())
    shards, data = shards_of(two, data, [0, 320, 640], bound=bound), data.without_rows()
    reason = "the workers of the rows are gone" if bound else "there is none"
    try:
        with pytest.raises(RuntimeError, match=f"no worker has run a task for 0.5.*{reason}"):
            trainer.fit_encoded(data, source=DistributedSource(two, shards, data, 4))
    finally:
        two.cluster.scale(2)
    assert trainer.n_iter_ == 1


def test_an_interrupt(two: Client) -> None:
    trainer = Trainer(**{**PLAIN, "epochs": 10_000})
    begun: list[float] = []

    def after_epoch(trainer: Trainer, epoch: int, logs: Any) -> None:
        if epoch == 1:
            timer = threading.Timer(0.05, interrupt)
            timer.start()

    def interrupt() -> None:
        begun.append(time.monotonic())
        signal.raise_signal(signal.SIGINT)

    trainer.callbacks = after_epoch
    with pytest.raises(KeyboardInterrupt):
        fit(two, trainer, encoded(trainer, *rows()), [0, 320, 640], 4)
    assert time.monotonic() < begun[0] + 5
    assert trainer.stop_reason_ == "interrupted"
    assert trainer.n_iter_ == len(trainer.history["loss"]) >= 2


@pytest.mark.full
def test_a_resumed_fit_goes_on(two: Client) -> None:
    settings = {**PLAIN, "shuffle": True, "optimizer": "adam"}
    once, twice = Trainer(**{**settings, "epochs": 4}), Trainer(**settings)
    fit(two, once, encoded(once, *rows()), [0, 250, 640], 3)
    data = encoded(twice, *rows())
    fit(two, twice, data, [0, 250, 640], 3)
    shards, data = shards_of(two, data, [0, 250, 640]), data.without_rows()
    source = DistributedSource(two, shards, data, 3)
    twice.fit_encoded(data, twice.model_, twice.history, source)
    assert same(once, twice)
    assert once.history["loss"] == twice.history["loss"]


def test_early_stopping_and_the_number_chosen(two: Client) -> None:
    settings = {
        **PLAIN,
        "epochs": 50,
        "learning_rate": 0.5,
        "early_stopping": EarlyStopping(patience=2),
    }
    X, y, _ = rows()
    trainer = Trainer(**settings)
    data = encoded(trainer, X, y, validation=(X[:50], 1 - y[:50]))
    source = fit(two, trainer, data, [0, 320, 640], "auto")
    assert trainer.stop_reason_ == "early_stopping"
    assert isinstance(source.sync_every, int)
    assert 1 <= source.sync_every <= source.updates_per_epoch == 10
    again = Trainer(**settings)
    fit(two, again, data, [0, 320, 640], source.sync_every)
    assert same(trainer, again)


def test_a_time_budget(two: Client) -> None:
    trainer = Trainer(**{**PLAIN, "epochs": 10_000, "time_budget": 1.0})
    fit(two, trainer, encoded(trainer, *rows()), [0, 320, 640], 2)
    assert trainer.stop_reason_ == "time_budget"


def test_divergence(two: Client) -> None:
    X, y, _ = rows()
    trainer = Trainer(**{**PLAIN, "learning_rate": 1e30}, loss="squared_error")
    with pytest.raises(FloatingPointError, match=r"in epoch 1 with learning_rate=1e\+30"):
        fit(two, trainer, encoded(trainer, X, y * 1.0), [0, 320, 640], 2)


class Workers:
    """Stands in for a client: names of workers, and where tasks were to run."""

    status = "running"

    def __init__(self, *names: str) -> None:
        self.names, self.asked = names, []

    def nthreads(self) -> dict[str, int]:
        return dict.fromkeys(self.names, 1)

    def submit(self, task: Any, *arguments: Any, workers: list[str], **options: Any) -> None:
        self.asked += workers


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        ("ab", "aabb"), ("abc", "cabb"), ("b", "bbbb"), ("bc", "ccbb"), ("", "aabb"),
    ],
)  # fmt: skip
def test_shards_move_to_idle_workers(there: str, wanted: str) -> None:
    data = encoded(Trainer(**PLAIN), *rows()).without_rows()
    workers = Workers(*"ab")
    placed = PlacedShards(workers, [Shard(None, 5, 5.0, address) for address in "aabb"], data)
    workers.names, workers.asked = tuple(there), []
    placed.begin_epoch(1)
    assert "".join(workers.asked) == wanted


@pytest.mark.parametrize(
    ("step", "overhead", "most", "wanted"),
    [(1e-3, 15e-3, 1000, 91), (1e-3, 15e-3, 100, 100), (1.0, 1e-3, 50, 1), (1e-3, 0.0, 50, 1)],
)
def test_the_number_of_updates_follows_the_measured_times(
    step: float, overhead: float, most: int, wanted: int
) -> None:
    assert chosen_sync_every(step, overhead, most) == wanted


@pytest.mark.parametrize(("name", "factor"), [("sgd", 1.0), ("adam", 2.0), ("adamw", 2.0)])
def test_settings_of_workers(name: str, factor: float) -> None:
    settings = encoded(
        Trainer(**{**PLAIN, "optimizer": name, "callbacks": print}), *rows()
    ).settings
    own, got = worker_settings(settings, 4)
    assert (own.batch_size, got, own.callbacks) == (16, factor, ())
    assert own.optimizer.decay * factor == settings.optimizer.decay
    assert worker_settings(settings, 100)[0].batch_size == 16


@pytest.mark.full
def test_means_of_many_parts_in_groups(two: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = Trainer(**PLAIN), Trainer(**PLAIN)
    bounds = list(range(0, 641, 128))
    fit(two, few, encoded(few, *rows()), bounds, 1)
    monkeypatch.setattr("fastmlp.dask.placed._FAN_IN", 2)
    fit(two, many, encoded(many, *rows()), bounds, 1)
    for first, second in zip(few.get_weights(), many.get_weights(), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-10, atol=1e-13)
    assert few.history["loss"] == pytest.approx(many.history["loss"], rel=1e-12)
