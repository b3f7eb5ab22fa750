"""Rounds of training on a cluster: measured on two workers, and computed for more.

It prints the tables of ``docs/background/dask-cost-model.md``, after half a minute on a
LocalCluster of two processes with a thread each.
"""

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from fastmlp import Trainer

from . import options

FAN_IN = 8  # results that one process averages
LEAST_BATCH, BATCH = 16, 128
SHARE = 0.15  # of the time, for all but training, with sync_every="auto"
MEASURED = {"784-128-10": 20_000, "784-1024-1024-10": 6_000}  # rows
PAPER = {
    "784-128-10, 60,000 rows": (60_000, (784, 128, 10)),
    "100-256-256-1, 10,000,000 rows": (10_000_000, (100, 256, 256, 1)),
    "784-1024-1024-10, 60,000 rows": (60_000, (784, 1024, 1024, 10)),
}
WORKERS = (2, 8, 64)


class Cluster(NamedTuple):
    """What the model needs to know."""

    flops: float  # of a worker, in a second
    latency: float  # seconds of a round of two workers without bytes
    task: float  # seconds that client and scheduler work for each further task
    bandwidth: float  # bytes that one process sends or receives in a second


class Measured(NamedTuple):
    """Seconds on two workers, and in one process."""

    alone: float  # for an epoch in one process
    step: float
    overhead: float


def parameters(sizes: tuple[int, ...]) -> int:
    """Weights and biases."""
    return sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))


def overhead(sizes: tuple[int, ...], workers: int, cluster: Cluster, vectors: int = 3) -> float:
    """Seconds of a round beside its updates; Adam's network has 3 ``vectors``.

    Down, the client sends the network once, and workers that have it send it to others. Up, one
    process receives at most ``FAN_IN`` results, on each level of the tree.
    """
    message = 4 * vectors * parameters(sizes) / cluster.bandwidth
    levels = math.ceil(math.log(workers, FAN_IN) - 1e-9)
    down = 1 + math.ceil(math.log2(workers))
    up: int = sum(min(FAN_IN, math.ceil(workers / FAN_IN**level)) for level in range(levels))
    return cluster.latency + (workers - 2) * cluster.task + (down + up) * message


def epoch(
    rows: int, sizes: tuple[int, ...], workers: int, k: int, cluster: Cluster
) -> tuple[float, int]:
    """Seconds of an epoch with an average every k updates, and its updates."""
    batch = max(LEAST_BATCH, BATCH // workers)
    updates = math.ceil(rows / workers / batch)
    step = 6 * batch * parameters(sizes) / cluster.flops
    rounds = math.ceil(updates / k)
    return updates * step + rounds * overhead(sizes, workers, cluster), updates


def best_k(rows: int, sizes: tuple[int, ...], workers: int, cluster: Cluster) -> int:
    """The number that sync_every="auto" chooses."""
    seconds, updates = epoch(rows, sizes, workers, 10**9, cluster)
    cost = overhead(sizes, workers, cluster)
    step = (seconds - cost) / updates
    return min(updates, math.ceil(cost / step * (1 - SHARE) / SHARE))


def measured(client: Any, hidden: tuple[int, ...], rows: int) -> Measured:
    """Solve the seconds of two epochs, with many rounds and with one, for step and overhead."""
    import dask.array

    from fastmlp.dask import DaskMLPClassifier

    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, 784), dtype=np.float32)
    y = rng.integers(10, size=rows)
    settings: dict[str, Any] = {
        "hidden": hidden, "epochs": 3, "batch_size": BATCH, "validation_fraction": 0,
        "early_stopping": False, "threads": 1, "scaling": None,
    }  # fmt: skip
    chunks = rows // 2
    data = dask.array.from_array(X, (chunks, 784)), dask.array.from_array(y, chunks)
    seconds = []
    for k in (4, 10**6):
        model = DaskMLPClassifier(**settings, sync_every=k, client=client).fit(*data)
        seconds.append(min(model.history["seconds"][1:]))
    alone = min(Trainer(**settings).fit(X, y).history["seconds"])
    updates = math.ceil(chunks / (BATCH // 2))
    cost = (seconds[0] - seconds[1]) / (math.ceil(updates / 4) - 1)
    return Measured(alone, (seconds[1] - cost) / updates, cost)


def main() -> None:
    options.parser_of(__file__, __doc__).parse_args()
    from distributed import Client, LocalCluster  # absent where asv looks for benchmarks

    found = {}
    with (
        LocalCluster(2, threads_per_worker=1, dashboard_address=":0", memory_limit=None) as cluster,
        Client(cluster) as client,
    ):
        for name, rows in MEASURED.items():
            found[name] = measured(client, tuple(map(int, name.split("-")[1:-1])), rows)
            alone, step, cost = (1e3 * value for value in found[name])
            print(f"{name}: one process {alone:.0f} ms an epoch of {rows:,} rows, on two workers "
                  f"{step:.2f} ms an update, {cost:.1f} ms a round")  # fmt: skip
    paper(model_of(found))


def model_of(found: dict[str, Measured]) -> Cluster:
    """Rate, latency and bandwidth that explain what was measured."""
    (_, small), (wide, large) = found.items()
    sizes = [tuple(map(int, name.split("-"))) for name in found]
    flops = 6 * MEASURED[wide] * parameters(sizes[1]) / large.alone
    messages = overhead(sizes[0], 2, Cluster(flops, 0, 0, 1)) / (12 * parameters(sizes[0]))
    apart = 12 * (parameters(sizes[1]) - parameters(sizes[0]))
    bandwidth = messages * apart / (large.overhead - small.overhead)
    latency = small.overhead - messages * 12 * parameters(sizes[0]) / bandwidth
    cluster = Cluster(round(flops, -9), round(latency, 4), 0.001, round(bandwidth, -7))
    print(cluster)
    return cluster


def paper(local: Cluster) -> None:
    """Print the speed-up over one process for more workers at 10 Gb/s."""
    # Bytes are handled by the processes as on one machine, and pass the network.
    cluster = local._replace(bandwidth=1 / (1 / local.bandwidth + 1 / 1.25e9))
    print("| network | workers | round, ms | k | updates of an epoch | epoch, s | speed-up |")
    print("|---|---|---|---|---|---|---|")
    for name, (rows, sizes) in PAPER.items():
        alone = 6 * rows * parameters(sizes) / cluster.flops
        for workers in WORKERS:
            k = best_k(rows, sizes, workers, cluster)
            seconds, updates = epoch(rows, sizes, workers, k, cluster)
            cost = 1e3 * overhead(sizes, workers, cluster)
            print(f"| {name} | {workers} | {cost:.0f} | {k:,} | {updates:,} | {seconds:.2f} | "
                  f"{alone / seconds:.1f} |")  # fmt: skip


if __name__ == "__main__":
    main()
