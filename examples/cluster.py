"""A cluster of two processes on this machine: ``python examples/cluster.py``, after
``pip install '.[dask,sklearn,plot]'``.

The same network for MNIST is trained by one process, and by one and two workers of Dask that
average their networks every few updates. Then joblib's Dask backend spreads a search of
scikit-learn's over the workers, and ``client.map`` fits of trainers; each fit has one thread, as a
worker runs one task for each of its threads.
"""

import time
import warnings
from typing import Any

import dask.array as da
import joblib
import numpy as np
from distributed import Client, LocalCluster
from mnist import load_mnist
from picture import parse_args, write
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from fastmlp import MLPClassifier, Trainer
from fastmlp.dask import DaskMLPClassifier

N_EPOCHS = 8
RATES = [0.0003, 0.001, 0.003, 0.01, 0.03]


def accuracy(rate: float, X: Any, y: Any, seed: int) -> float:
    """The score on the last rows of a network trained on the others."""
    trainer = Trainer(hidden=64, learning_rate=rate, threads=1, seed=seed)
    return trainer.fit(X[:1200], y[:1200]).score(X[1200:], y[1200:])


def name(n_workers: int) -> str:
    return ("one process", "one worker", "two workers")[n_workers]


def train(n_workers: int, seed: int) -> list[float]:
    """Train on MNIST with 1 or 2 workers, 0 for none; return the test accuracy of each epoch."""
    X, y, X_test, y_test = load_mnist()
    options: dict[str, Any] = {"epochs": N_EPOCHS, "schedule": "one_cycle", "seed": seed}
    start = time.perf_counter()
    history: Any
    if n_workers == 0:
        trainer = Trainer(**options, threads=1)
        history = trainer.fit(X, y, validation_data=(X_test, y_test)).history
    else:
        with (
            LocalCluster(
                n_workers=n_workers, threads_per_worker=1, dashboard_address=":0"
            ) as cluster,
            Client(cluster),
        ):
            chunks = 60_000 // 12
            lazy = da.from_array(X, (chunks, -1)), da.from_array(y, chunks)
            model = DaskMLPClassifier(**options)
            history = model.fit(*lazy, validation_data=(X_test, y_test)).history
    scores: list[float] = history["val_accuracy"]
    seconds = time.perf_counter() - start
    print(f"{name(n_workers)}: test accuracy {scores[-1]:.2%}, {seconds:.1f} s")
    return scores


def search(seed: int) -> list[float]:
    """Search for a learning rate twice on two workers; return the accuracy of each."""
    X, y = load_digits(return_X_y=True)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        model = MLPClassifier(early_stopping=True, threads=1, random_state=seed)
        grid = GridSearchCV(model, {"learning_rate_init": RATES}, cv=3)
        with joblib.parallel_config("dask"):
            grid.fit(X, y)
        best = grid.best_params_["learning_rate_init"]
        print(f"GridSearchCV: best learning rate {best}, accuracy {grid.best_score_:.2%}")
        rows = client.scatter([X, y], broadcast=True)
        tasks = client.map(accuracy, RATES, X=rows[0], y=rows[1], seed=seed)
        scores: list[float] = client.gather(tasks)
        print(f"client.map: best learning rate {RATES[int(np.argmax(scores))]}, {max(scores):.2%}")
    return scores


def main() -> None:
    args = parse_args("A cluster of two processes.", "cluster")
    warnings.filterwarnings("ignore", "Sending large graph")  # rows that come from this process
    curves = {n: train(n, args.seed) for n in (0, 1, 2)}
    scores = search(args.seed)

    alone, _, two = (curve[-1] for curve in curves.values())
    message = (
        f"Two workers, each with half of the rows, reach {two:.2%} test accuracy, "
        f"one process with all of them {alone:.2%}."
    )
    print(message)

    def draw(left: Any, right: Any) -> None:
        for n, curve in curves.items():
            left.plot(range(1, N_EPOCHS + 1), curve, marker=".", label=name(n))
        left.set(xlabel="epoch", ylabel="test accuracy", title="MNIST, averaged networks")
        left.yaxis.set_major_formatter("{x:.1%}")
        left.legend(frameon=False)
        right.plot(RATES, scores, marker=".")
        right.set(xscale="log", xlabel="learning rate", title="digits, a task for each rate")
        right.yaxis.set_major_formatter("{x:.1%}")
        left.figure.suptitle(message)

    write(args.plot, draw, 2)


if __name__ == "__main__":
    main()
