"""Which learning rate? A search with ``fit_many``: ``python examples/search.py``.

Networks for 6,000 digits of MNIST, with ten learning rates for each of two optimizers, three folds
each: 60 networks, one per core. Each trains on two thirds of the rows and is scored on the rest;
the best is then fitted to all rows. The same fits in a loop show what that saves.
"""

import itertools
import time
import warnings
from typing import Any

import numpy as np
from mnist import load_mnist
from picture import parse_args, write

from fastmlp import FitWarning, Trainer, fit_many, warmup

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
    warnings.simplefilter("ignore", FitWarning)  # a search also tries rates that are too high

    def trainers() -> list[Trainer]:
        return [Trainer(optimizer=name, learning_rate=r, **options) for (name, r), _ in cases]

    for name in RATES:
        warmup(Trainer(optimizer=name, **options), n_features=X.shape[1])  # compiles
    rows = [fold != number for _, number in cases]
    start = time.perf_counter()
    for trainer, chosen in zip(trainers(), rows, strict=True):
        trainer.fit(X[chosen], Y[chosen])
    in_a_loop = time.perf_counter() - start
    start = time.perf_counter()
    fitted = fit_many(trainers(), X, Y, rows=rows)
    together = time.perf_counter() - start
    print(f"{len(cases)} networks: {together:.1f} s together, {in_a_loop:.1f} s in a loop")

    scored = zip(fitted, cases, strict=True)
    scores = [t.score(X[fold == number], Y[fold == number]) for t, (_, number) in scored]
    accuracies = np.reshape(scores, (len(RATES), -1, N_FOLDS))
    means = accuracies.mean(axis=2)
    for (name, rates), row in zip(RATES.items(), means, strict=True):
        print(f"{name}: best learning rate {rates[row.argmax()]:.4f}, accuracy {row.max():.2%}")
    name, rate = settings[means.argmax()]
    best = Trainer(optimizer=name, learning_rate=rate, **options).fit(X, Y)
    default = Trainer(optimizer=name, **options).fit(X, Y)
    ours, its = best.score(X_test, Y_test), default.score(X_test, Y_test)
    print(
        f"The search found {name} at {rate:.4f}, with a test accuracy of {ours:.2%}; "
        f"at its default rate of {default.history['learning_rate'][0]:g} it has {its:.2%}."
    )

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
        axes[0].figure.suptitle(
            f"{len(cases)} networks in {together:.1f} s, {in_a_loop:.1f} s in a loop: "
            f"{means.min():.0%} to {means.max():.0%} of digits, by the learning rate"
        )

    write(args.plot, draw, len(RATES), sharey=True)


if __name__ == "__main__":
    main()
