"""Training on shards of a cluster, beside one process on all rows."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from distributed import Client, LocalCluster

from fastmlp import Trainer
from fastmlp.dask.source import DistributedSource, Shard
from fastmlp.fitting.dataset import FitData, fit_data
from fastmlp.settings import choices, resolved

pytestmark = pytest.mark.filterwarnings("default::ResourceWarning", "default::DeprecationWarning")

PLAIN: dict[str, Any] = {
    "hidden": 9, "epochs": 2, "learning_rate": 0.1, "optimizer": "sgd", "schedule": None,
    "batch_size": 64, "shuffle": False, "validation_fraction": 0, "early_stopping": False,
    "weight_averaging": 0, "dtype": "float64", "seed": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Of two processes, that stay while the module's tests run."""
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", scheduler_port=0,
            memory_limit=None, silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        yield client


def encoded(trainer: Trainer, *data: Any, validation: Any = None) -> FitData:
    resolve = partial(resolved, choices(trainer), validated=validation is not None)
    X, Y, weights = *data, *[None] * (3 - len(data))
    return fit_data(X, Y, weights, validation, resolve, None)


def rows_of(data: FitData) -> tuple[Any, Any]:
    return data.X, data.targets


def shards_of(client: Client, data: FitData, bounds: Sequence[int]) -> list[Shard]:
    """Rows between each two bounds, on the workers in turn."""
    shards, addresses = [], sorted(client.nthreads())
    for number, rows in enumerate(map(slice, bounds, bounds[1:])):
        part = replace(data, X=data.X[rows], targets=data.targets.part(rows))
        address = addresses[number % len(addresses)]
        future = client.submit(rows_of, part, workers=[address], pure=False)
        total, unit = part.targets.totals[0]
        shards.append(Shard(future, len(part.X), total * unit, address))
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
    client: Client, weighted: bool
) -> None:
    X, y, weights = rows()
    given = (X, y, weights) if weighted else (X, y)
    trainer, alone = Trainer(**PLAIN), Trainer(**PLAIN)
    fit(client, trainer, encoded(trainer, *given), [0, 320, 640], 1)
    batches = np.arange(640).reshape(2, 10, 32).swapaxes(0, 1).ravel()
    alone.fit(X[batches], y[batches], sample_weight=weights[batches] if weighted else None)
    for got, wanted in zip(trainer.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(trainer.history["loss"], alone.history["loss"], rtol=1e-10)
    np.testing.assert_allclose(trainer.history["accuracy"], alone.history["accuracy"], rtol=1e-10)


def test_the_seed_gives_the_weights(client: Client) -> None:
    settings = {**PLAIN, "shuffle": True, "optimizer": "adam", "dropout": 0.2}
    trainers = [Trainer(**{**settings, "seed": seed}) for seed in (0, 0, 1)]
    for trainer in trainers:
        fit(client, trainer, encoded(trainer, *rows()), [0, 250, 640], 3)
    assert same(*trainers[:2])
    assert not same(*trainers[1:])
