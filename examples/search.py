"""Which learning rate? A search with ``fit_many``: ``python examples/search.py``.

Networks for 6,000 digits of MNIST, with ten learning rates for each of two optimizers, three folds
each: 60 networks, one per core. Each trains on two thirds of the rows and is scored on the rest;
the best is then fitted to all rows.
"""

import itertools
import time
from typing import Any

import numpy as np
from mnist import load_mnist
from picture import parse_args, write

from fastmlp import Trainer, fit_many

N_ROWS, N_FOLDS, N_EPOCHS = 6_000, 3, 5
RATES = {"sgd": np.geomspace(3e-3, 3, 10), "adam": np.geomspace(1e-4, 0.1, 10)}


def main() -> None:
    args = parse_args("Search for a learning rate.", "search")
    X, Y, X_test, Y_test = load_mnist()
    X, Y = X[:N_ROWS], Y[:N_ROWS]
    fold = np.random.default_rng(args.seed).permutation(N_ROWS) % N_FOLDS
    settings = [(name, rate) for name, rates in RATES.items() for rate in rates]
    cases = list(itertools.product(settings, range(N_FOLDS)))
    options: dict[str, Any] = {"hidden": 64, "epochs": N_EPOCHS, "seed": args.seed}
    options |= {"batch_size": 32, "scaling": None}
    trainers = [Trainer(optimizer=name, learning_rate=r, **options) for (name, r), _ in cases]
    start = time.perf_counter()
    fit_many(trainers, X, Y, rows=[fold != number for _, number in cases])
    print(f"{len(trainers)} networks in {time.perf_counter() - start:.1f} s")

    scored = zip(trainers, cases, strict=True)
    scores = [t.score(X[fold == number], Y[fold == number]) for t, (_, number) in scored]
    accuracies = np.reshape(scores, (len(RATES), -1, N_FOLDS))
    means = accuracies.mean(axis=2)
    for (name, rates), row in zip(RATES.items(), means, strict=True):
        print(f"{name}: best learning rate {rates[row.argmax()]:.4f}, accuracy {row.max():.2%}")
    name, rate = settings[means.argmax()]
    best = Trainer(optimizer=name, learning_rate=rate, **options).fit(X, Y)
    print(f"test accuracy of the best, {name}: {best.score(X_test, Y_test):.2%}")

    def draw(*axes: Any) -> None:
        for ax, (name, rates), values in zip(axes, RATES.items(), accuracies, strict=True):
            mean = values.mean(axis=1)
            ax.fill_between(rates, values.min(axis=1), values.max(axis=1), alpha=0.25)
            ax.plot(rates, mean, marker=".", label=f"mean of {N_FOLDS} folds, range")
            ax.plot(rates[mean.argmax()], mean.max(), "o", color="C3", label="best")
            ax.set(xscale="log", xlabel="learning rate", title=name, ylim=(0, 1))
            ax.yaxis.set_major_formatter("{x:.0%}")
        axes[0].set(ylabel="accuracy on rows held back")
        axes[0].legend(frameon=False, loc="lower center")
        title = f"{N_EPOCHS} epochs of 784-64-10 networks on {N_ROWS:,} digits of MNIST"
        axes[0].figure.suptitle(title)

    write(args.plot, draw, len(RATES), sharey=True)


if __name__ == "__main__":
    main()
